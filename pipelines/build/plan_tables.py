"""What a build is about to do, as tables: which part of each genome goes to which split, and which keys nobody set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipelines import schema
from pipelines.build import defaults
from pipelines.config import DatasetConfig
from pipelines.report import Table
from pipelines.splits.plan import PlannedSplit

_MOST_PLACES = 6


def splits_table(planned: Sequence[PlannedSplit], *, has_genes: bool = True) -> Table:
    """Sequences, bases and, where there are genes, these of each genome and split, and their share of its genes."""
    total = Counter[str]()
    for one in planned:
        total[one.genome] += one.genes
    rows: list[tuple[object, ...]] = [
        (
            one.split,
            one.genome,
            _places(one.places),
            one.sequences,
            one.bases,
            *((one.genes, f"{one.genes / max(total[one.genome], 1):.1%}") if has_genes else ()),
        )
        for one in planned
    ]
    about = "" if all(one.is_exact for one in planned) else ", about: shares are filled once negatives are placed"
    header = ("split", "genome", "chromosomes, regions", "sequences", "bases")
    return Table(f"Split{about}", (*header, *(("genes", "of genes") if has_genes else ())), rows)


def defaults_table(config: DatasetConfig) -> Table:
    """The keys that nobody set, with their values."""
    return Table("Defaults, of keys that are not set", ("key", "value"), [*defaults.unset(config)])


def absent_splits(planned: Sequence[PlannedSplit]) -> list[str]:
    """The splits that hold nothing."""
    present = {one.split for one in planned}
    return [split for split in schema.SPLITS if split not in present]


def _places(places: Sequence[str]) -> str:
    if not places:
        return "drawn one by one"
    more = len(places) - _MOST_PLACES
    listed = ", ".join(places[: _MOST_PLACES if more > 1 else None])
    return f"{listed} and {more:,} more" if more > 1 else listed
