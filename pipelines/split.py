"""Which intervals are train, validation and test: whole chromosomes or genomes, contiguous blocks, or at random.

Pure and seeded. Overlapping intervals never part: chromosomes are whole, a block ends between clusters, and random
means clusters at random. Of labelled sequences, equal ones and reverse complements never part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import fingerprint, intervals
from pipelines.config import SplitConfig
from pipelines.errors import UsageError

FEW_SEQUENCES = 2
MOST_BLOCKS, SMALLEST_BLOCK = 8, 50
Names = NDArray[np.object_]


@dataclass(frozen=True)
class Assignment:
    """The split of each row, shape (rows,), and the genomes that were cut into blocks."""

    splits: Names
    in_blocks: list[str]


def assign(table: pa.Table, config: SplitConfig, groups: NDArray[np.int64] | None = None) -> Assignment:
    """Give every interval a split.

    Args:
        table: interval table with genome, chromosome, start, end, label, and split where one is given (else empty).
        config: what stays together, and how much or which chromosomes to hold out.
        groups: of labelled sequences, a number that those share which have to stay together; -1 for intervals of a
            genome. Shape (rows,).

    Raises:
        UsageError: a name that no chromosome has, a chromosome in two splits, a split that is empty or has one class.
    """
    genomes = _strings(table["genome"])
    chromosomes = _strings(table["chromosome"])
    splits: Names = _strings(table["split"]) if "split" in table.column_names else np.full(len(table), "", dtype=object)
    for split in ("validation", "test"):
        for name in _listed(config, split):
            rows = genomes == name if config.by == "genome" else _rows_named(name, genomes, chromosomes, split)
            if (splits[rows] == "test").any() or (splits[rows] == "validation").any():
                raise UsageError(f"split.{split}: {name} is named twice", "name each chromosome in one split only")
            splits[rows] = split
    shares = {split: share for split in ("test", "validation") if isinstance(share := getattr(config, split), float)}
    bounds = np.stack([table["start"].to_numpy(), table["end"].to_numpy()], axis=1)
    together = _together(genomes, chromosomes, bounds, groups)
    at_random = (splits == "") & ((config.by == "random") | (together.labelled))
    splits[at_random] = _random(together.groups[at_random], shares, config.seed)
    free = splits == ""
    if config.by == "genome":
        _by_name(splits, free, free, genomes, shares, config.seed)
        splits[splits == ""] = "train"
        free = splits == ""
    blocked = _genomes_in_blocks(genomes, chromosomes, config, splits)
    apart: NDArray[np.bool_] = np.isin(genomes, blocked)
    _by_name(splits, free & ~apart, ~apart & ~together.labelled, chromosomes, shares, config.seed)
    for genome, chromosome in dict.fromkeys(zip(genomes[free & apart], chromosomes[free & apart], strict=True)):
        here = (genomes == genome) & (chromosomes == chromosome)
        splits[here] = _blocks(bounds[here], shares, fingerprint.seed(config.seed, "split", genome, chromosome))
    splits[splits == ""] = "train"
    _check(splits, table["label"].to_numpy(), config)
    return Assignment(splits, blocked)


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


def _genomes_in_blocks(genomes: Names, chromosomes: Names, config: SplitConfig, splits: Names) -> list[str]:
    """Genomes with nothing whole to hold out: all of them for `block`, those of one or two sequences otherwise."""
    names = list(dict.fromkeys(genomes))
    if config.by == "block":
        return names
    if not isinstance(config.test, float) and not isinstance(config.validation, float):
        return []
    return [
        name
        for name in names
        if len(set(chromosomes[genomes == name])) <= FEW_SEQUENCES and (splits[genomes == name] == "").any()
    ]


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
    """Groups in a seeded order, the first of them to the first split until its share is full, and so on."""
    names: Names = np.full(len(groups), "train", dtype=object)
    numbers, row_group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(fingerprint.seed(seed, "split", "random")).permutation(len(numbers))
    middle = np.empty(len(numbers))
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


def _blocks(bounds: intervals.Intervals, shares: dict[str, float], seed: int) -> Names:
    """Contiguous blocks at seeded places, cut between clusters of overlapping intervals.

    A held-out split has several, for one alone may lie where genes are rare; each has some `SMALLEST_BLOCK` intervals.
    """
    generator = np.random.default_rng(seed)
    wanted: list[tuple[str, float]] = []
    for split, share in shares.items():
        blocks = int(np.clip(share * len(bounds) // SMALLEST_BLOCK, 1, MOST_BLOCKS)) if share > 0 else 0
        wanted += [(split, share / max(blocks, 1))] * blocks
    generator.shuffle(wanted)
    train = 1 - sum(share for _, share in wanted)
    gaps = np.diff(np.sort(generator.random(len(wanted))) * train, prepend=0.0)
    pieces: list[tuple[Any, float]] = []
    for gap, held_out in zip(gaps, wanted, strict=True):
        pieces += [("train", gap), held_out]
    pieces.append(("train", 1.0))
    ends = np.minimum(np.cumsum([share for _, share in pieces]), 1.0)
    cluster = intervals.clusters(bounds)
    middle = np.cumsum(np.bincount(cluster)) - np.bincount(cluster) / 2
    piece = np.searchsorted(ends, middle / len(bounds), side="right").clip(max=len(pieces) - 1)
    names: Names = np.array([name for name, _ in pieces], dtype=object)
    return names[piece[cluster]]


def _check(splits: Names, labels: NDArray[np.int8], config: SplitConfig) -> None:
    for split in ("train", "validation", "test"):
        wanted = True if split == "train" else getattr(config, split)
        if not wanted:
            continue
        found = set(labels[splits == split].tolist())
        if found != {0, 1}:
            what = "has no interval" if not found else f"has only {'genes' if found == {1} else 'negatives'}"
            raise UsageError(
                f"split: {split} {what}", "hold out other chromosomes, other shares, or use split.by block"
            )
