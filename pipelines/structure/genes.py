"""States back to genes: runs of exons and introns on one strand, and the genes that are whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.gene_models.model import Gene, Transcript
from pipelines.structure import states
from pipelines.structure.states import CDS_0, CDS_2, INTRON_0, MASKED, NEXT_CODING, States

Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Kinds of runs: what codes for nothing, exons, introns by phase (their states), what is masked.
_OUTSIDE, _EXON = 0, 1
_KINDS = np.array([_OUTSIDE, _OUTSIDE, _EXON, _EXON, _EXON, 5, 6, 7, MASKED], np.uint8)
# The state of an intron after a coding base, by state; 0 where there is none.
_NEXT_INTRON = np.where(NEXT_CODING > 0, NEXT_CODING + (INTRON_0 - CDS_0), 0).astype(np.uint8)


@dataclass(frozen=True)
class Runs:
    """Stretches of one strand, in reading direction, of exon, of intron of one phase, of neither, and masked ones.

    Arrays have the shape (runs,). An exon ends where its codons break off, as well.

    Attributes:
        starts, ends: first base, and base after the last.
        is_exon, is_intron: whether each is one, whole or not; neither where it is outside of genes or masked.
        begins, stops: whether each is an exon that begins with a start codon's first base, or ends with a stop codon's
            last.
        joins: whether each run and the one after it are exon and intron, or intron and exon, of one coding sequence.
    """

    starts: Positions
    ends: Positions
    is_exon: Flags
    is_intron: Flags
    begins: Flags
    stops: Flags
    joins: Flags

    @property
    def whole_exons(self) -> Flags:
        """Whether each is an exon both of whose ends are known."""
        return self.is_exon & (self.begins | self._joins_before) & (self.stops | self.joins)

    @property
    def whole_introns(self) -> Flags:
        """Whether each is an intron between exons that it joins."""
        return self.is_intron & self._joins_before & self.joins

    @property
    def _joins_before(self) -> Flags:
        return np.concatenate([[False], self.joins[:-1]])

    def genes(self) -> NDArray[np.int64]:
        """The first and the last run of every whole gene, shape (genes, 2)."""
        begins, stops = np.flatnonzero(self.begins), np.flatnonzero(self.stops)
        if not len(begins) or not len(stops):
            return np.empty((0, 2), np.int64)
        following = np.searchsorted(stops, begins)
        begins, following = begins[following < len(stops)], following[following < len(stops)]
        last = stops[following]
        broken = np.concatenate([[0], np.cumsum(~self.joins)])
        is_whole = broken[begins] == broken[last]
        return np.stack([begins[is_whole], last[is_whole]], axis=1)


def runs(strand: States) -> Runs:
    """The runs of one strand.

    Args:
        strand: states in reading direction (the reverse strand backwards), shape (bases,).
    """
    if not len(strand):
        none, flags = np.empty(0, np.int64), np.empty(0, np.bool_)
        return Runs(none, none, flags, flags, flags, flags, flags)
    kinds = np.frombuffer(strand.tobytes().translate(_table(_KINDS)), np.uint8)
    following = np.frombuffer(strand.tobytes().translate(_table(NEXT_CODING)), np.uint8)
    is_border = kinds[1:] != kinds[:-1]
    is_border |= (kinds[1:] == _EXON) & (following[:-1] != strand[1:])
    borders = np.flatnonzero(is_border) + 1
    starts, ends = np.concatenate([[0], borders]), np.concatenate([borders, [len(strand)]])
    kind, first, last = kinds[starts], strand[starts], strand[ends - 1]
    is_exon, is_intron = kind == _EXON, (kind >= INTRON_0) & (kind < MASKED)
    outside = kind == _OUTSIDE
    before = np.concatenate([[False], outside[:-1]])
    after = np.concatenate([outside[1:], [False]])
    joins = np.zeros(len(starts), np.bool_)
    joins[:-1] = is_exon[:-1] & is_intron[1:] & (_NEXT_INTRON[last[:-1]] == first[1:])
    joins[:-1] |= is_intron[:-1] & is_exon[1:] & (last[:-1] - (INTRON_0 - CDS_0) == first[1:])
    begins, stops = is_exon & before & (first == CDS_0), is_exon & after & (last == CDS_2)
    return Runs(starts, ends, is_exon, is_intron, begins, stops, joins)


def whole_genes(packed: States, chromosome: str, start: int = 0) -> list[Gene]:
    """The genes that states show from start to stop codon, each with one transcript, sorted by their first base.

    Args:
        packed: states of both strands of a stretch, shape (bases,).
        chromosome: that the stretch is of.
        start: its first base.
    """
    found = []
    for strand, of_strand in zip("+-", states.unpack(packed), strict=True):
        own = runs(of_strand[::-1] if strand == "-" else of_strand)
        starts, ends = own.starts + start, own.ends + start
        if strand == "-":
            starts, ends = start + len(packed) - own.ends, start + len(packed) - own.starts
        for first, last in own.genes().tolist():
            spans = zip(starts[first : last + 1 : 2].tolist(), ends[first : last + 1 : 2].tolist(), strict=True)
            cds = tuple(sorted(spans))
            name = f"{chromosome}:{cds[0][0]}-{cds[-1][1]}"
            found.append(Gene(name, chromosome, cds[0][0], cds[-1][1], strand, (Transcript(name, cds, cds),)))
    return sorted(found, key=lambda gene: (gene.start, gene.end, gene.strand))


def _table(values: NDArray[np.uint8]) -> bytes:
    return bytes(values) + bytes(256 - len(values))
