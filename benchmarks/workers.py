"""The token stage of a build with one worker and with two: the same placement, the same bytes.

    python benchmarks/workers.py --fasta FASTA --annotation GFF3 [--repeats 5] [--builds 4] [--work DIR]
        [--results FILE]

Every build starts from nothing on a running Ray; runs with one and two CPUs take turns. The first build of each run is
reported separately, because workers import and touch their memory in it. Medians of one run go to --results, by default
benchmarks/results/workers.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

# `benchmarks` is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.process.options import at_least, parse
from cluster import connection
from pipelines import storage
from pipelines.build.pipeline import build
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
    def stage(self, title: str, total: float | None = None, *, unit: str = "") -> Iterator[Stage]:
        began = time.perf_counter()
        with super().stage(title, total) as stage:
            yield stage
        self.seconds[title] = time.perf_counter() - began


def digest(directory: Path) -> str:
    """One SHA-256 over the names and bytes of a dataset's files."""
    sha256 = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            sha256.update(str(path.relative_to(directory)).encode() + path.read_bytes())
    return sha256.hexdigest()


def measure(config: DatasetConfig, cpus: int, builds: int, output: Path) -> tuple[list[float], set[str]]:
    """Seconds of the token stage in each of several builds on one Ray, and what they wrote."""
    import ray

    ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    seconds, written = [], set()
    try:
        for _ in range(builds):
            shutil.rmtree(output, ignore_errors=True)
            progress = Timed()
            build(config, output, nullcontext, progress)
            seconds.append(progress.seconds[STAGE])
            written.add(digest(output))
    finally:
        ray.shutdown()
    return seconds, written


def compare(seconds: dict[int, list[float]]) -> dict[str, float]:
    """Median seconds with one and with two workers, and their ratio."""
    one_cpu, two_cpus = (statistics.median(seconds[cpus]) for cpus in (1, 2))
    return {
        "1 worker, s": round(one_cpu, 3),
        "2 workers, s": round(two_cpus, 3),
        "two over one": round(one_cpu / two_cpus, 2),
    }


def main() -> None:
    """Measure, compare the bytes and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fasta", required=True)
    parser.add_argument("--annotation", required=True)
    parser.add_argument("--repeats", type=at_least(1), default=5)
    parser.add_argument("--builds", type=at_least(2), default=4, help="of each run of Ray, two at least")
    parser.add_argument("--work", type=Path, default=Path("workers-work"))
    arguments = parse(parser, HERE / "results" / "workers.json")
    work = arguments.work.absolute()
    os.environ["RAYGENE_CACHE"] = str(work / "cache")
    connection.prepare_environment(verbose=False)
    connection.silence_ray()
    source = {"genome": "genome", "fasta": arguments.fasta, "annotation": arguments.annotation}
    config = DatasetConfig.model_validate(
        {"sources": [source], "tokenizer": {"k": 6, "stride": 1}, "split": {"by": "block"}}
    )
    first: dict[int, list[float]] = {1: [], 2: []}
    later: dict[int, list[float]] = {1: [], 2: []}
    written: set[str] = set()
    for _ in range(arguments.repeats):
        for cpus in later:
            times, digests = measure(config, cpus, arguments.builds, work / "dataset")
            print(f"{cpus} CPU{'s' if cpus > 1 else ''}: {times} s", flush=True)
            first[cpus].append(times[0])
            later[cpus] += times[1:]
            written |= digests
    document: dict[str, Any] = {
        "genome": Path(arguments.fasta).name,
        "stage": STAGE,
        "repeats": arguments.repeats,
        "builds": arguments.builds,
        "later builds": compare(later),
        "first build of a run": compare(first),
        "the same bytes": len(written) == 1,
    }
    storage.write_json(arguments.results, document)
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
