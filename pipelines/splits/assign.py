"""The split of every interval: whole chromosomes or genomes, contiguous blocks, regions, families, or at random.

The functions are pure and seeded. Intervals that overlap are always in one split: chromosomes are whole, a block ends
between clusters of overlapping intervals, no interval crosses the border of a region, `random` assigns clusters, and
`family` assigns clusters with their near-duplicates. Labelled sequences that are equal or reverse complements are
always in one split too. Blocks are cut, and regions read, before negatives are placed; everything else is decided
afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import fingerprint
from pipelines.config import SplitConfig
from pipelines.errors import UsageError
from pipelines.genome import intervals
from pipelines.splits import blocks, families
from pipelines.splits.blocks import Blocks
from pipelines.splits.named_rows import NamedRows, number_pairs

# A genome with at most this many sequences is cut into blocks even if the split is by chromosome.
FEW_SEQUENCES = 2
# The largest group that may be held out at random: this share of a held-out split, or this many intervals.
MAX_GROUP_SHARE = 0.25
MAX_GROUP_SIZE = 4
HELD_OUT = ("validation", "test")
Names = NDArray[np.object_]
_FIXES = {
    "family": "raise split.identity, or use split.by block",
    "region": "hold out other regions, with room between their genes for negatives",
}


def cut_into_blocks(
    genes: Mapping[str, Mapping[str, intervals.Intervals]],
    lengths: Mapping[str, Mapping[str, int]],
    config: SplitConfig,
) -> dict[tuple[str, str], Blocks]:
    """Cut chromosomes into blocks: all of them for `block`; for `chromosome` those of genomes with one or two.

    Args:
        genes: genome to chromosome to start and end of its genes, shape (genes, 2).
        lengths: genome to chromosome to its length in bases.
        config: the split. Nothing is cut if it has no share to hold out, and no chromosome that it lists is cut.

    Returns:
        (genome, chromosome) to its blocks.
    """
    held_out = shares(config)
    if config.by not in ("block", "chromosome") or not any(held_out.values()):
        return {}
    listed = {name for split in HELD_OUT for name in listed_names(config, split)}
    return {
        (genome, name): blocks.cut(
            bounds, lengths[genome][name], held_out, fingerprint.seed(config.seed, "split", genome, name)
        )
        for genome, chromosomes in genes.items()
        if config.by == "block" or len(chromosomes) <= FEW_SEQUENCES
        for name, bounds in chromosomes.items()
        if not {name, f"{genome}:{name}"} & listed
    }


def assign(
    table: pa.Table,
    config: SplitConfig,
    groups: NDArray[np.int64] | None = None,
    similar: NDArray[np.int64] | None = None,
) -> Names:
    """Assign every interval to a split.

    Args:
        table: interval table with genome, chromosome, start, end, label and, optionally, split: empty, or the split of
            the interval's block or file, which it keeps.
        config: what is kept in one split, and which shares or chromosomes to hold out.
        groups: groups of labelled sequences, each to be kept in one split; -1 for intervals of a genome. Shape (rows,).
        similar: for `family`, groups of near-duplicates, shape (rows,).

    Returns:
        The split of each row, shape (rows,).

    Raises:
        UsageError: a name that no chromosome has, a chromosome in two splits, or a split that is empty or has only one
            class.
    """
    splits = expected(table, config, groups, similar)
    _check_classes(splits, table["label"].to_numpy(), config)
    return splits


def expected(
    table: pa.Table,
    config: SplitConfig,
    groups: NDArray[np.int64] | None = None,
    similar: NDArray[np.int64] | None = None,
) -> Names:
    """The split of every interval, as `assign` gives it, whether or not every split has both classes.

    Raises:
        UsageError: a name that no chromosome has, or a chromosome in two splits.
    """
    genomes, chromosomes = NamedRows(table["genome"]), NamedRows(table["chromosome"])
    splits: Names = _strings(table["split"]) if "split" in table.column_names else np.full(len(table), "", dtype=object)
    has_split = splits != ""
    for split in HELD_OUT:
        for name in listed_names(config, split):
            rows = genomes.of(name) if config.by == "genome" else _rows_named(name, genomes, chromosomes, split)
            if (splits[rows] == "test").any() or (splits[rows] == "validation").any():
                raise listed_twice(split, name)
            splits[rows] = split
    held_out = shares(config)
    bounds = np.stack([table["start"].to_numpy(), table["end"].to_numpy()], axis=1)
    clusters = _clusters(genomes, chromosomes, bounds, groups)
    units = clusters.groups if similar is None else families.merge_groups(clusters.groups, similar)
    at_random = (splits == "") & ((config.by in ("random", "family")) | (clusters.labelled))
    splits[at_random] = _assign_at_random(units[at_random], held_out, config.seed)
    unassigned = splits == ""
    if config.by == "genome":
        _assign_by_name(splits, unassigned, unassigned, genomes, held_out, config.seed)
        splits[splits == ""] = "train"
        unassigned = splits == ""
    # Genomes in blocks and labelled sequences have their shares already; the shares left are of the other genomes.
    in_blocks: NDArray[np.bool_] = np.isin(genomes.numbers, genomes.numbers[has_split])
    _assign_by_name(splits, unassigned, ~in_blocks & ~clusters.labelled, chromosomes, held_out, config.seed)
    splits[splits == ""] = "train"
    if has_split.any():
        # Intervals that touch are in one cluster, but at the border of two blocks they may be in two splits.
        clusters = _clusters(genomes, chromosomes, bounds - np.array([0, 1]), groups)
    _check_overlaps(splits[~clusters.labelled], clusters.groups[~clusters.labelled])
    return splits


def check_names(config: SplitConfig, chromosomes: dict[str, list[str]]) -> None:
    """Check that the names listed in a split exist, before any work is done.

    Args:
        config: the split.
        chromosomes: genome to its chromosomes that have genes.

    Raises:
        UsageError: a name that no genome has.
    """
    pairs = [(genome, name) for genome, names in chromosomes.items() for name in names]
    genomes, names = (NamedRows(pa.chunked_array([list(column)])) for column in zip(*pairs, strict=True))
    for split in HELD_OUT:
        for name in listed_names(config, split):
            if config.by != "genome":
                _rows_named(name, genomes, names, split)
            elif name not in chromosomes:
                raise UsageError(
                    f"split.{split}: no genome {name!r}",
                    f"choose among {', '.join(chromosomes)}",
                    key=f"split.{split}",
                )


def require_disjoint(config: SplitConfig, chromosomes: dict[str, list[str]]) -> None:
    """Check that no chromosome or genome is listed twice, before any work is done.

    Args:
        config: the split, whose names exist.
        chromosomes: genome to its chromosomes that have genes.

    Raises:
        UsageError: one is listed twice, in one split or in both, by its name alone or with its genome.
    """
    listed: set[tuple[str, str]] = set()
    for split in HELD_OUT:
        for name in listed_names(config, split):
            if config.by == "genome":
                named = {(name, "")}
            else:
                named = {(genome, name) for genome, own in chromosomes.items() if name in own}
                named = named or {(name.split(":", 1)[0], name.split(":", 1)[1])}
            if named & listed:
                raise listed_twice(split, name)
            listed |= named


def listed_twice(split: str, name: str) -> UsageError:
    """The error for a name that two splits list, or one lists twice."""
    return UsageError(
        f"split.{split}: {name} is listed twice", "list each chromosome in one split only", key=f"split.{split}"
    )


def _strings(column: pa.ChunkedArray) -> Names:
    # Of each name there is one object, not one for each row.
    named = NamedRows(column)
    return np.array(named.names, dtype=object)[named.numbers] if named.names else np.empty(0, dtype=object)


def shares(config: SplitConfig) -> dict[str, float]:
    """Held-out split to its share, for those that have one."""
    return {split: share for split in ("test", "validation") if isinstance(share := getattr(config, split), float)}


def listed_names(config: SplitConfig, split: str) -> list[str]:
    """The names listed for a split; none if it has a share, or regions, which are blocks by then."""
    value = getattr(config, split)
    return value if isinstance(value, list) and config.by != "region" else []


def _rows_named(name: str, genomes: NamedRows, chromosomes: NamedRows, split: str) -> NDArray[np.int64]:
    """The rows on a chromosome: of every genome, or of one if the name is `genome:chromosome`."""
    rows = chromosomes.of(name)
    if len(rows) == 0 and ":" in name:
        genome, chromosome = name.split(":", 1)
        rows = chromosomes.of(chromosome)
        rows = rows[genomes.numbers[rows] == genomes.number(genome)]
    if len(rows) == 0:
        known = ", ".join(chromosomes.names)
        known = known if len(known) < 200 else known[:200] + " …"
        raise UsageError(
            f"split.{split}: no chromosome {name!r} with intervals", f"choose among {known}", key=f"split.{split}"
        )
    return rows


def _assign_by_name(
    splits: Names,
    unassigned: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    names_of_rows: NamedRows,
    shares: dict[str, float],
    seed: int,
) -> None:
    """Assign whole chromosomes (or genomes) to the held-out splits, in a seeded order, up to the shares.

    Args:
        splits: the split of each row, written in place.
        unassigned: the rows to assign.
        counted: the rows that shares are shares of.
        names_of_rows: the chromosome (or genome) of each row.
        shares: held-out split to its share.
        seed: seed of the order.
    """
    counts = np.bincount(names_of_rows.numbers[unassigned], minlength=len(names_of_rows.names)).tolist()
    size = {name: count for name, count in sorted(zip(names_of_rows.names, counts, strict=True)) if count}
    remaining = sorted(size, key=lambda name: fingerprint.seed(seed, "split", name))
    for split, share in shares.items():
        if share == 0 or not remaining:
            continue
        held_out = names_near_target(remaining, size, share * int(counted.sum()))
        splits[unassigned & names_of_rows.are_any_of(held_out)] = split
        taken = set(held_out)
        remaining = [name for name in remaining if name not in taken]


@dataclass(frozen=True)
class _Clusters:
    """The group of each row, of which all rows get one split; and which rows are labelled sequences."""

    groups: NDArray[np.int64]
    labelled: NDArray[np.bool_]


def _clusters(
    genomes: NamedRows, chromosomes: NamedRows, bounds: intervals.Intervals, groups: NDArray[np.int64] | None
) -> _Clusters:
    numbers = np.full(len(bounds), -1, np.int64) if groups is None else groups.copy()
    labelled = numbers >= 0
    unlabelled = ~labelled
    # All chromosomes end to end on one axis, with a base between them, so that one sort finds the clusters of all.
    chromosome = number_pairs(genomes.numbers[unlabelled], chromosomes.numbers[unlabelled])
    size = int(bounds[unlabelled, 1].max(initial=0)) + 1
    on_axis = bounds[unlabelled] + chromosome[:, None] * size
    numbers[unlabelled] = int(numbers.max(initial=-1)) + 1 + intervals.clusters(on_axis)
    return _Clusters(numbers, labelled)


def _assign_at_random(groups: NDArray[np.int64], shares: dict[str, float], seed: int) -> Names:
    """The split of each row, shape (rows,): groups in a seeded order fill one held-out split after the other.

    A group goes to the split in whose share its middle falls. A group that would be too much of a held-out split
    (`MAX_GROUP_SHARE`, `MAX_GROUP_SIZE`) goes to train.
    """
    names: Names = np.full(len(groups), "train", dtype=object)
    numbers, group_of_row, counts = np.unique(groups, return_inverse=True, return_counts=True)
    smallest_split = min((share for share in shares.values() if share), default=0.0) * len(groups)
    small = np.flatnonzero(counts <= max(MAX_GROUP_SHARE * smallest_split, MAX_GROUP_SIZE))
    order = small[np.random.default_rng(fingerprint.seed(seed, "split", "random")).permutation(len(small))]
    middle = np.full(len(numbers), np.inf)
    middle[order] = (np.cumsum(counts[order]) - counts[order] / 2) / max(len(groups), 1)
    low = 0.0
    for split, share in shares.items():
        names[((middle >= low) & (middle < low + share))[group_of_row]] = split
        low += share
    return names


def names_near_target(names: list[str], size: dict[str, int], target: float) -> list[str]:
    """Names in their order, each taken if it brings the total nearer to the target; the smallest one if none does."""
    taken: list[str] = []
    total = 0
    for name in names:
        if abs(total + size[name] - target) < abs(total - target):
            taken.append(name)
            total += size[name]
    return taken or [min(names, key=lambda name: size[name])]


def _check_overlaps(splits: Names, groups: NDArray[np.int64]) -> None:
    """Check the promise that intervals of one cluster are in one split."""
    # Each split differs from that of the first row of its group in no row.
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    if (splits[first][group] != splits).any():
        raise AssertionError("intervals that overlap are in different splits")


def _check_classes(splits: Names, labels: NDArray[np.int8], config: SplitConfig) -> None:
    """Check that train and every requested split have genes and negatives."""
    for split in ("train", "validation", "test"):
        is_requested = split == "train" or getattr(config, split)
        if not is_requested:
            continue
        classes = set(labels[splits == split].tolist())
        if classes != {0, 1}:
            problem = "has no interval" if not classes else f"has only {'genes' if classes == {1} else 'negatives'}"
            raise UsageError(
                f"split: {split} {problem}",
                _FIXES.get(config.by, "hold out other chromosomes, other shares, or use split.by block"),
                key="split",
            )
