"""Scores to gene models with their support: whole sequences, or pieces of a sequence one after the other.

Posterior probabilities are computed for groups of genes, on the bases around them: with a gene more at either end, or
2,000 bases where the next one is farther. So only the scores of one group are kept, and what is far from genes costs
nothing. Groups depend on the genes alone, and so neither genes nor support depend on the pieces.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.decoding.best_path import BestPath
from training.decoding.called import CalledGene, Structure
from training.decoding.grammar import grammar
from training.decoding.scores import Scores
from training.decoding.settings import Settings
from training.decoding.support import Region, scaled, supports

BOTH = None
"""Instead of the number of a strand: a path through both."""

# Bases beside a group of genes, how long a group may be before it ends, and how long the gene beside it may be that
# lies within its region.
_FLANK = 2_000
_GROUP = 50_000
_NEIGHBOUR = 20_000


class Decoder:
    """Decodes a sequence piece by piece.

    Args:
        settings: of the decoder.
        chromosome: name of the sequence, for the genes.
        support: whether posterior probabilities are computed.
        open_start: whether the first base is an end of the sequence that may cut a gene, if the settings let it.
        open_end: whether the last base is.

    Attributes:
        dropped: number of genes with fewer coding bases than the settings ask for.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        chromosome: str = "",
        support: bool = True,
        open_start: bool = True,
        open_end: bool = True,
    ) -> None:
        self.dropped = 0
        self._settings = settings
        self._chromosome = chromosome
        ends = (settings.partial and open_start, settings.partial and open_end)
        self._paths = [_PathDecoder(settings, strand, ends, support=support) for strand in strands_of(settings)]
        # Genes that another strand's may still have to be put before.
        self._waiting: list[_Found] = []
        self._called = 0

    def push(self, scores: Scores, codes: NDArray[np.uint8]) -> list[CalledGene]:
        """Decode the next bases.

        Args:
            scores: of the bases; the arrays must not change afterwards.
            codes: of the bases, as of `pipelines.genome.sequence.base_codes`, shape (bases,).

        Returns:
            The genes that are final now, in their order.

        Raises:
            UsageError: arrays that do not fit each other.
            TrainingError: a score that is not a number.
        """
        for path in self._paths:
            self._waiting += path.push(scores, codes)
        return self._released(min(path.final_until for path in self._paths))

    def finish(self) -> list[CalledGene]:
        """The genes that are left when the sequence has ended."""
        for path in self._paths:
            self._waiting += path.finish()
        return self._released(None)

    def _released(self, until: int | None) -> list[CalledGene]:
        """The genes that begin before a base, or all, in their order."""
        self._waiting.sort(key=lambda found: (found.structure.span, found.structure.strand))
        ready = [found for found in self._waiting if until is None or found.structure.span[0] < until]
        self._waiting = self._waiting[len(ready) :]
        return [gene for found in ready for gene in self._gene(found)]

    def _gene(self, found: _Found) -> list[CalledGene]:
        """The called gene, unless it is too short."""
        if found.structure.coding_bases < self._settings.minimum.coding:
            self.dropped += 1
            return []
        self._called += 1
        gene = found.structure.gene(self._chromosome, f"{self._chromosome}_g{self._called}")
        if found.exons:
            transcripts = tuple(replace(transcript, score=found.support) for transcript in gene.transcripts)
            gene = replace(gene, score=found.support, transcripts=transcripts)
        return [CalledGene(gene, found.support, found.exons)]


def strands_of(settings: Settings) -> tuple[int | None, ...]:
    """The strands that have a path each; one of both is `BOTH`."""
    return (0, 1) if settings.strands == "separate" else (BOTH,)


class _Found(NamedTuple):
    """A coding structure with the support of the gene and its exons, if that is computed."""

    structure: Structure
    support: float = float("nan")
    exons: tuple[float, ...] = ()


class _PathDecoder:
    """Decodes one path piece by piece.

    Args:
        settings: of the decoder.
        strand: whose genes are called, or `BOTH`.
        ends: whether the first and the last base may cut a gene.
        support: whether posterior probabilities are computed.
    """

    def __init__(self, settings: Settings, strand: int | None, ends: tuple[bool, bool], *, support: bool) -> None:
        self._strand = strand
        self._has_support = support
        self._ends = ends
        automaton = grammar(settings)
        self._path = BestPath(automaton, is_cut_start=ends[0], is_cut_end=ends[1])
        self._automaton = scaled(automaton, settings.weights.support)
        self._kept = _Kept()
        # The last two genes before the next group, and those from it on.
        self._before: list[Structure] = []
        self._waiting: list[Structure] = []

    @property
    def final_until(self) -> int:
        """No gene that is still to come begins before this base."""
        return self._waiting[0].span[0] if self._waiting else self._path.outside_until

    def push(self, scores: Scores, codes: NDArray[np.uint8]) -> list[_Found]:
        """Genes that are final with the next bases."""
        if self._strand is not BOTH:
            scores = scores.of_strand(self._strand)
        structures = of_strand(self._path.push(scores, codes), self._strand)
        if not self._has_support:
            return [_Found(structure) for structure in structures]
        self._kept.add(scores, codes)
        self._waiting += structures
        genes = self._groups(self._path.outside_until, is_end=False)
        self._kept.trim(self._first_needed())
        return genes

    def finish(self) -> list[_Found]:
        """The genes that are left when the sequence has ended."""
        structures = of_strand(self._path.finish(), self._strand)
        if not self._has_support:
            return [_Found(structure) for structure in structures]
        self._waiting += structures
        return self._groups(self._path.position, is_end=True)

    def _groups(self, known: int, *, is_end: bool) -> list[_Found]:
        """Genes of the groups whose region is known.

        Args:
            known: no other gene begins before this base.
            is_end: whether the sequence has ended.
        """
        genes: list[_Found] = []
        while self._waiting:
            size = self._size(known, is_end)
            end = self._end(size, known, is_end) if size else None
            if end is None:
                break
            group, self._waiting = self._waiting[:size], self._waiting[size:]
            start = self._start(group[0])
            scores, codes = self._kept.part(start, end)
            is_cut_start = start == 0 and self._ends[0]
            is_cut_end = is_end and end == self._path.position and self._ends[1]
            region = Region(start, scores, codes, is_cut_start, is_cut_end)
            for structure, found in zip(group, supports(self._automaton, region, group), strict=True):
                genes.append(_Found(structure, found.gene, found.exons))
            self._before = [*self._before, *group][-2:]
        return genes

    def _size(self, known: int, is_end: bool) -> int:
        """The number of genes of the next group, or 0 if that is not known yet."""
        first = self._waiting[0].span[0]
        for index, gene in enumerate(self._waiting):
            if gene.span[1] - first >= _GROUP:
                return index + 1
            following = self._waiting[index + 1].span[0] if index + 1 < len(self._waiting) else known
            if following - gene.span[1] >= 2 * _FLANK:
                return index + 1
        return len(self._waiting) if is_end else 0

    def _end(self, size: int, known: int, is_end: bool) -> int | None:
        """The base after the region of the next group, or None if that is not known yet."""
        last = self._waiting[size - 1].span[1]
        length = self._path.position
        if size == len(self._waiting):
            return min(last + _FLANK, length) if known - last >= 2 * _FLANK or is_end else None
        start, end = self._waiting[size].span
        if start - last >= 2 * _FLANK:
            return last + _FLANK
        if end - start > _NEIGHBOUR:
            return (last + start) // 2
        if size + 1 < len(self._waiting):
            return end + min(_FLANK, (self._waiting[size + 1].span[0] - end) // 2)
        return min(end + _FLANK, length) if known - end >= 2 * _FLANK or is_end else None

    def _start(self, group: Structure) -> int:
        """The first base of the region of a group that begins with this gene."""
        first = group.span[0]
        start, end = self._before[-1].span if self._before else (0, 0)
        if first - end >= 2 * _FLANK or not self._before:
            return max(first - _FLANK, 0)
        if end - start > _NEIGHBOUR:
            return (end + first) // 2
        if len(self._before) == 2:
            return start - min(_FLANK, (start - self._before[0].span[1]) // 2)
        return max(start - _FLANK, 0)

    def _first_needed(self) -> int:
        """The first base that a later region may begin with."""
        first = self._waiting[0].span[0] if self._waiting else self._path.outside_until
        if self._before and first - self._before[-1].span[1] < 2 * _FLANK:
            first = self._before[-1].span[0]
        return max(first - _FLANK, 0)


def of_strand(structures: list[Structure], strand: int | None) -> list[Structure]:
    """Those of a strand, or all of `BOTH`.

    A path of one strand can hold a gene of the other only where both ends of a very short sequence cut it.
    """
    return [structure for structure in structures if strand is BOTH or structure.strand == strand]


def decode(
    scores: Scores,
    codes: NDArray[np.uint8],
    settings: Settings,
    *,
    chromosome: str = "",
    support: bool = True,
    open_start: bool = True,
    open_end: bool = True,
) -> list[CalledGene]:
    """Decode a whole sequence; see `Decoder`, also for errors. Without support it takes less than half the time."""
    decoder = Decoder(settings, chromosome=chromosome, support=support, open_start=open_start, open_end=open_end)
    return decoder.push(scores, codes) + decoder.finish()


class _Kept:
    """The scores and bases that later regions may need."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, Scores, NDArray[np.uint8]]] = []
        self._end = 0

    def add(self, scores: Scores, codes: NDArray[np.uint8]) -> None:
        self._pieces.append((self._end, scores, codes))
        self._end += len(codes)

    def trim(self, start: int) -> None:
        """Forget what lies before a base."""
        kept = [(first, scores, codes) for first, scores, codes in self._pieces if first + len(codes) > start]
        if kept and kept[0][0] < start:
            first, scores, codes = kept[0]
            # Copies: views would keep the whole piece.
            part = scores.part(start - first, len(codes))
            kept[0] = (start, Scores(part.log_states.copy(), part.site_logits.copy()), codes[start - first :].copy())
        self._pieces = kept

    def part(self, start: int, end: int) -> tuple[Scores, NDArray[np.uint8]]:
        """Scores and bases of a stretch."""
        pieces = [
            (scores.part(max(start - first, 0), end - first), codes[max(start - first, 0) : end - first])
            for first, scores, codes in self._pieces
            if first < end and first + len(codes) > start
        ]
        scores = Scores(*(np.concatenate(arrays) for arrays in zip(*(piece[0] for piece in pieces), strict=True)))
        return scores, np.concatenate([codes for _, codes in pieces])
