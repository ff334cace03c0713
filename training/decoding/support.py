"""How sure the scores are of what was called: posterior probabilities of exons and of coding structures.

The probability of an exon is the sum over all paths with exactly that exon, over the sum over all paths. It is the sum
of what may come before the exon, times the exon itself, times what may follow it, which the forward algorithm gives on
the region and on its reverse complement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.structure.states import CDS_0, INTRON_0
from training.decoding.called import Structure
from training.decoding.forward import forward
from training.decoding.grammar import FLOOR, Floats, Grammar, Integers
from training.decoding.scores import Scores

_COMPLEMENT = np.array([3, 2, 1, 0, 4], np.uint8)


class Region(NamedTuple):
    """Bases of a sequence with their scores, outside of genes at either end unless a sequence's end may cut one there.

    Attributes:
        start: first base.
        scores: of the bases.
        codes: of the bases, shape (bases,).
        is_cut_start, is_cut_end: whether a gene may be cut by the first and by the last base.
    """

    start: int
    scores: Scores
    codes: NDArray[np.uint8]
    is_cut_start: bool
    is_cut_end: bool

    def reverse_complement(self) -> Region:
        """The region read from its other end."""
        scores = Scores(*(np.ascontiguousarray(array[::-1, ::-1]) for array in self.scores))
        codes = _COMPLEMENT[self.codes[::-1]]
        return Region(0, scores, codes, self.is_cut_end, self.is_cut_start)


class Support(NamedTuple):
    """Probability of a coding structure, and of each of its exons."""

    gene: float
    exons: tuple[float, ...]


def scaled(grammar: Grammar, factor: float) -> Grammar:
    """The automaton with all scores times a factor, which changes no best path but how sure it is."""
    return grammar._replace(
        left=grammar.left * factor,
        right=grammar.right * factor,
        site_weights=grammar.site_weights * factor,
        state_weight=grammar.state_weight * factor,
        coding_term=grammar.coding_term * factor,
        intron_term=grammar.intron_term * factor,
        gene_term=grammar.gene_term * factor,
        intron_begin_term=grammar.intron_begin_term * factor,
    )


def supports(grammar: Grammar, region: Region, structures: Sequence[Structure]) -> list[Support]:
    """The probabilities of structures that lie in a region, and of their exons.

    Args:
        grammar: the automaton.
        region: bases around them.
        structures: in their order.
    """
    exons = [
        (structure.strand, start - region.start, end - region.start, level)
        for structure in structures
        for (start, end), level in zip(structure.exons, _levels(structure), strict=True)
    ]
    strands, starts, ends, levels = (np.array(column, np.int64) for column in zip(*exons, strict=True))
    bases = len(region.codes)
    reached, begun, total = _forward(grammar, region, starts, strands, levels)
    # Read from the other end, the last exon is the first, and of an open codon the other bases have been read.
    left = -(levels + ends - starts) % 3
    turned = (bases - ends[::-1], 1 - strands[::-1], left[::-1])
    followed, finished, _ = _forward(grammar, region.reverse_complement(), *turned)
    followed, finished = followed[::-1], finished[::-1]
    inside = np.array([_exon_score(grammar, region, *exon) for exon in exons])
    # Paths from both ends have the term of the gene.
    known = reached + inside + followed - grammar.gene_term - total
    found, first = [], 0
    for structure in structures:
        last = first + len(structure.exons) - 1
        score = float(inside[first : last + 1].sum()) - grammar.gene_term - total
        spans = [(ends[i], starts[i + 1], (levels[i] + ends[i] - starts[i]) % 3) for i in range(first, last)]
        score += sum(_intron_score(grammar, region, structure.strand, *span) for span in spans)
        if structure.begins_with_intron:
            score += grammar.gene_term + _intron_score(
                grammar, region, structure.strand, 0, starts[first], levels[first]
            )
        else:
            score += begun[first]
        if structure.ends_with_intron:
            level = (levels[last] + ends[last] - starts[last]) % 3
            score += grammar.gene_term + _intron_score(grammar, region, structure.strand, ends[last], bases, level)
        else:
            score += finished[last]
        found.append(Support(_probability(score), tuple(_probability(value) for value in known[first : last + 1])))
        first = last + 1
    return found


def _forward(
    grammar: Grammar, region: Region, places: Integers, strands: Integers, levels: Integers
) -> tuple[Floats, Floats, float]:
    return forward(
        grammar,
        region.scores.log_states,
        region.scores.site_logits,
        region.codes,
        region.is_cut_start,
        region.is_cut_end,
        np.ascontiguousarray(places),
        np.ascontiguousarray(strands),
        np.ascontiguousarray(levels),
    )


def _levels(structure: Structure) -> list[int]:
    """Bases of the open codon that were read before each exon."""
    read, levels = max(structure.cut_start, 0), []
    for start, end in structure.exons:
        levels.append(read % 3)
        read += end - start
    return levels


def _exon_score(grammar: Grammar, region: Region, strand: int, start: int, end: int, level: int) -> float:
    read = (level + np.arange(end - start)) % 3
    odds = _odds(region, strand, start, end, CDS_0 + (read if strand == 0 else 2 - read))
    return float(grammar.state_weight * odds.sum() + grammar.coding_term * (end - start))


def _intron_score(grammar: Grammar, region: Region, strand: int, start: int, end: int, level: int) -> float:
    """The score of an intron, of any kind, with its sites."""
    label = level if strand == 0 else -level % 3
    odds = _odds(region, strand, start, end, np.full(end - start, INTRON_0 + label))
    score = float(grammar.state_weight * odds.sum() + grammar.intron_term * (end - start)) + grammar.intron_begin_term
    terms = np.zeros(grammar.left.shape[1])
    codes = region.codes.astype(np.int64)
    if not (start == 0 and region.is_cut_start):
        terms = terms + grammar.left[strand, :, 4 * codes[start] + codes[start + 1]]
        score += _site(grammar, region, start, strand, grammar.left_site[strand])
    if not (end == len(codes) and region.is_cut_end):
        terms = terms + grammar.right[strand, :, 4 * codes[end - 2] + codes[end - 1]]
        score += _site(grammar, region, end - 1, strand, grammar.right_site[strand])
    return score + float(np.logaddexp.reduce(terms))


def _odds(region: Region, strand: int, start: int, end: int, labels: Integers) -> Floats:
    scores = np.maximum(region.scores.log_states[start:end, strand].astype(np.float64), FLOOR)
    return scores[np.arange(end - start), labels] - scores[:, 0]


def _site(grammar: Grammar, region: Region, position: int, strand: int, site: int) -> float:
    logit = min(max(float(region.scores.site_logits[position, strand, site]), FLOOR), -FLOOR)
    return float(grammar.site_weights[site]) * logit


def _probability(score: float) -> float:
    """A probability from its logarithm, which rounding may have brought above 0."""
    return math.exp(min(score, 0.0))
