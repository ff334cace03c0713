"""Genes to states: what an annotation says of every base of a stretch, on both strands, and what it does not.

One transcript stands for each gene. A gene whose CDS does not read is masked over its span, and so is what may hide a
gene: pseudogenes and genes without CDS. A labelled gene takes precedence over a masked one. Cost: some 0.1 ms a gene
and a few passes over the bases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from pipelines.gene_models.genetic_code import CODON, GeneticCode, genetic_code
from pipelines.gene_models.model import Gene, Transcript
from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals
from pipelines.genome.sequence import OTHER, Bytes, base_codes, reverse_complement
from pipelines.structure import states
from pipelines.structure.flaws import Flaw, GeneReason, flaw
from pipelines.structure.roles import SELECTION, role
from pipelines.structure.rules import SPLICE_PAIRS, LabelRules
from pipelines.structure.states import CDS_0, CDS_1, CDS_2, INTERGENIC, INTRON_0, MASKED, States
from pipelines.structure.transcripts import chosen

__all__ = ["BASE_REASONS", "SELECTION", "Labelled", "label"]

BASE_REASONS = (
    "not_acgt",
    "excluded",
    "overlapping_genes",
    "touching_genes",
    "unusual_splice_pair",
    "utr_intron",
    *get_args(Flaw),
    "no_cds",
    "pseudogene",
    "transposable_element",
    "noncoding",
)
"""Why a base is masked; of several, the first counts."""
_NUMBERS = {reason: number for number, reason in enumerate(BASE_REASONS, 1)}

_FREE = 0xFF
_LETTERS = np.frombuffer(b"ACGTN", np.uint8)
_CODON_STATES = np.array([CDS_0, CDS_1, CDS_2], np.uint8)
# The base codes of the two ends of an intron, by strand, in the order of the forward coordinate.
_ENDS = [np.frombuffer((donor + acceptor).encode(), np.uint8) for donor, acceptor in SPLICE_PAIRS]
_PAIRS = {
    "+": frozenset(base_codes(ends).tobytes() for ends in _ENDS),
    "-": frozenset(base_codes(reverse_complement(ends)).tobytes() for ends in _ENDS),
}


@dataclass(frozen=True)
class Labelled:
    """The labels of a piece of a chromosome.

    Attributes:
        packed: states of both strands as `states.pack` packs them, shape (bases,).
        genes: number of genes by what became of them: `labelled`, or why they are not. A gene is counted by the piece
            that holds its first base.
        bases: number of masked bases of both strands by reason, each counted once, as `BASE_REASONS` lists them.
    """

    packed: States
    genes: Counter[str]
    bases: Counter[str]


def label(
    genes: Sequence[Gene],
    codes: Bytes,
    start: int,
    end: int,
    rules: LabelRules,
    *,
    first: int = 0,
    stretch: tuple[int, int] | None = None,
    excluded: Intervals | None = None,
) -> Labelled:
    """Label the bases of a piece of a chromosome.

    The labels of a base do not depend on where pieces end, if every piece is given all genes that overlap or touch it
    and all that share a base with those.

    Args:
        genes: of one chromosome, read with `SELECTION`; others than those that touch the piece have no effect.
        codes: base codes from `first` on; of the piece, and of the genes that touch it and lie within the stretch.
        start: first base of the piece.
        end: base after its last.
        rules: how genes become labels.
        first: the base of `codes[0]`.
        stretch: first base, and base after the last, of the stretch that the piece lies in; the piece itself if not
            given. A gene that crosses these borders is masked, and its bases are not looked at.
        excluded: merged intervals of the chromosome that are masked on both strands, whole ones, of which at least
            those that touch the piece; shape (n, 2).
    """
    code, without_labels = genetic_code(rules.genetic_code), intervals.empty() if excluded is None else excluded
    piece = _Piece(start, end, *(stretch or (start, end)), codes, first, code, rules, without_labels)
    for gene in genes:
        piece.add(gene)
    return piece.labelled()


@dataclass
class _Strand:
    """One strand of a piece.

    Attributes:
        coding: states within the coding spans of labelled genes, `_FREE` elsewhere; shape (bases,).
        masks: reason and span of masked genes.
        disagree: where labelled genes disagree, shape (bases,).
        utrs, utr_introns: spans of untranslated parts of exons, and of introns between those.
        edges: coding spans.
        unusual: ends of introns that are not of `SPLICE_PAIRS`.
    """

    coding: States
    disagree: NDArray[np.bool_]
    masks: list[tuple[int, int, int]] = field(default_factory=list)
    utrs: list[tuple[int, int]] = field(default_factory=list)
    utr_introns: list[tuple[int, int]] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    unusual: list[tuple[int, int]] = field(default_factory=list)


class _Piece:
    """The labels of a piece, gene by gene."""

    def __init__(
        self,
        start: int,
        end: int,
        low: int,
        high: int,
        codes: Bytes,
        first: int,
        code: GeneticCode,
        rules: LabelRules,
        excluded: Intervals,
    ) -> None:
        self._start, self._end, self._low, self._high = start, end, low, high
        self._codes, self._first, self._code, self._rules = codes, first, code, rules
        self._excluded = excluded
        bases = end - start
        self._strands = [_Strand(np.full(bases, _FREE, np.uint8), np.zeros(bases, np.bool_)) for _ in range(2)]
        self._genes: Counter[str] = Counter()

    def add(self, gene: Gene) -> None:
        """Label or mask a gene, if it overlaps or touches the piece."""
        low, high = gene.extent
        # A gene that begins where the piece ends has no base in it, but its neighbour's last base depends on it.
        if low > self._end or high < self._start:
            return
        reason, transcript = self._outcome(gene, low, high)
        if self._start <= gene.start < self._end:
            self._genes[reason] += 1
        if reason == "labelled" and transcript:
            self._paint(transcript, gene.strand)
        elif self._is_masked(reason):
            number = _NUMBERS[reason]
            for strand in (0, 1) if gene.strand not in ("+", "-") else (int(gene.strand == "-"),):
                self._strands[strand].masks.append((number, *self._clipped(low, high)))

    def labelled(self) -> Labelled:
        bases: Counter[str] = Counter()
        unknown = self._codes[self._start - self._first : self._end - self._first] == OTHER
        excluded = np.zeros(len(unknown), np.bool_)
        for low, high in self._excluded.tolist():
            excluded[slice(*self._clipped(low, high))] = True
        strands = []
        for strand in self._strands:
            of_strand, reasons = self._finished(strand, excluded, unknown)
            counts = np.bincount(reasons, minlength=len(BASE_REASONS) + 1)
            bases.update({reason: int(counts[at]) for reason, at in _NUMBERS.items() if counts[at]})
            strands.append(of_strand)
        return Labelled(states.pack(*strands), self._genes, bases)

    def _outcome(self, gene: Gene, low: int, high: int) -> tuple[GeneReason, Transcript | None]:
        kind = role(gene)
        transcript = chosen(gene, self._rules.transcript) if kind == "coding" else None
        if transcript is None:
            return kind, None
        if low < self._low or high > self._high:
            return "crosses_a_border", transcript
        if reason := flaw(gene, transcript, self._code, self._letters):
            return reason, transcript
        is_excluded = bool(((self._excluded[:, 0] <= low) & (high <= self._excluded[:, 1])).any())
        return "excluded" if is_excluded else "labelled", transcript

    def _is_masked(self, reason: str) -> bool:
        if reason in ("pseudogene", "transposable_element"):
            return self._rules.pseudogenes == "mask"
        return reason != "noncoding" or self._rules.noncoding == "mask"

    def _letters(self, chromosome: str, start: int, end: int) -> Bytes:
        if start < self._first or end > self._first + len(self._codes):
            raise ValueError(f"codes of {self._first} to {self._first + len(self._codes)} lack a gene at {start}-{end}")
        letters: Bytes = _LETTERS[self._codes[start - self._first : end - self._first]]
        return letters

    def _clipped(self, low: int, high: int) -> tuple[int, int]:
        """What the piece has of an interval of the chromosome, counted from its first base; it may be empty."""
        bases = self._end - self._start
        return min(max(low - self._start, 0), bases), min(max(high - self._start, 0), bases)

    def _paint(self, transcript: Transcript, sign: str) -> None:
        strand = self._strands[int(sign == "-")]
        start, end = transcript.cds[0][0], transcript.cds[-1][1]
        strand.edges.append((start, end))
        for left, right in self._unusual(transcript, sign):
            strand.unusual += [self._clipped(left, left + 2), self._clipped(right - 2, right)]
        if self._rules.utr == "keep":
            strand.utrs += [self._clipped(*part) for part in transcript.exons if part[0] < start]
            strand.utrs += [self._clipped(*part) for part in transcript.exons if part[1] > end]
            introns = [part for part in transcript.introns if part[1] <= start or part[0] >= end]
            strand.utr_introns += [self._clipped(*part) for part in introns]
        low, high = self._clipped(start, end)
        if low >= high:
            return
        at = self._start - start
        own = coding_states(transcript, sign)[low + at : high + at]
        before = strand.coding[low:high]
        strand.disagree[low:high] |= (before != _FREE) & (before != own)
        strand.coding[low:high] = own

    def _unusual(self, transcript: Transcript, sign: str) -> list[tuple[int, int]]:
        """The introns of a CDS that no splice pair ends."""
        pairs = _PAIRS[sign]
        codes, first = self._codes, self._first
        return [
            (start, end)
            for start, end in transcript.coding_introns
            if codes[start - first : start - first + 2].tobytes() + codes[end - first - 2 : end - first].tobytes()
            not in pairs
        ]

    def _finished(
        self, strand: _Strand, excluded: NDArray[np.bool_], unknown: NDArray[np.bool_]
    ) -> tuple[States, NDArray[np.uint8]]:
        """The states of a strand, and for each masked base the number of its reason (0 for others)."""
        result = strand.coding
        reasons = np.zeros(len(result), np.uint8)
        free = result == _FREE
        result[free] = INTERGENIC
        masks = np.zeros(len(result), np.uint8)
        for reason, low, high in sorted(strand.masks, reverse=True):
            masks[low:high] = reason
        reasons[free] = masks[free]
        if strand.utrs:
            self._add_utrs(strand, result, reasons, free)
        for low, high in strand.unusual:
            reasons[low:high] = _NUMBERS["unusual_splice_pair"]
        for low, high in self._touching(strand):
            reasons[low:high] = _NUMBERS["touching_genes"]
        reasons[strand.disagree] = _NUMBERS["overlapping_genes"]
        reasons[excluded] = _NUMBERS["excluded"]
        reasons[unknown] = _NUMBERS["not_acgt"]
        result[reasons > 0] = MASKED
        return result, reasons

    def _add_utrs(self, strand: _Strand, result: States, reasons: NDArray[np.uint8], free: NDArray[np.bool_]) -> None:
        """Add untranslated bases; a CDS counts more, and the intron of another gene disagrees."""
        layer = np.zeros(len(result), np.uint8)
        for low, high in strand.utrs:
            layer[low:high] = 1
        for low, high in strand.utr_introns:
            layer[low:high] = 2
        result[free & (layer == 1)] = states.UTR
        reasons[free & (layer == 1)] = 0
        reasons[free & (layer == 2)] = _NUMBERS["utr_intron"]
        reasons[(result >= INTRON_0) & (layer > 0)] = _NUMBERS["overlapping_genes"]

    def _touching(self, strand: _Strand) -> list[tuple[int, int]]:
        """The last base of a gene and the first of the next, where states would not tell that two genes meet."""
        borders = {start for start, _ in strand.edges} & {end for _, end in strand.edges}
        return [self._clipped(border - 1, border + 1) for border in borders]


def coding_states(transcript: Transcript, strand: str) -> States:
    """The states from the first to the last base of a CDS, by the forward coordinate.

    Args:
        transcript: whose CDS begins with a whole codon and whose parts do not overlap.
        strand: + or -.

    Returns:
        Shape (bases from the first to the last of the CDS,).
    """
    low, high = transcript.cds[0][0], transcript.cds[-1][1]
    total = sum(end - start for start, end in transcript.cds)
    codons = np.tile(_CODON_STATES, total // CODON + 1)
    result = np.empty(high - low, np.uint8)
    # Read as if forward: the coordinates of the reverse strand are mirrored.
    parts = (
        [(high - end, high - start) for start, end in reversed(transcript.cds)]
        if strand == "-"
        else [(start - low, end - low) for start, end in transcript.cds]
    )
    read = last = 0
    for start, end in parts:
        result[last:start] = INTRON_0 + read % CODON
        result[start:end] = codons[read : read + end - start]
        read, last = read + end - start, end
    return result[::-1] if strand == "-" else result
