"""The automaton of both strands as arrays for compiled code: coding states, introns, sites and terms.

Scores are relative to intergenic on both strands, which is 0 everywhere. A gene pays its terms where it begins and an
intron where it begins, by the forward coordinate, so that the reverse complement of a sequence has the same score.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.structure.states import ACCEPTOR, DONOR, START, STOP
from training.decoding.coding_states import coding_states
from training.decoding.settings import PAIRS, Settings

FLOOR = -30.0
"""Logarithms of probabilities and logits count as at least this, and logits as at most its negative."""
_BASES = "ACGT"
_COMPLEMENT = str.maketrans("ACGT", "TGCA")

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Grammar(NamedTuple):
    """The automaton. What an intron remembers of its codon is a number for both strands, the forward ones first.

    Codons and pairs of bases are numbers as in `coding_states`, all by the forward coordinate. A coding sequence
    begins where it is read first by the forward coordinate: on the reverse strand with its stop codon.

    Attributes:
        first: first state of each strand and the number of all, shape (3,). It is the state between two codons.
        level: bases read of the open codon, shape (states,).
        after_one, after_two: state after one or two bases of a codon, by strand, shapes (2, 4) and (2, 16).
        may_follow: whether two bases may follow an open codon, shape (states, 16).
        cut: states that the beginning of a sequence may lead into, shape (2, 3).
        is_first, is_inner, is_last: which codons begin, may be inside and end a coding sequence, shape (2, 64).
        intron: which of the three intron labels each state's introns have, shape (states,).
        left: term of the first two bases of an intron by strand and kind, -inf if they are none, shape (2, kinds, 16).
        right: the same of the last two bases.
        is_left, is_right: whether two bases begin and end introns of any strand and kind; most do not; shape (16,).
        begin_site, end_site: column of the site where a coding sequence begins and ends, shape (2,).
        left_site, right_site: column of the site where an intron begins and ends, shape (2,).
        site_weights: shape (4,).
        state_weight: of the log odds of states.
        coding_term, intron_term: added at every base.
        gene_term: added where a gene begins.
        intron_begin_term: added where an intron begins.
        min_intron, min_exon: shortest lengths, in bases.
        longest_gap: no intron or untranslated region has so many N in a row.
        has_utr: whether there are untranslated regions.
        is_partial: whether the ends of a sequence may cut a gene.
    """

    first: Integers
    level: Integers
    after_one: Integers
    after_two: Integers
    may_follow: Flags
    cut: Integers
    is_first: Flags
    is_inner: Flags
    is_last: Flags
    intron: Integers
    left: Floats
    right: Floats
    is_left: Flags
    is_right: Flags
    begin_site: Integers
    end_site: Integers
    left_site: Integers
    right_site: Integers
    site_weights: Floats
    state_weight: float
    coding_term: float
    intron_term: float
    gene_term: float
    intron_begin_term: float
    min_intron: int
    min_exon: int
    longest_gap: int
    has_utr: bool
    is_partial: bool


class Terms(NamedTuple):
    """What the settings add to the scores: at every coding base and every base of an intron, for a gene, an intron."""

    coding: float
    intron: float
    gene: float
    intron_begin: float


def terms(settings: Settings) -> Terms:
    """The logarithms of transition probabilities of geometric lengths, relative to staying intergenic, and penalties.

    An intron is at least its minimum, and geometric beyond; an exon ends in an intron or in a stop.
    """
    lengths, weights = settings.lengths, settings.weights
    stay = math.log1p(-1 / lengths.intergenic)
    exon_end = 1 / lengths.exon
    has_intron = lengths.introns / (lengths.introns + 1)
    beyond = max(lengths.intron - settings.minimum.intron + 1, 2.0)
    intron_stay = math.log1p(-1 / beyond)
    gene = math.log(0.5 / lengths.intergenic * exon_end * (1 - has_intron))
    intron = math.log(exon_end * has_intron / beyond) - settings.minimum.intron * intron_stay
    return Terms(
        coding=weights.length * (math.log1p(-exon_end) - stay),
        intron=weights.length * (intron_stay - stay),
        gene=weights.length * gene + weights.gene,
        intron_begin=weights.length * intron + weights.intron,
    )


def grammar(settings: Settings) -> Grammar:
    """The automaton of these settings.

    Raises:
        UsageError: a start codon that is none.
    """
    code = settings.code
    strands = [coding_states(code, is_reverse=is_reverse) for is_reverse in (False, True)]
    first = np.cumsum([0, *map(len, strands)])
    numbered = list(zip(strands, first.tolist(), strict=False))
    left, right = _intron_ends(settings)
    weights = settings.weights
    added = terms(settings)
    level = np.concatenate([states.level for states in strands])
    # In reading direction: on the reverse strand an intron has the rest of its codon before it.
    intron = np.concatenate([strands[0].level, -strands[1].level % 3])
    return Grammar(
        first=first,
        level=level,
        after_one=np.stack([states.after_one + before for states, before in numbered]),
        after_two=np.stack([states.after_two + before for states, before in numbered]),
        may_follow=np.concatenate([states.may_follow for states in strands]),
        cut=np.stack([np.array(states.cut) + before for states, before in numbered]),
        is_first=np.stack([states.is_first for states in strands]),
        is_inner=np.stack([states.is_inner for states in strands]),
        is_last=np.stack([states.is_last for states in strands]),
        intron=intron,
        left=left,
        right=right,
        is_left=np.logical_or.reduce(left > -np.inf, axis=(0, 1)),
        is_right=np.logical_or.reduce(right > -np.inf, axis=(0, 1)),
        begin_site=np.array([START, STOP]),
        end_site=np.array([STOP, START]),
        left_site=np.array([DONOR, ACCEPTOR]),
        right_site=np.array([ACCEPTOR, DONOR]),
        site_weights=np.array([weights.start, weights.stop, weights.donor, weights.acceptor]),
        state_weight=weights.state,
        coding_term=added.coding,
        intron_term=added.intron,
        gene_term=added.gene,
        intron_begin_term=added.intron_begin,
        min_intron=settings.minimum.intron,
        min_exon=settings.minimum.exon,
        longest_gap=settings.longest_gap,
        has_utr=settings.utr,
        is_partial=settings.partial,
    )


def _intron_ends(settings: Settings) -> tuple[Floats, Floats]:
    """The terms of the first and last two bases of introns, by the forward coordinate; the donor bears the share's."""
    kinds = settings.kinds
    left, right = np.full((2, 2, len(kinds), 16), -np.inf)
    total = sum(settings.pairs.values())
    for number, kind in enumerate(kinds):
        for pair in PAIRS[kind]:
            if pair not in settings.pairs:
                continue
            term = settings.weights.length * math.log(settings.pairs[pair] / total)
            donor, acceptor = pair.split("-")
            left[0, number, _two(donor)], right[0, number, _two(acceptor)] = term, 0.0
            left[1, number, _two(_turned(acceptor))], right[1, number, _two(_turned(donor))] = 0.0, term
    return left, right


def _two(bases: str) -> int:
    return 4 * _BASES.index(bases[0]) + _BASES.index(bases[1])


def _turned(bases: str) -> str:
    return bases.translate(_COMPLEMENT)[::-1]
