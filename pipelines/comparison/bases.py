"""How many bases of genes are called, and of calls annotated: by locus, and by gene.

All sequences lie on one axis, one behind the other. Costs a sort and a few searches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipelines.comparison.loci import Numbers, merge_overlapping
from pipelines.genome.intervals import Intervals


@dataclass(frozen=True)
class Stretches:
    """Intervals of the genes of one set: their spans, exons or CDS.

    Attributes:
        places: start and end, shape (n, 2); those of one gene are disjoint.
        owners: the gene of each, shape (n,).
        signs: +1 or -1 by the strand of the gene, 0 for none; shape (n,).
        genes: number of genes.
    """

    places: Intervals
    owners: Numbers
    signs: Numbers
    genes: int

    @classmethod
    def of(cls, places: Intervals, owners: Numbers, signs: Numbers) -> Stretches:
        """Intervals of genes, which may overlap within a gene.

        Args:
            places: start and end of each interval, shape (n, 2).
            owners: the gene of each, shape (n,).
            signs: +1, -1 or 0 for every gene.
        """
        if len(places):
            # The union within each gene: a new one opens where the gene changes, or past all ends so far.
            order = np.lexsort((places[:, 0], owners))
            places, owners = places[order], owners[order]
            first = np.append(True, owners[1:] != owners[:-1])
            reach = _reach_within(places[:, 1], first)
            opens = first | np.append(True, places[1:, 0] >= reach[:-1])
            closes = np.append(opens[1:], True)
            places, owners = np.stack([places[opens, 0], reach[closes]], axis=1), owners[opens]
        return cls(places, owners, signs[owners], len(signs))

    def on(self, sign: int) -> Intervals:
        """The union of those on one strand, those without a strand included."""
        return merge_overlapping(self.places[self.signs * sign >= 0])

    @cached_property
    def forward(self) -> Coverage:
        """Those on the forward strand or on none."""
        return Coverage(self.on(1))

    @cached_property
    def reverse(self) -> Coverage:
        """Those on the reverse strand or on none."""
        return Coverage(self.on(-1))

    @cached_property
    def either(self) -> Coverage:
        """All of them."""
        return Coverage(merge_overlapping(self.places))


def _reach_within(ends: Numbers, first: NDArray[np.bool_]) -> Numbers:
    """The furthest end so far within each group of intervals; `first` marks where groups begin. Shape (n,)."""
    size = int(ends.max()) + 1
    group = np.cumsum(first)
    # A shift for each group keeps the ends of earlier groups below those of later ones.
    return np.maximum.accumulate(ends + group * size) - group * size


class Coverage:
    """The bases that a set of intervals covers.

    Args:
        merged: sorted intervals of which none shares a base with another, shape (n, 2).
    """

    def __init__(self, merged: Intervals) -> None:
        self.merged = merged
        self._before = np.append(0, np.cumsum(merged[:, 1] - merged[:, 0]))

    def within(self, places: Intervals) -> Numbers:
        """Number of covered bases of each of some intervals, shape (n,)."""
        if not len(self.merged):
            return np.zeros(len(places), np.int64)
        return self._until(places[:, 1]) - self._until(places[:, 0])

    def _until(self, positions: NDArray[np.int64]) -> Numbers:
        at = np.searchsorted(self.merged[:, 0], positions, side="right")
        # Of the interval that holds the position, the bases from there on do not count.
        rest = np.where(at > 0, np.maximum(self.merged[at - 1, 1] - positions, 0), 0)
        return self._before[at] - rest


def by_locus(annotated: Stretches, called: Stretches, starts: Numbers, *, stranded: bool) -> Numbers:
    """Numbers of bases annotated, called, and twice those that are both; shape (loci, 4).

    Args:
        annotated: of the annotated genes.
        called: of the calls.
        starts: first base of each locus, sorted; shape (loci,).
        stranded: whether both must be on one strand. A base that both strands have then counts twice.
    """
    pairs = [(annotated.either, called.either)]
    if stranded:
        pairs = [(annotated.forward, called.forward), (annotated.reverse, called.reverse)]
    counts = np.zeros((len(starts), 4), np.int64)
    for ours, theirs in pairs:
        for column, own in ((0, ours.merged), (1, theirs.merged)):
            _add(counts[:, column], own, own[:, 1] - own[:, 0], starts)
        _add(counts[:, 2], ours.merged, theirs.within(ours.merged), starts)
    counts[:, 3] = counts[:, 2]
    return counts


def by_gene(own: Stretches, other: Stretches, *, stranded: bool) -> Numbers:
    """Bases of each gene, and how many of them the other set has; shape (genes, 2).

    Args:
        own: of the genes.
        other: of those that they are compared with.
        stranded: whether the other must be on the gene's strand; a gene without one then has the bases of both.
    """
    sides = [(np.ones(len(own.owners), np.bool_), other.either)]
    if stranded:
        sides = [(own.signs >= 0, other.forward), (own.signs <= 0, other.reverse)]
    counts = np.zeros((own.genes, 2), np.int64)
    for chosen, coverage in sides:
        places = own.places[chosen]
        np.add.at(counts[:, 0], own.owners[chosen], places[:, 1] - places[:, 0])
        np.add.at(counts[:, 1], own.owners[chosen], coverage.within(places))
    return counts


def _add(column: Numbers, places: Intervals, amounts: Numbers, starts: Numbers) -> None:
    np.add.at(column, np.searchsorted(starts, places[:, 0], side="right") - 1, amounts)
