"""Splits by region: stretches of sequences that are held out, the rest is train, and no gene crosses a border."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipelines.config import SplitConfig
from pipelines.errors import UsageError
from pipelines.genome import features, intervals, region
from pipelines.genome.gene_columns import GeneColumns
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
        UsageError: there is no genome, or a region is malformed, unknown, empty, beyond the end, over another, or
            without a whole gene.
    """
    if not sources:
        raise UsageError(
            "split.by: region needs a genome, and every source is of labelled sequences",
            "use split.by random or family",
            key="split.by",
        )
    regions = read(config, {source.genome.name: source.genome.lengths for source in sources})
    blocks = _cut(regions, {source.genome.name: source.lengths for source in sources})
    sources = [_without_crossing(source, blocks) for source in sources]
    # No gene crosses a border any more: a region has one if one begins there.
    with_genes = set()
    for source in sources:
        for chromosome, bounds in source.bounds().items():
            own = blocks[source.genome.name, chromosome]
            ends = own.ends[np.unique(own.holding(bounds[:, 0]))].tolist()
            with_genes |= {(source.genome.name, chromosome, end) for end in ends}
    for split, listed in regions.items():
        for one in listed:
            if (one.genome, one.chromosome, one.end) not in with_genes:
                raise UsageError(
                    f"split.{split}: {one}: no gene lies within it",
                    "choose a region with genes, or leave it out",
                    key=f"split.{split}",
                )
    return sources, blocks


def blocks_of(config: SplitConfig, genomes: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], Blocks]:
    """(genome, chromosome) to its blocks, whatever genes there are: the regions that a split lists, and the rest.

    Args:
        config: a split by region.
        genomes: name to the length in bases of each sequence.

    Raises:
        UsageError: as `read`.
    """
    return _cut(read(config, genomes), genomes)


def _cut(
    regions: Mapping[str, Sequence[Region]], genomes: Mapping[str, Mapping[str, int]]
) -> dict[tuple[str, str], Blocks]:
    split_of: dict[tuple[str, str], dict[Region, str]] = {}
    for split, listed in regions.items():
        for one in listed:
            split_of.setdefault((one.genome, one.chromosome), {})[one] = split
    return {
        (genome, chromosome): _blocks(split_of.get((genome, chromosome), {}), genome, chromosome, length)
        for genome, lengths in genomes.items()
        for chromosome, length in lengths.items()
    }


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
    return blocks.holding(genes[:, 0]) != blocks.holding(genes[:, 1] - 1)


def _blocks(split_of: Mapping[Region, str], genome: str, chromosome: str, length: int) -> Blocks:
    """The blocks of a chromosome: its held-out regions, each with its split, and the rest, which is train."""
    whole = {**split_of, **dict.fromkeys(region.rest([*split_of], genome, chromosome, length), "train")}
    ordered = sorted(whole)
    return Blocks(
        np.array([one.end for one in ordered], np.int64), tuple(whole[one] for one in ordered), are_closed=True
    )


def _without_crossing(source: Source, blocks: Mapping[tuple[str, str], Blocks]) -> Source:
    genes, others = {}, {}
    crossing = 0
    for chromosome, bounds in source.bounds().items():
        is_crossing = crosses(bounds, blocks[source.genome.name, chromosome])
        crossing += int(is_crossing.sum())
        if is_crossing.all():
            continue
        own = [*zip(source.genes[chromosome], is_crossing.tolist(), strict=True)]
        genes[chromosome] = GeneColumns(gene for gene, is_left_out in own if not is_left_out)
        if chromosome in source.others:
            rows = features.rows_left_out((gene for gene, is_left_out in own if is_left_out), genes[chromosome])
            inside = intervals.within(rows, source.lengths[chromosome], is_circular=False)
            others[chromosome] = np.concatenate([source.others[chromosome], inside])
    if not crossing:
        return source
    return replace(
        source,
        genes=genes,
        lengths={name: source.lengths[name] for name in genes},
        excluded={name: source.excluded[name] for name in genes},
        dropped=source.dropped + Counter({CROSSES: crossing}),
        others=others,
    )
