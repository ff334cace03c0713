"""Windows of stretches, cut into tasks by content alone, so that the result does not depend on the machine.

Windows lie side by side from the first base of a stretch on; the last one may be shorter. A task is one or more pieces
of one genome, each a run of windows of one stretch, with the genes that decide the labels of its bases.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.build import task_plan
from pipelines.gene_models import annotated_genome
from pipelines.gene_models.annotated_genome import AnnotatedGenome
from pipelines.genome import intervals
from pipelines.splits.stretches import Stretch

# `first` is the number of the piece's first window among all windows of the dataset, which is its interval id.
PIECES = pa.schema(
    [
        ("genome", pa.string()),
        ("chromosome", pa.string()),
        ("split", pa.string()),
        ("stretch_start", pa.int64()),
        ("stretch_end", pa.int64()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("first", pa.int64()),
        ("genes", pa.large_binary()),
        ("excluded", pa.list_(pa.list_(pa.int64(), 2))),
        ("task", pa.int64()),
    ]
)


class Piece(NamedTuple):
    """A run of windows of one stretch: [start, end), of which window number `first` is the first."""

    stretch: Stretch
    start: int
    end: int
    first: int

    @property
    def bases(self) -> int:
        return self.end - self.start


def count(stretch: Stretch, length: int) -> int:
    """The number of windows of a stretch."""
    return -(-stretch.bases // length)


def bounds(start: int, end: int, length: int) -> NDArray[np.int64]:
    """Start and end of the windows of a piece, shape (windows, 2)."""
    starts = np.arange(start, end, length)
    return np.stack([starts, np.minimum(starts + length, end)], axis=1)


def tasks(genomes: Sequence[AnnotatedGenome], stretches: Sequence[Stretch], length: int) -> list[pa.Table]:
    """The windows of all stretches as tables of `PIECES`, one for each task.

    Args:
        genomes: in the order of the stretches, with their genes.
        stretches: sorted by genome, chromosome and start.
        length: bases of a window.
    """
    total = sum(stretch.bases for stretch in stretches)
    limit = int(np.clip(total // task_plan.TASKS, task_plan.TASK_BASES, task_plan.MAX_TASK_BASES))
    of_genome: defaultdict[str, list[Piece]] = defaultdict(list)
    for piece in _pieces(stretches, length, limit):
        of_genome[piece.stretch.genome].append(piece)
    tables: list[pa.Table] = []
    for genome in genomes:
        pieces = of_genome[genome.name]
        rows = _rows(genome, pieces)
        for group in task_plan.group_sizes((piece.bases for piece in pieces), limit):
            of_task = [next(rows) | {"task": len(tables)} for _ in pieces[group]]
            tables.append(pa.Table.from_pylist(of_task, schema=PIECES))
    return tables


def _pieces(stretches: Sequence[Stretch], length: int, limit: int) -> Iterator[Piece]:
    bases = max(limit // length, 1) * length
    first = 0
    for stretch in stretches:
        for start in range(stretch.start, stretch.end, bases):
            end = min(start + bases, stretch.end)
            yield Piece(stretch, start, end, first)
            first += -(-(end - start) // length)


def _rows(genome: AnnotatedGenome, pieces: Sequence[Piece]) -> Iterator[dict[str, object]]:
    """The pieces of a genome as rows of `PIECES` without `task`; the genes of one chromosome are unpacked at a time."""
    chromosome, genes = "", []
    clusters, cluster_of = intervals.empty(), np.empty(0, np.int64)
    for piece in pieces:
        stretch = piece.stretch
        if stretch.chromosome != chromosome:
            chromosome, genes = stretch.chromosome, genome.genes(stretch.chromosome)
            extents = genome.bounds.get(chromosome, intervals.empty())
            clusters, cluster_of = intervals.merge(extents), intervals.clusters(extents)
        # Genes that overlap decide together what a base is, so all of a cluster that touches the piece come along.
        touching = np.searchsorted(clusters[:, 1], piece.start, "right"), np.searchsorted(clusters[:, 0], piece.end)
        low, high = np.searchsorted(cluster_of, touching)
        excluded = genome.excluded.get(chromosome, intervals.empty())
        first, end = np.searchsorted(excluded[:, 1], piece.start, "right"), np.searchsorted(excluded[:, 0], piece.end)
        yield {
            "genome": genome.name,
            "chromosome": chromosome,
            "split": stretch.split,
            "stretch_start": stretch.start,
            "stretch_end": stretch.end,
            "start": piece.start,
            "end": piece.end,
            "first": piece.first,
            "genes": annotated_genome.pack(genes[low:high]),
            "excluded": excluded[first:end].tolist(),
        }
