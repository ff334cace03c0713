"""Splits by region: stretches of sequences that are held out, the rest is train, and no gene crosses a border."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipelines.config import SplitConfig
from pipelines.errors import UsageError
from pipelines.genome import region
from pipelines.genome.intervals import Intervals
from pipelines.genome.region import Region
from pipelines.genome.source import Source
from pipelines.splits.blocks import Blocks

CROSSES = "crosses_a_border"
"""Why a gene is left out that lies in two regions, as datasets record it."""


def cut(sources: list[Source], config: SplitConfig) -> tuple[list[Source], dict[tuple[str, str], Blocks]]:
    """Cut the sequences of genomes at the borders of the regions that a split lists.

    Args:
        sources: the genomes, with their genes.
        config: a split by region.

    Returns:
        The sources without the genes that cross a border, which are counted among their dropped ones; and (genome,
        chromosome) to its blocks, for every chromosome that has genes.

    Raises:
        UsageError: a region that is malformed, unknown, empty, beyond the end, over another, or without a whole gene.
    """
    regions = read(config, {source.genome.name: source.genome.lengths for source in sources})
    blocks = {
        (source.genome.name, chromosome): _blocks(regions, source.genome.name, chromosome, length)
        for source in sources
        for chromosome, length in source.lengths.items()
    }
    sources = [_without_crossing(source, blocks) for source in sources]
    genes = {source.genome.name: source.bounds() for source in sources}
    for split, listed in regions.items():
        for one in listed:
            bounds = genes[one.genome].get(one.chromosome, np.empty((0, 2), np.int64))
            if not ((bounds[:, 0] >= one.start) & (bounds[:, 1] <= one.end)).any():
                raise UsageError(
                    f"split.{split}: {one}: no gene lies within it",
                    "choose a region with genes, or leave it out",
                    key=f"split.{split}",
                )
    return sources, blocks


def read(config: SplitConfig, genomes: Mapping[str, Mapping[str, int]]) -> dict[str, list[Region]]:
    """The regions that a split lists, by held-out split, sorted.

    Args:
        config: a split by region.
        genomes: name to the length in bases of each sequence.

    Raises:
        UsageError: there are none, or one is malformed, unknown, empty, beyond the end or over another.
    """
    listed = {split: names for split in ("validation", "test") if isinstance(names := getattr(config, split), list)}
    regions = {
        split: sorted(one for name in names for one in region.find(name, genomes, f"split.{split}"))
        for split, names in listed.items()
    }
    region.require_disjoint((f"split.{split}", one) for split, found in regions.items() for one in found)
    return regions


def crosses(genes: Intervals, blocks: Blocks) -> NDArray[np.bool_]:
    """Whether each gene has bases in several blocks, shape (genes,)."""
    first, last = (np.searchsorted(blocks.ends, base, side="right") for base in (genes[:, 0], genes[:, 1] - 1))
    return first != last


def _blocks(regions: Mapping[str, list[Region]], genome: str, chromosome: str, length: int) -> Blocks:
    split_of = {one: split for split, found in regions.items() for one in found}
    own = [one for one in split_of if (one.genome, one.chromosome) == (genome, chromosome)]
    split_of |= dict.fromkeys(region.rest(own, genome, chromosome, length), "train")
    ordered = sorted(one for one in split_of if (one.genome, one.chromosome) == (genome, chromosome))
    return Blocks(
        np.array([one.end for one in ordered], np.int64), tuple(split_of[one] for one in ordered), are_closed=True
    )


def _without_crossing(source: Source, blocks: Mapping[tuple[str, str], Blocks]) -> Source:
    genes = {}
    crossing = 0
    for chromosome, bounds in source.bounds().items():
        outside = crosses(bounds, blocks[source.genome.name, chromosome])
        crossing += int(outside.sum())
        if not outside.all():
            genes[chromosome] = [
                gene
                for gene, is_outside in zip(source.genes[chromosome], outside.tolist(), strict=True)
                if not is_outside
            ]
    if not crossing:
        return source
    return replace(
        source,
        genes=genes,
        lengths={name: source.lengths[name] for name in genes},
        excluded={name: source.excluded[name] for name in genes},
        dropped=source.dropped + Counter({CROSSES: crossing}),
    )
