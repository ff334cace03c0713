"""The token stage of a build with one worker and with two: the same placement, the same bytes.

    python benchmarks/workers.py --fasta FASTA --annotation GFF3 [--repeats 5] [--work DIR]

Every build starts from nothing on a running Ray; runs with one and two CPUs take turns. Medians of one run go to
benchmarks/results/workers.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from cluster import connection
from pipelines.build import build
from pipelines.config import DatasetConfig
from pipelines.progress import Silent, Stage

HERE = Path(__file__).parent
STAGE = "encoding tokens"


class Timed(Silent):
    """Measures the seconds of every stage."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        began = time.perf_counter()
        with super().stage(name, total) as stage:
            yield stage
        self.seconds[name] = time.perf_counter() - began


def digest(directory: Path) -> str:
    """One SHA-256 over the names and bytes of a dataset's files."""
    found = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            found.update(str(path.relative_to(directory)).encode() + path.read_bytes())
    return found.hexdigest()


def measure(config: DatasetConfig, cpus: int, output: Path) -> tuple[float, str]:
    """Seconds of the token stage in the second of two builds, and what it wrote."""
    import ray

    ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        for _ in range(2):
            shutil.rmtree(output, ignore_errors=True)
            progress = Timed()
            build(config, output, nullcontext, progress)
    finally:
        ray.shutdown()
    return progress.seconds[STAGE], digest(output)


def main() -> None:
    """Measure, compare the bytes and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fasta", required=True)
    parser.add_argument("--annotation", required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path("workers-work"))
    given = parser.parse_args()
    work = given.work.absolute()
    os.environ["RAYGENE_CACHE"] = str(work / "cache")
    connection.prepare_environment(verbose=False)
    connection.quieten()
    source = {"genome": "genome", "fasta": given.fasta, "annotation": given.annotation}
    config = DatasetConfig.model_validate(
        {"sources": [source], "tokenizer": {"k": 6, "stride": 1}, "split": {"by": "block"}}
    )
    seconds: dict[int, list[float]] = {1: [], 2: []}
    written = set()
    for _ in range(given.repeats):
        for cpus, times in seconds.items():
            took, what = measure(config, cpus, work / "dataset")
            times.append(took)
            written.add(what)
    medians = {cpus: statistics.median(times) for cpus, times in seconds.items()}
    document: dict[str, Any] = {
        "genome": Path(given.fasta).name,
        "stage": STAGE,
        "repeats": given.repeats,
        "seconds": {f"{cpus} workers": round(median, 3) for cpus, median in medians.items()},
        "two over one": round(medians[1] / medians[2], 2),
        "the same bytes": len(written) == 1,
    }
    (HERE / "results" / "workers.json").write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
