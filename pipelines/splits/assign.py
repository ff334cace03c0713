"""Which intervals are train, validation and test: whole chromosomes or genomes, contiguous blocks, or at random.

Pure and seeded. Overlapping intervals never part: chromosomes are whole, a block ends between clusters, and random
means clusters at random, families clusters and their near-duplicates. Of labelled sequences, equal ones and reverse
complements never part. Blocks are cut before negatives are placed; all else is decided after.
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

FEW_SEQUENCES = 2
LARGEST = 0.25
FEW_INTERVALS = 4
Names = NDArray[np.object_]


def in_blocks(
    genes: Mapping[str, Mapping[str, intervals.Intervals]],
    lengths: Mapping[str, Mapping[str, int]],
    config: SplitConfig,
) -> dict[tuple[str, str], Blocks]:
    """Cut the chromosomes that have to be: all of them for `block`, else those of genomes with one or two.

    Args:
        genes: genome to chromosome to the bounds of its genes, shape (genes, 2).
        lengths: genome to chromosome to its bases.
        config: the split; without a share to hold out nothing is cut, nor is a chromosome that it names.

    Returns:
        (genome, chromosome) to its blocks.
    """
    shares = _shares(config)
    if config.by not in ("block", "chromosome") or not any(shares.values()):
        return {}
    named = {name for split in ("validation", "test") for name in _listed(config, split)}
    return {
        (genome, name): blocks.cut(
            bounds, lengths[genome][name], shares, fingerprint.seed(config.seed, "split", genome, name)
        )
        for genome, chromosomes in genes.items()
        if config.by == "block" or len(chromosomes) <= FEW_SEQUENCES
        for name, bounds in chromosomes.items()
        if not {name, f"{genome}:{name}"} & named
    }


def assign(
    table: pa.Table,
    config: SplitConfig,
    groups: NDArray[np.int64] | None = None,
    alike: NDArray[np.int64] | None = None,
) -> Names:
    """Give every interval a split.

    Args:
        table: interval table with genome, chromosome, start, end, label, and split where one is given (else empty),
            by the blocks it lies in or by its file.
        config: what stays together, and how much or which chromosomes to hold out.
        groups: of labelled sequences, a number that those share which have to stay together; -1 for intervals of a
            genome. Shape (rows,).
        alike: for `family`, a number that near-duplicates share, shape (rows,).

    Returns:
        The split of each row, shape (rows,).

    Raises:
        UsageError: a name that no chromosome has, a chromosome in two splits, a split that is empty or has one class.
    """
    genomes = _strings(table["genome"])
    chromosomes = _strings(table["chromosome"])
    splits: Names = _strings(table["split"]) if "split" in table.column_names else np.full(len(table), "", dtype=object)
    given = splits != ""
    for split in ("validation", "test"):
        for name in _listed(config, split):
            rows = genomes == name if config.by == "genome" else _rows_named(name, genomes, chromosomes, split)
            if (splits[rows] == "test").any() or (splits[rows] == "validation").any():
                raise UsageError(f"split.{split}: {name} is named twice", "name each chromosome in one split only")
            splits[rows] = split
    shares = _shares(config)
    bounds = np.stack([table["start"].to_numpy(), table["end"].to_numpy()], axis=1)
    together = _together(genomes, chromosomes, bounds, groups)
    kept_whole = together.groups if alike is None else families.joined(together.groups, alike)
    at_random = (splits == "") & ((config.by in ("random", "family")) | (together.labelled))
    splits[at_random] = _random(kept_whole[at_random], shares, config.seed)
    free = splits == ""
    if config.by == "genome":
        _by_name(splits, free, free, genomes, shares, config.seed)
        splits[splits == ""] = "train"
        free = splits == ""
    apart: NDArray[np.bool_] = np.isin(genomes, np.unique(genomes[given].astype(str)))
    _by_name(splits, free, ~apart & ~together.labelled, chromosomes, shares, config.seed)
    splits[splits == ""] = "train"
    _check_overlaps(splits[~together.labelled], together.groups[~together.labelled])
    _check(splits, table["label"].to_numpy(), config)
    return splits


def check_names(config: SplitConfig, chromosomes: dict[str, list[str]]) -> None:
    """Hold the names in a split against the chromosomes there are, before any work is done.

    Args:
        config: the split.
        chromosomes: genome to its chromosomes with genes.

    Raises:
        UsageError: a name that no genome has.
    """
    pairs = [(genome, name) for genome, names in chromosomes.items() for name in names]
    genomes, names = (np.array(column, dtype=object) for column in zip(*pairs, strict=True))
    for split in ("validation", "test"):
        for name in _listed(config, split):
            if config.by != "genome":
                _rows_named(name, genomes, names, split)
            elif name not in chromosomes:
                raise UsageError(f"split.{split}: no genome {name!r}", f"choose among {', '.join(chromosomes)}")


def _strings(column: pa.ChunkedArray) -> Names:
    return np.array(column.to_pylist(), dtype=object)


def _shares(config: SplitConfig) -> dict[str, float]:
    return {split: share for split in ("test", "validation") if isinstance(share := getattr(config, split), float)}


def _listed(config: SplitConfig, split: str) -> list[str]:
    wanted = getattr(config, split)
    return wanted if isinstance(wanted, list) else []


def _rows_named(name: str, genomes: Names, chromosomes: Names, split: str) -> NDArray[np.bool_]:
    rows = chromosomes == name
    if not rows.any() and ":" in name:
        genome, chromosome = name.split(":", 1)
        rows = (genomes == genome) & (chromosomes == chromosome)
    if not rows.any():
        known = ", ".join(dict.fromkeys(chromosomes))
        known = known if len(known) < 200 else known[:200] + " …"
        raise UsageError(f"split.{split}: no chromosome {name!r} with intervals", f"choose among {known}")
    return rows


def _by_name(
    splits: Names,
    free: NDArray[np.bool_],
    considered: NDArray[np.bool_],
    by: Names,
    shares: dict[str, float],
    seed: int,
) -> None:
    names, counts = np.unique(by[free].astype(str), return_counts=True)
    size = dict(zip(names.tolist(), counts.tolist(), strict=True))
    waiting = sorted(size, key=lambda name: fingerprint.seed(seed, "split", name))
    for split, share in shares.items():
        if share == 0 or not waiting:
            continue
        chosen = _nearest(waiting, size, share * int(considered.sum()))
        splits[free & np.isin(by, chosen)] = split
        waiting = [name for name in waiting if name not in chosen]


@dataclass(frozen=True)
class _Together:
    """A number for each row, equal for rows that must not part; and which rows are labelled sequences."""

    groups: NDArray[np.int64]
    labelled: NDArray[np.bool_]


def _together(
    genomes: Names, chromosomes: Names, bounds: intervals.Intervals, groups: NDArray[np.int64] | None
) -> _Together:
    found = np.full(len(genomes), -1, np.int64) if groups is None else groups.copy()
    labelled = found >= 0
    following = int(found.max(initial=-1)) + 1
    for genome, chromosome in dict.fromkeys(zip(genomes[~labelled], chromosomes[~labelled], strict=True)):
        here = (genomes == genome) & (chromosomes == chromosome)
        cluster = intervals.clusters(bounds[here])
        found[here] = following + cluster
        following += int(cluster.max()) + 1
    return _Together(found, labelled)


def _random(groups: NDArray[np.int64], shares: dict[str, float], seed: int) -> Names:
    """Groups in a seeded order, the first of them to the first split until its share is full, and so on.

    A group that would be more than `LARGEST` of a held-out split is for train.
    """
    names: Names = np.full(len(groups), "train", dtype=object)
    numbers, row_group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    asked = min((share for share in shares.values() if share), default=0.0) * len(groups)
    small = np.flatnonzero(counts <= max(LARGEST * asked, FEW_INTERVALS))
    order = small[np.random.default_rng(fingerprint.seed(seed, "split", "random")).permutation(len(small))]
    middle = np.full(len(numbers), np.inf)
    middle[order] = (np.cumsum(counts[order]) - counts[order] / 2) / max(len(groups), 1)
    low = 0.0
    for split, share in shares.items():
        names[((middle >= low) & (middle < low + share))[row_group]] = split
        low += share
    return names


def _nearest(names: list[str], size: dict[str, int], target: float) -> list[str]:
    """Names, in their order, each taken if it brings the total nearer to the target; at least the smallest one."""
    chosen: list[str] = []
    total = 0
    for name in names:
        if abs(total + size[name] - target) < abs(total - target):
            chosen.append(name)
            total += size[name]
    return chosen or [min(names, key=lambda name: size[name])]


def _check_overlaps(splits: Names, groups: NDArray[np.int64]) -> None:
    """Hold the result against the promise: intervals of one cluster are in one split."""
    pairs = set(zip(groups.tolist(), splits.tolist(), strict=True))
    if len(pairs) != len(np.unique(groups)):
        raise AssertionError("intervals that overlap are in different splits")


def _check(splits: Names, labels: NDArray[np.int8], config: SplitConfig) -> None:
    for split in ("train", "validation", "test"):
        wanted = True if split == "train" else getattr(config, split)
        if not wanted:
            continue
        found = set(labels[splits == split].tolist())
        if found != {0, 1}:
            what = "has no interval" if not found else f"has only {'genes' if found == {1} else 'negatives'}"
            raise UsageError(
                f"split: {split} {what}",
                "raise split.identity, or use split.by block"
                if config.by == "family"
                else "hold out other chromosomes, other shares, or use split.by block",
            )
