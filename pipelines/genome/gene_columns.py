"""Genes of a genome as columns, in a file that is mapped into memory: a process holds those that it works on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import storage
from pipelines.genome.features import Feature
from pipelines.genome.intervals import Intervals

FEW_BYTES = 1 << 16
"""Of columns that are not worth a file."""
_NO_ROW = (-1, -1)


@dataclass(frozen=True)
class _Columns:
    """Columns of the genes of one or more sequences.

    Attributes:
        bounds: start and end of each, shape (genes, 2).
        is_forward: 1 or 0, shape (genes,).
        ids: `gene_id` of each.
        biotypes: of each, or null.
        rows: start and end of each gene's row, or -1 and -1, shape (genes, 2); None where all genes are their rows.
    """

    bounds: Intervals
    is_forward: NDArray[np.int8]
    ids: pa.Array
    biotypes: pa.Array
    rows: Intervals | None

    @classmethod
    def of(cls, genes: Sequence[Feature]) -> _Columns:
        columns = {
            "bounds": _pairs([(gene.start, gene.end) for gene in genes]),
            "is_forward": pa.array([gene.strand == "+" for gene in genes], pa.bool_()).cast(pa.int8()),
            "ids": pa.array([gene.gene_id for gene in genes], pa.string()),
            "biotypes": pa.array([gene.biotype for gene in genes], pa.string()),
        }
        if any(gene.row for gene in genes):
            columns["rows"] = _pairs([gene.row or _NO_ROW for gene in genes])
        return cls._of_table(pa.table(columns))

    @classmethod
    def _of_table(cls, table: pa.Table) -> _Columns:
        table = _mapped(table)
        return cls(
            _values(table["bounds"], 2),
            table["is_forward"].chunk(0).to_numpy(),
            table["ids"].chunk(0),
            table["biotypes"].chunk(0),
            _values(table["rows"], 2) if "rows" in table.column_names else None,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process they are mapped from a file of that one."""
        columns = {
            "bounds": _lists(self.bounds),
            "is_forward": pa.array(self.is_forward),
            "ids": self.ids,
            "biotypes": self.biotypes,
        }
        if self.rows is not None:
            columns["rows"] = _lists(self.rows)
        return _Columns._of_table, (pa.table(columns),)


class GeneColumns(Sequence[Feature]):
    """A sequence of genes that holds columns and makes each `Feature` when it is read.

    Args:
        genes: of one sequence of a genome.
    """

    __slots__ = ("_chromosome", "_columns", "_own")

    def __init__(self, genes: Iterable[Feature]) -> None:
        listed = [*genes]
        self._chromosome = listed[0].chromosome if listed else ""
        self._columns = _Columns.of(listed)
        self._own = slice(0, len(listed))

    @classmethod
    def of_genome(cls, genes: Mapping[str, Sequence[Feature]]) -> dict[str, GeneColumns]:
        """The genes of each sequence of a genome, in one set of columns."""
        columns = _Columns.of([gene for of_sequence in genes.values() for gene in of_sequence])
        found: dict[str, GeneColumns] = {}
        first = 0
        for name, of_sequence in genes.items():
            own = found[name] = cls.__new__(cls)
            own._chromosome, own._columns = name, columns
            own._own = slice(first, first + len(of_sequence))
            first += len(of_sequence)
        return found

    @property
    def bounds(self) -> Intervals:
        """Start and end of each, shape (genes, 2)."""
        return self._columns.bounds[self._own]

    @property
    def strands(self) -> pa.Array:
        """`+` or `-` of each."""
        return pa.array(["-", "+"]).take(pa.array(self._columns.is_forward[self._own]))

    @property
    def ids(self) -> pa.Array:
        """`gene_id` of each."""
        return self._columns.ids[self._own]

    @property
    def biotypes(self) -> pa.Array:
        """The biotype of each, or null."""
        return self._columns.biotypes[self._own]

    @property
    def rows(self) -> Intervals:
        """Start and end of the row of each that has one, shape (n, 2), where genes are less than their rows."""
        if self._columns.rows is None:
            return self._columns.bounds[:0]
        rows = self._columns.rows[self._own]
        return rows[rows[:, 0] >= 0]

    def __len__(self) -> int:
        return self._own.stop - self._own.start

    @overload
    def __getitem__(self, number: int) -> Feature: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Feature]: ...

    def __getitem__(self, number: int | slice) -> Feature | Sequence[Feature]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        columns, at = self._columns, self._own.start + number % len(self)
        start, end = columns.bounds[at].tolist()
        row = None
        if columns.rows is not None and columns.rows[at, 0] >= 0:
            first, last = columns.rows[at].tolist()
            row = first, last
        strand = "+" if columns.is_forward[at] else "-"
        return Feature(self._chromosome, start, end, strand, columns.ids[at].as_py(), columns.biotypes[at].as_py(), row)

    def __iter__(self) -> Iterator[Feature]:
        for number in range(len(self)):
            yield self[number]


def mapped(named: Mapping[str, Intervals]) -> dict[str, Intervals]:
    """Intervals by name, in a file that is mapped into memory where they are many.

    Args:
        named: name to intervals, shape (n, columns), of the same number of columns.
    """
    if not named:
        return {}
    width = max(own.shape[1] for own in named.values())
    together = np.concatenate([np.empty((0, width), np.int64), *named.values()])
    values = _values(_mapped(pa.table({"": _lists(together)}))[""], width)
    ends = np.cumsum([len(own) for own in named.values()]).tolist()
    return {name: values[end - len(own) : end] for (name, own), end in zip(named.items(), ends, strict=True)}


def _pairs(values: list[tuple[int, int]]) -> pa.Array:
    return _lists(np.array(values, np.int64).reshape(-1, 2))


def _lists(values: NDArray[np.int64]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def _values(column: pa.ChunkedArray, width: int) -> NDArray[Any]:
    values: NDArray[Any] = column.chunk(0).flatten().to_numpy().reshape(-1, width)
    return values


def _mapped(table: pa.Table) -> pa.Table:
    """The same table in one chunk; if it is large, mapped from a file of the node's cache, which has no name any more.

    Raises:
        StorageError: the cache cannot be written.
    """
    if table.nbytes < FEW_BYTES:
        return table.combine_chunks()
    folder = storage.cache_directory() / "genes"
    storage.make_directory(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table.combine_chunks())
            file.flush()
            return pa.ipc.open_file(pa.memory_map(file.name)).read_all()
    except OSError as error:
        raise storage.write_error(Path(folder), error) from error
