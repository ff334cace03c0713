"""Configurations of builds of small genomes, and the files of the datasets they write."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from pipelines.config import DatasetConfig, validate
from tests.conftest import GenomeFiles

# Leaves the shorter genes out, so that there are files of those too.
EXACT_CROP = {"length": 150, "exact": True}


def dataset_config(*genomes: GenomeFiles, **sections: Any) -> DatasetConfig:
    """A configuration of genomes named g0, g1, … with one chromosome each for validation and test."""
    values = {
        "sources": [genome.source(f"g{number}") for number, genome in enumerate(genomes)],
        "tokenizer": {"k": 3, "stride": 1},
        "split": {"test": ["chr4"], "validation": ["chr3"]},
        **sections,
    }
    return validate(DatasetConfig, values, "test")


def files_of(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Path of each file, relative to the directory, to its bytes and its time of change."""
    return {
        str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def bytes_of(directory: Path) -> dict[str, bytes]:
    """Path of each file, relative to the directory, to its bytes."""
    return {name: content for name, (content, _) in files_of(directory).items()}


def connects_never() -> Any:
    """A `connect` for builds that must not need Ray."""
    raise AssertionError("Ray was started though there is nothing to do")


def mutated_genome(genome: GenomeFiles, folder: Path, every: int) -> GenomeFiles:
    """The same genome with one base in `every` exchanged for another, N left alone."""
    folder.mkdir()
    other = str.maketrans("ACGTacgt", "CATGcatg")
    sequences = {
        name: "".join(base.translate(other) if position % every == 0 else base for position, base in enumerate(text))
        for name, text in genome.sequences.items()
    }
    (folder / "genome.fa").write_text("".join(f">{name}\n{text}\n" for name, text in sequences.items()))
    return GenomeFiles(folder / "genome.fa", genome.annotation, sequences, genome.genes)


SCRIPT = """
    import sys, ray
    from contextlib import contextmanager
    from pathlib import Path
    from pipelines.build import task_plan
    from pipelines.build.pipeline import build
    from pipelines.config import DatasetConfig
    from pipelines.progress import Silent
    from pipelines.stores.store import Store
    task_plan.TASK_BASES = 5_000
    @contextmanager
    def connect():
        ray.init(address="local", num_cpus=int(sys.argv[3]), include_dashboard=False, log_to_driver=False)
        yield
    output = Store(sys.argv[2]) if "://" in sys.argv[2] else Path(sys.argv[2])
    build(DatasetConfig.model_validate_json(sys.argv[1]), output, connect, Silent())
"""


def start_build(experiment: DatasetConfig, output: Path | str, cpus: int) -> subprocess.Popen[bytes]:
    """Start a build in a process group of its own, with a Ray of its own; an output with `://` is a store."""
    arguments = [experiment.model_dump_json(by_alias=True), str(output), str(cpus)]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), *arguments], start_new_session=True, stderr=subprocess.DEVNULL
    )
