"""What a build will produce, estimated before it starts: rows, tokens, the longest sequence and the disk space.

Costs what reading the annotation costs. Rows and tokens are upper bounds, because genes are shortened or left out where
their negatives do not fit.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.config import DatasetConfig
from pipelines.display import format_compared
from pipelines.errors import ResourceError
from pipelines.genome.labelled import Collection
from pipelines.genome.source import Source
from pipelines.negatives import cropping
from pipelines.splits import sketch, sketch_files
from pipelines.tokens.tokenizer import Tokenizer

BYTES_PER_ROW = 24
BYTES_PER_INTERVAL = 120
"""In files by which intervals go from task to task: names, positions, and 16 bytes that only the build needs."""
BYTES_PER_STATE = 0.1
COMPRESSION_OVERHEAD = 1.05
# CPU seconds of a build's maps; docs/decisions/building-on-ray.md has the measurements.
SECONDS_PER_STATE, SECONDS_PER_TOKEN, SECONDS_PER_ROW = 1.4e-7, 1.8e-8, 2e-5
SECONDS_PER_PLACED_NEGATIVE = 1e-3
"""bedtools is called once a round: more rounds where genes are dense, fewer where there is room."""


@dataclass(frozen=True)
class Estimate:
    """What one genome or collection will contribute at most.

    Attributes:
        name: of the genome or collection.
        sequences: FASTA sequences that are used, or files.
        all_sequences: FASTA sequences in the genome, or files.
        genes: usable genes, or labelled sequences.
        windows: windows of these genes.
        dropped: number of those left out, by reason.
        rows: intervals, negatives included.
        tokens: token ids.
        longest: bases of the longest interval.
        states: bases that have a state.
        placed: negatives that are placed somewhere else on the chromosome.
        bases: of all intervals; 0 where they are windows, which have no sketches.
    """

    name: str
    sequences: int
    all_sequences: int
    genes: int
    windows: int
    dropped: dict[str, int]
    rows: int
    tokens: int
    longest: int
    states: int = 0
    placed: int = 0
    bases: int = 0


def estimate(
    config: DatasetConfig, sources: list[Source], collections: list[Collection], tokenizer: Tokenizer
) -> list[Estimate]:
    """Estimate what every source will contribute at most, genomes first."""
    return [
        *(_estimate_genome(config, source, tokenizer) for source in sources),
        *(_estimate_collection(collection, tokenizer) for collection in collections),
    ]


def estimate_disk_bytes(estimates: list[Estimate], tokenizer: Tokenizer) -> int:
    """Estimate the dataset's size in bytes.

    A k-mer of random bases compresses to 2k bits, the other columns of a row to some 24 bytes, and the states of a base
    to less than a bit.
    """
    bytes_per_token = min(2 * tokenizer.k / 8, tokenizer.dtype.itemsize) * COMPRESSION_OVERHEAD
    return int(
        sum(
            source.rows * BYTES_PER_ROW + source.tokens * bytes_per_token + source.states * BYTES_PER_STATE
            for source in estimates
        )
    )


def estimate_working_bytes(estimates: list[Estimate]) -> int:
    """Estimate the bytes of files that are beside the dataset until it is complete: intervals and their sketches.

    Files of pairs that share k-mers are not counted: there are few, unless most of the intervals are alike.
    """
    rows = sum(source.rows for source in estimates if not source.states)
    bases = sum(source.bases for source in estimates)
    samples = bases // sketch.sample_spacing(bases)
    return rows * (BYTES_PER_INTERVAL + sketch_files.SIZE.itemsize) + samples * sketch_files.SAMPLE.itemsize


def estimate_seconds(estimates: list[Estimate], cores: int) -> float:
    """Estimate the seconds that a build takes once its inputs are read and Ray has started.

    Args:
        estimates: of every source.
        cores: free cores.
    """
    labelled = sum(source.states for source in estimates)
    tokens = sum(source.tokens for source in estimates) - labelled
    rows = sum(source.rows for source in estimates if not source.states)
    placed = sum(source.placed for source in estimates)
    busy = (
        labelled * SECONDS_PER_STATE
        + tokens * SECONDS_PER_TOKEN
        + rows * SECONDS_PER_ROW
        + placed * SECONDS_PER_PLACED_NEGATIVE
    )
    return busy / max(cores, 1)


def free_bytes(output: Path) -> int:
    """Return the free bytes of the file system that `output` will be written to."""
    folder = next(folder for folder in (output, *output.parents) if folder.exists())
    return shutil.disk_usage(folder).free


def require_disk(required_bytes: int, output: Path) -> None:
    """Refuse to start where the disk is too small.

    Raises:
        ResourceError: less than this is free; the message has both figures.
    """
    free = free_bytes(output)
    if required_bytes > free:
        required, available = format_compared(required_bytes, free)
        raise ResourceError(
            f"{output}: the build needs about {required} and {available} are free",
            "free disk space or choose another output directory",
        )


def _estimate_genome(config: DatasetConfig, source: Source, tokenizer: Tokenizer) -> Estimate:
    genes = np.concatenate([*source.bounds().values()])
    lengths = cropping.window_lengths(cropping.window_sites(genes, config.crop)[0], config.crop)
    ratio, kinds = config.negatives.ratio, config.negatives.kinds
    shuffled = kinds.get("shuffle", 0.0) / sum(kinds.values())
    return Estimate(
        name=source.genome.name,
        sequences=len(source.lengths),
        all_sequences=len(source.genome.lengths),
        genes=len(genes),
        windows=len(lengths),
        dropped=dict(source.dropped),
        rows=int(len(lengths) * (1 + ratio)),
        tokens=int(tokenizer.token_counts(lengths).sum() * (1 + ratio)),
        longest=int(lengths.max()),
        placed=int(len(lengths) * ratio * shuffled),
        bases=int(lengths.sum() * (1 + ratio)),
    )


def _estimate_collection(collection: Collection, tokenizer: Tokenizer) -> Estimate:
    rows = collection.rows()
    lengths: NDArray[np.int64] = rows["end"].to_numpy() - rows["start"].to_numpy()
    return Estimate(
        name=collection.name,
        sequences=len(collection.files),
        all_sequences=len(collection.files),
        genes=len(rows),
        windows=len(rows),
        dropped=dict(collection.dropped),
        rows=len(rows),
        tokens=int(tokenizer.token_counts(lengths).sum()),
        longest=int(lengths.max()),
        bases=int(lengths.sum()),
    )
