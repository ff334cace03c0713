"""Genes of a sequence as columns: some 40 bytes each, a tenth of what a `Feature` for each takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.genome import intervals
from pipelines.genome.features import Feature
from pipelines.genome.intervals import Intervals

_NO_ROWS = intervals.empty()


class GeneColumns(Sequence[Feature]):
    """A sequence of genes that holds columns and makes each `Feature` when it is read.

    Args:
        genes: of one sequence of a genome.

    Attributes:
        bounds: start and end of each, shape (genes, 2).
        ids: `gene_id` of each.
        biotypes: of each, or null.
        rows: start and end of the row of each that has one, shape (n, 2), where genes are less than their rows.
    """

    __slots__ = ("_chromosome", "_forward", "_has_row", "biotypes", "bounds", "ids", "rows")

    def __init__(self, genes: Iterable[Feature]) -> None:
        genes = [*genes]
        self._chromosome = genes[0].chromosome if genes else ""
        self.bounds: Intervals = np.array([(gene.start, gene.end) for gene in genes], np.int64).reshape(-1, 2)
        self._forward: NDArray[np.bool_] = np.array([gene.strand == "+" for gene in genes], np.bool_)
        self.ids = pa.array([gene.gene_id for gene in genes], pa.string())
        self.biotypes = pa.array([gene.biotype for gene in genes], pa.string())
        if len(genes) > intervals.FEW:
            self.biotypes = self.biotypes.dictionary_encode()
        rows = [gene.row for gene in genes if gene.row]
        self.rows: Intervals = np.array(rows, np.int64).reshape(-1, 2) if rows else _NO_ROWS
        self._has_row: NDArray[np.bool_] | None = np.array([bool(gene.row) for gene in genes]) if rows else None

    @property
    def strands(self) -> list[str]:
        """`+` or `-` of each."""
        return np.where(self._forward, "+", "-").tolist()

    def __len__(self) -> int:
        return len(self.bounds)

    @overload
    def __getitem__(self, number: int) -> Feature: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Feature]: ...

    def __getitem__(self, number: int | slice) -> Feature | Sequence[Feature]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        start, end = self.bounds[number].tolist()
        number = number % len(self)
        row = None
        if self._has_row is not None and self._has_row[number]:
            first, last = self.rows[int(self._has_row[:number].sum())].tolist()
            row = first, last
        strand = "+" if self._forward[number] else "-"
        return Feature(
            self._chromosome, start, end, strand, self.ids[number].as_py(), self.biotypes[number].as_py(), row
        )

    def __iter__(self) -> Iterator[Feature]:
        for number in range(len(self)):
            yield self[number]
