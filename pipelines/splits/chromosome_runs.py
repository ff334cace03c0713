"""Runs of rows of one chromosome, which stand for their rows where names decide: few, however many rows there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals
from pipelines.splits.named_rows import NamedRows, Numbers, number_pairs


@dataclass(frozen=True)
class Runs:
    """Maximal runs of consecutive rows that have genome and chromosome in common; a chromosome may have several.

    Attributes:
        genomes: the genome of each run.
        chromosomes: the chromosome of each run.
        sizes: rows of each run, shape (runs,).
    """

    genomes: NamedRows
    chromosomes: NamedRows
    sizes: Numbers

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> Runs:
        """The runs of tables with genome and chromosome; none goes on from one table to the next."""
        none = pa.array([], pa.string())
        names: dict[str, list[pa.Array]] = {"genome": [none], "chromosome": [none]}
        sizes: list[Numbers] = [np.empty(0, np.int64)]
        for table in tables:
            firsts = first_rows(table)
            for name, column in names.items():
                column.append(table[name].take(pa.array(firsts)).combine_chunks().cast(pa.string()))
            sizes.append(np.diff(firsts, append=len(table)))
        genomes, chromosomes = (NamedRows(pa.chunked_array(column, pa.string())) for column in names.values())
        return cls(genomes, chromosomes, np.concatenate(sizes))

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def numbers(self) -> Numbers:
        """A number of each run's chromosome, counted from 0 in order of the first run of each; shape (runs,)."""
        return number_pairs(self.genomes.numbers, self.chromosomes.numbers)

    @property
    def rows(self) -> int:
        """Rows of all runs."""
        return int(self.sizes.sum())

    def of_rows(self, values: NDArray[Any]) -> NDArray[Any]:
        """The value of each row's run, shape (rows,), from those of the runs."""
        return np.repeat(values, self.sizes)

    def count(self, is_row: NDArray[np.bool_]) -> Numbers:
        """In each run the number of rows for which something is so, shape (runs,)."""
        ends = np.cumsum(self.sizes)
        if len(ends) == 0:
            return ends
        return np.add.reduceat(is_row, ends - self.sizes, dtype=np.int64)


def first_rows(table: pa.Table) -> Numbers:
    """The first row of each run of one genome and chromosome, shape (runs,)."""
    if len(table) == 0:
        return np.empty(0, np.int64)
    columns = [table[name].combine_chunks() for name in ("genome", "chromosome")]
    changes = [pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False) for column in columns]
    return np.append(0, np.flatnonzero(changes[0] | changes[1]) + 1)


def bounds_of(table: pa.Table) -> Intervals:
    """Start and end of each row, shape (rows, 2)."""
    return np.stack([table["start"].to_numpy(), table["end"].to_numpy()], axis=1)


def clusters(table: pa.Table, *, touching: bool = True) -> Numbers:
    """The cluster of each row, shape (rows,); rows of a chromosome that overlap, directly or through others, share one.

    Clusters are numbered from 0, those of one chromosome after those of another.

    Args:
        table: with genome, chromosome, start and end.
        touching: whether intervals that touch count as if they overlapped.
    """
    runs = Runs.of([table])
    bounds = bounds_of(table) - np.array([0, 0 if touching else 1])
    # All chromosomes end to end on one axis, with a base between them, so that one sort finds the clusters of all.
    size = int(bounds[:, 1].max(initial=0)) + 1
    return intervals.clusters(bounds + runs.of_rows(runs.numbers)[:, None] * size)
