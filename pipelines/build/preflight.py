"""What a build will make, told before it starts: rows, tokens, the longest sequence and the disk it takes.

Costs what reading the annotation costs. Rows and tokens are upper bounds, for genes may be cropped or left out
when no room is found for their negatives.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.config import DatasetConfig
from pipelines.errors import ResourceError
from pipelines.genome.labelled import Collection
from pipelines.genome.source import Source
from pipelines.negatives import cropping
from pipelines.tokens.tokenizer import Tokenizer

BYTES_A_ROW = 24
PACKING = 1.05


@dataclass(frozen=True)
class Expected:
    """What one genome or collection will give at most.

    Attributes:
        name: of the genome or collection.
        sequences: FASTA sequences in use, or files.
        of: FASTA sequences there are, or files.
        genes: genes, or labelled sequences, that can be used.
        dropped: those left out, by reason.
        rows: intervals, negatives included.
        tokens: token ids.
        longest: bases of the longest interval.
    """

    name: str
    sequences: int
    of: int
    genes: int
    dropped: dict[str, int]
    rows: int
    tokens: int
    longest: int


def expected(
    config: DatasetConfig, sources: list[Source], collections: list[Collection], tokenizer: Tokenizer
) -> list[Expected]:
    """What every source will give at most, genomes first."""
    return [
        *(_of_genome(config, source, tokenizer) for source in sources),
        *(_of_collection(collection, tokenizer) for collection in collections),
    ]


def disk_bytes(found: list[Expected], tokenizer: Tokenizer) -> int:
    """Bytes of the dataset: a k-mer of random bases packs into 2k bits, a row's other columns into some 24 bytes."""
    packed = min(2 * tokenizer.k / 8, tokenizer.dtype.itemsize) * PACKING
    return int(sum(one.rows * BYTES_A_ROW + one.tokens * packed for one in found))


def free_bytes(output: Path) -> int:
    """Free bytes of the file system that `output` will lie on."""
    folder = next(folder for folder in (output, *output.parents) if folder.exists())
    return shutil.disk_usage(folder).free


def require_disk(needed: int, output: Path) -> None:
    """Refuse to start where the disk is too small.

    Raises:
        ResourceError: with the bytes needed and free.
    """
    free = free_bytes(output)
    if needed > free:
        raise ResourceError(
            f"{output}: the dataset needs about {needed / 1e9:,.2f} GB and {free / 1e9:,.2f} GB are free",
            "free space or choose another place",
        )


def _of_genome(config: DatasetConfig, source: Source, tokenizer: Tokenizer) -> Expected:
    lengths = cropping.lengths(np.concatenate([*source.bounds().values()]), config.crop)
    ratio = config.negatives.ratio
    return Expected(
        name=source.genome.name,
        sequences=len(source.lengths),
        of=len(source.genome.lengths),
        genes=len(lengths),
        dropped=dict(source.dropped),
        rows=int(len(lengths) * (1 + ratio)),
        tokens=int(tokenizer.token_counts(lengths).sum() * (1 + ratio)),
        longest=int(lengths.max()),
    )


def _of_collection(collection: Collection, tokenizer: Tokenizer) -> Expected:
    rows = collection.rows()
    lengths: NDArray[np.int64] = rows["end"].to_numpy() - rows["start"].to_numpy()
    return Expected(
        name=collection.name,
        sequences=len(collection.files),
        of=len(collection.files),
        genes=len(rows),
        dropped=dict(collection.dropped),
        rows=len(rows),
        tokens=int(tokenizer.token_counts(lengths).sum()),
        longest=int(lengths.max()),
    )
