"""The split of every interval: whole chromosomes or genomes, contiguous blocks, regions, families, or at random.

The functions are pure and seeded. They take the interval table in pieces of whole chromosomes, look at one piece at a
time, and keep a byte for each interval (four more where groups of intervals are assigned).

Intervals that overlap are always in one split: chromosomes are whole, a block ends between clusters of overlapping
intervals, no interval crosses the border of a region, `random` assigns clusters, and `family` assigns clusters with
their near-duplicates. Labelled sequences that are equal or reverse complements are always in one split too. Blocks are
cut, and regions read, before negatives are placed; everything else is decided afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines import fingerprint, schema
from pipelines.config import SplitConfig
from pipelines.errors import UsageError
from pipelines.genome import intervals
from pipelines.splits import blocks, chromosome_runs, families
from pipelines.splits.blocks import Blocks
from pipelines.splits.chromosome_runs import Runs
from pipelines.splits.named_rows import NamedRows, Numbers

# A genome with at most this many sequences is cut into blocks even if the split is by chromosome.
FEW_SEQUENCES = 2
# The largest group that may be held out at random: this share of a held-out split, or this many intervals.
MAX_GROUP_SHARE = 0.25
MAX_GROUP_SIZE = 4
HELD_OUT = ("validation", "test")
Codes = NDArray[np.int8]
"""The split of each row, as its index in `schema.SPLITS`."""
UNASSIGNED = -1
TRAIN = schema.SPLITS.index("train")


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
    tables: Iterable[pa.Table],
    config: SplitConfig,
    groups: NDArray[np.integer] | None = None,
    similar: NDArray[np.integer] | None = None,
) -> Codes:
    """Assign every interval to a split.

    Args:
        tables: the interval table in pieces, each of whole chromosomes, with genome, chromosome, start, end and,
            optionally, split: empty, or the split of the interval's block or file, which it keeps. Taken several times.
        config: what is kept in one split, and which shares or chromosomes to hold out.
        groups: groups of labelled sequences, each to be kept in one split; -1 for intervals of a genome. Shape (rows,);
            None where there are no labelled sequences.
        similar: for `family`, groups of near-duplicates, shape (rows,).

    Returns:
        The split of each row, shape (rows,).

    Raises:
        UsageError: a name that no chromosome has, or a chromosome in two splits.
    """
    runs = Runs.of(tables)
    codes = np.concatenate([np.empty(0, np.int8), *(_own_splits(table) for table in tables)])
    # Runs with rows that have a split already: genomes in blocks, and files of one split.
    has_split = runs.count(codes != UNASSIGNED) > 0
    _assign_rows(codes, runs, _listed(runs, runs.count(codes > TRAIN) > 0, config))
    held_out = shares(config)
    is_labelled = np.zeros(len(codes), np.bool_) if groups is None else groups >= 0
    at_random = (codes == UNASSIGNED) & (is_labelled | (config.by in ("random", "family")))
    if at_random.any():
        units: NDArray[np.integer] = _clusters(tables, groups)
        units = units if similar is None else families.merge_groups(units, similar)
        codes[at_random] = _assign_at_random(units[at_random], held_out, config.seed)
    counts = runs.count(codes == UNASSIGNED)
    if config.by == "genome":
        by_name = _held_out_by_name(runs.genomes, counts, int(counts.sum()), held_out, config.seed)
    else:
        # Genomes in blocks and labelled sequences have their shares already; the shares left are of the other genomes.
        in_blocks = np.isin(runs.genomes.numbers, runs.genomes.numbers[has_split])
        of_others = int((runs.sizes - runs.count(is_labelled))[~in_blocks].sum())
        by_name = _held_out_by_name(runs.chromosomes, counts, of_others, held_out, config.seed)
    is_waiting = codes == UNASSIGNED
    codes[is_waiting] = np.maximum(runs.of_rows(by_name)[is_waiting], TRAIN)
    # Intervals that touch are in one cluster, but at the border of two blocks they may be in two splits.
    _check_overlaps(tables, codes, is_labelled, touching=not has_split.any())
    return codes


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


def names(codes: Codes) -> pa.Array:
    """The names of splits."""
    return pa.array(schema.SPLITS, pa.string()).take(pa.array(codes))


def _own_splits(table: pa.Table) -> Codes:
    """The split that each row has already, or none."""
    if "split" not in table.column_names:
        return np.full(len(table), UNASSIGNED, np.int8)
    found = pc.index_in(table["split"], pa.array(schema.SPLITS, pa.string()))
    return pc.fill_null(found, UNASSIGNED).to_numpy().astype(np.int8)


def _listed(runs: Runs, is_held_out: NDArray[np.bool_], config: SplitConfig) -> Codes:
    """The split of each run whose chromosome or genome is listed for one, shape (runs,).

    Args:
        runs: of the interval table.
        is_held_out: runs with rows that are held out already, shape (runs,).
        config: the split.
    """
    is_held_out = is_held_out.copy()
    listed = np.full(len(runs), UNASSIGNED, np.int8)
    for split in HELD_OUT:
        for name in listed_names(config, split):
            found = (
                runs.genomes.of(name)
                if config.by == "genome"
                else _rows_named(name, runs.genomes, runs.chromosomes, split)
            )
            if is_held_out[found].any():
                raise listed_twice(split, name)
            listed[found], is_held_out[found] = schema.SPLITS.index(split), True
    return listed


def _assign_rows(codes: Codes, runs: Runs, of_runs: Codes) -> None:
    """Give rows the split of their run, in place, where it has one."""
    of_rows = runs.of_rows(of_runs)
    np.copyto(codes, of_rows, where=of_rows != UNASSIGNED)


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


def _held_out_by_name(names: NamedRows, counts: Numbers, total: int, shares: dict[str, float], seed: int) -> Codes:
    """Hold whole chromosomes (or genomes) out, in a seeded order, up to the shares.

    Args:
        names: the chromosome (or genome) of each run.
        counts: rows of each run that wait for a split, shape (runs,).
        total: the rows that shares are shares of.
        shares: held-out split to its share.
        seed: seed of the order.

    Returns:
        The split of each run that is held out, shape (runs,).
    """
    held_out = np.full(len(counts), UNASSIGNED, np.int8)
    of_names = np.bincount(names.numbers, counts, len(names.names)).astype(np.int64).tolist()
    size = {name: count for name, count in sorted(zip(names.names, of_names, strict=True)) if count}
    remaining = sorted(size, key=lambda name: fingerprint.seed(seed, "split", name))
    for split, share in shares.items():
        if share == 0 or not remaining:
            continue
        taken = names_near_target(remaining, size, share * total)
        held_out[names.are_any_of(taken)] = schema.SPLITS.index(split)
        is_taken = set(taken)
        remaining = [name for name in remaining if name not in is_taken]
    return held_out


def slices(tables: Iterable[pa.Table]) -> Iterator[tuple[slice, pa.Table]]:
    """Each table with the numbers of its rows."""
    first = 0
    for table in tables:
        yield slice(first, first + len(table)), table
        first += len(table)


def _clusters(tables: Iterable[pa.Table], groups: NDArray[np.integer] | None) -> NDArray[np.int32]:
    """The group of each row, of which all rows get one split, shape (rows,).

    Groups of labelled sequences come first, with their numbers; clusters of other intervals are counted on from these.
    """
    numbers = np.full(sum(map(len, tables)), -1, np.int32) if groups is None else groups.astype(np.int32)
    following = int(numbers.max(initial=-1)) + 1
    for rows, table in slices(tables):
        is_labelled = numbers[rows] >= 0
        if is_labelled.all():
            continue
        own = table.filter(pa.array(~is_labelled)) if is_labelled.any() else table
        clusters = chromosome_runs.clusters(own)
        numbers[rows][~is_labelled] = following + clusters
        following += int(clusters.max()) + 1
    return numbers


def _assign_at_random(groups: NDArray[np.integer], shares: dict[str, float], seed: int) -> Codes:
    """The split of each row, shape (rows,): groups in a seeded order fill one held-out split after the other.

    A group goes to the split in whose share its middle falls. A group that would be too much of a held-out split
    (`MAX_GROUP_SHARE`, `MAX_GROUP_SIZE`) goes to train.
    """
    counts = np.bincount(groups)
    smallest_split = min((share for share in shares.values() if share), default=0.0) * len(groups)
    limit = max(MAX_GROUP_SHARE * smallest_split, MAX_GROUP_SIZE)
    order = np.flatnonzero((counts > 0) & (counts <= limit))
    order = order[np.random.default_rng(fingerprint.seed(seed, "split", "random")).permutation(len(order))]
    middle = (np.cumsum(counts[order]) - counts[order] / 2) / max(len(groups), 1)
    of_groups = np.full(len(counts), TRAIN, np.int8)
    low = 0.0
    for split, share in shares.items():
        of_groups[order[(middle >= low) & (middle < low + share)]] = schema.SPLITS.index(split)
        low += share
    return of_groups[groups]


def names_near_target(names: list[str], size: dict[str, int], target: float) -> list[str]:
    """Names in their order, each taken if it brings the total nearer to the target; the smallest one if none does."""
    taken: list[str] = []
    total = 0
    for name in names:
        if abs(total + size[name] - target) < abs(total - target):
            taken.append(name)
            total += size[name]
    return taken or [min(names, key=lambda name: size[name])]


def _check_overlaps(
    tables: Iterable[pa.Table], codes: Codes, is_labelled: NDArray[np.bool_], *, touching: bool
) -> None:
    """Check the promise that intervals of one cluster are in one split."""
    for rows, table in slices(tables):
        is_own = ~is_labelled[rows]
        if not is_own.any():
            continue
        own, splits = (table, codes[rows]) if is_own.all() else (table.filter(pa.array(is_own)), codes[rows][is_own])
        # Each split differs from that of the first row of its cluster in no row.
        _, first, cluster = np.unique(
            chromosome_runs.clusters(own, touching=touching), return_index=True, return_inverse=True
        )
        if (splits[first][cluster] != splits).any():
            raise AssertionError("intervals that overlap are in different splits")
