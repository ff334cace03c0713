"""Configurations of builds of small genomes, and the files of the datasets they write."""

from __future__ import annotations

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
