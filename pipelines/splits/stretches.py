"""Stretches of chromosomes, each of one split, that together hold every base: the split of a genome's bases.

A stretch is a maximal run of bases of one chromosome in one split. What shares are shares of is bases, except for
blocks, which are cut between genes and hold shares of those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines import fingerprint, schema
from pipelines.config import SplitConfig
from pipelines.errors import UsageError
from pipelines.genome.intervals import Intervals
from pipelines.splits import assign, regions
from pipelines.splits.blocks import Blocks

Lengths = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Stretch:
    """A run of bases of one chromosome in one split: [start, end), 0-based half-open."""

    genome: str
    chromosome: str
    start: int
    end: int
    split: str

    @property
    def bases(self) -> int:
        return self.end - self.start


def cut(
    lengths: Lengths, genes: Mapping[str, Mapping[str, Intervals]], config: SplitConfig
) -> tuple[list[Stretch], dict[tuple[str, str], Blocks]]:
    """Divide the bases of all genomes among the splits.

    Args:
        lengths: genome to the length in bases of each chromosome in use, in order.
        genes: genome to chromosome to start and end of its genes, shape (genes, 2), at least one; chromosomes without
            genes are not here.
        config: by chromosome, block, region or genome.

    Returns:
        The stretches in the order of genomes, chromosomes and positions; and (genome, chromosome) to its blocks, for
        chromosomes that are cut into blocks or regions.

    Raises:
        UsageError: a name or region that no genome has, one that is in two splits, or a split that holds no base.
    """
    assign.check_names(config, {genome: list(chromosomes) for genome, chromosomes in lengths.items()})
    if config.by == "region":
        blocks = regions.blocks_of(config, lengths)
    else:
        blocks = assign.cut_into_blocks(genes, lengths, config)
    whole = _splits_of_whole(lengths, config, set(blocks))
    stretches = [
        stretch
        for genome, chromosomes in lengths.items()
        for name, length in chromosomes.items()
        for stretch in _stretches(
            genome, name, blocks.get((genome, name)) or _whole(length, whole.get((genome, name), "train"))
        )
    ]
    _require_splits(stretches, config)
    return stretches, blocks


def _whole(length: int, split: str) -> Blocks:
    whole = Blocks.whole(length)
    return Blocks(whole.ends, (split,))


def _stretches(genome: str, chromosome: str, blocks: Blocks) -> list[Stretch]:
    """The blocks of a chromosome, those of one split that touch joined."""
    found: list[Stretch] = []
    start = 0
    for end, split in zip(blocks.ends.tolist(), blocks.splits, strict=True):
        if found and found[-1].split == split:
            found[-1] = Stretch(genome, chromosome, found[-1].start, end, split)
        else:
            found.append(Stretch(genome, chromosome, start, end, split))
        start = end
    return found


def _splits_of_whole(lengths: Lengths, config: SplitConfig, cut: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The split of the chromosomes that are not cut, as far as it is not train."""
    names = [(genome, name) for genome, chromosomes in lengths.items() for name in chromosomes]
    split_of: dict[tuple[str, str], str] = {}
    named = _names_of(names, config)
    for split in assign.HELD_OUT:
        for name in assign.listed_names(config, split):
            for pair in named[name]:
                if split_of.setdefault(pair, split) != split:
                    raise assign.listed_twice(split, name)
    # Same-named chromosomes of all genomes, or the chromosomes of one genome, go to one split.
    size: dict[str, int] = {}
    for genome, name in names:
        if (genome, name) not in split_of and (genome, name) not in cut and config.by in ("chromosome", "genome"):
            key = _unit(genome, name, config)
            size[key] = size.get(key, 0) + lengths[genome][name]
    remaining = sorted(size, key=lambda key: fingerprint.seed(config.seed, "split", key))
    genomes_cut = {genome for genome, _ in cut}
    total = sum(
        length
        for genome, chromosomes in lengths.items()
        if genome not in genomes_cut
        for length in chromosomes.values()
    )
    of_unit: dict[str, str] = {}
    for split, share in assign.shares(config).items():
        if share and remaining:
            of_unit |= dict.fromkeys(assign.names_near_target(remaining, size, share * total), split)
            remaining = [key for key in remaining if key not in of_unit]
    for genome, name in names:
        unit = _unit(genome, name, config)
        if unit in of_unit and (genome, name) not in cut:
            split_of.setdefault((genome, name), of_unit[unit])
    return split_of


def _unit(genome: str, name: str, config: SplitConfig) -> str:
    return genome if config.by == "genome" else name


def _names_of(names: Sequence[tuple[str, str]], config: SplitConfig) -> dict[str, list[tuple[str, str]]]:
    """Every name that a list may hold to the chromosomes that it stands for; `assign.check_names` checks the lists."""
    by_name: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for pair in names:
        by_name[pair[0] if config.by == "genome" else pair[1]].append(pair)
    if config.by != "genome":
        # A chromosome of that name comes before one that is named with its genome.
        for pair in names:
            by_name.setdefault(":".join(pair), [pair])
    return by_name


def _require_splits(stretches: Sequence[Stretch], config: SplitConfig) -> None:
    present = {stretch.split for stretch in stretches}
    for split in schema.SPLITS:
        if split not in present and (split == "train" or getattr(config, split)):
            raise UsageError(
                f"split: {split} has no base",
                "hold out other chromosomes, other shares, or use split.by block or region",
                key="split",
            )
