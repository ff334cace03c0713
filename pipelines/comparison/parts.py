"""Exons, introns and CDS of the transcripts of a set as arrays, and numbers by which equal ones are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from pipelines.comparison.loci import Numbers
from pipelines.comparison.structures import Items
from pipelines.gene_models.model import Gene
from pipelines.genome.intervals import Intervals


@dataclass(frozen=True)
class Parts:
    """Intervals of transcripts: exons, introns or parts of CDS, on the axis of all sequences.

    Attributes:
        places: start and end, shape (n, 2), in the order of genes, transcripts and places.
        transcripts: the transcript of each, counted over all genes; shape (n,).
        owners: the gene of each; shape (n,).
    """

    places: Intervals
    transcripts: Numbers
    owners: Numbers

    @classmethod
    def of(cls, genes: Sequence[Gene], offsets: Numbers, *, coding: bool) -> Parts:
        """The exons of genes, or the parts of their CDS.

        Args:
            genes: of one set.
            offsets: where the sequence of each gene begins on the axis; shape (genes,).
            coding: whether the parts of CDS are meant.
        """
        transcripts = [(number, one) for number, gene in enumerate(genes) for one in gene.transcripts]
        spans = [one.cds if coding else one.exons for _, one in transcripts]
        counts = np.fromiter(map(len, spans), np.int64, len(spans))
        flat = np.fromiter(chain.from_iterable(chain.from_iterable(spans)), np.int64, 2 * int(counts.sum()))
        number = np.repeat(np.arange(len(spans)), counts)
        owners = np.repeat(np.fromiter((owner for owner, _ in transcripts), np.int64, len(spans)), counts)
        return cls(flat.reshape(-1, 2) + offsets[owners][:, None], number, owners)

    def introns(self) -> Parts:
        """What lies between neighbouring exons of a transcript that do not touch."""
        before, after = self.places[:-1, 1], self.places[1:, 0]
        is_intron = (self.transcripts[1:] == self.transcripts[:-1]) & (before < after)
        places = np.stack([before[is_intron], after[is_intron]], axis=1)
        return Parts(places, self.transcripts[1:][is_intron], self.owners[1:][is_intron])


def items(sets: Sequence[Parts], signs: Sequence[Numbers]) -> list[Items]:
    """The distinct parts of every gene of several sets, equal ones under one number.

    Args:
        sets: parts of each set.
        signs: the strand of each gene of each set, +1, -1 or 0; parts of different strands are different.
    """
    rows = [np.column_stack([own.places, sign[own.owners]]) for own, sign in zip(sets, signs, strict=True)]
    numbers = np.split(_numbered(np.concatenate(rows)), np.cumsum([len(own) for own in rows])[:-1])
    found = []
    for number, own, sign in zip(numbers, sets, signs, strict=True):
        order = np.lexsort((number, own.owners))
        owners, ordered = own.owners[order], number[order]
        is_new = np.append(True, (owners[1:] != owners[:-1]) | (ordered[1:] != ordered[:-1]))[: len(order)]
        found.append(Items(ordered[is_new], owners[is_new], len(sign)))
    return found


def _numbered(rows: Numbers) -> Numbers:
    """A number for each row, equal for equal rows; shape (n,)."""
    order = np.lexsort(rows.T)
    ordered = rows[order]
    is_new = np.append(False, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(rows)]
    numbers = np.empty(len(rows), np.int64)
    numbers[order] = np.cumsum(is_new)
    return numbers
