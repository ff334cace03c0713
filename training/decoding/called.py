"""Gene models from the events of the best path."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipelines.gene_models.model import Gene, Spans, Transcript
from training.decoding.survivors import (
    BEGIN,
    CUT_INTRON,
    END,
    LEFT,
    LEVEL,
    RIGHT,
    STRAND,
    UTR_BEGIN,
    UTR_END,
)

STRANDS = "+-"
_EVENTS = 8


@dataclass(frozen=True)
class CalledGene:
    """A gene that the decoder called.

    Attributes:
        gene: with one transcript; its score is `support`, None if that was not computed.
        support: posterior probability of exactly this coding structure; NaN if not computed.
        exon_support: posterior probability of each part of the CDS, with exactly these ends and this phase, in the
            order of `gene.transcripts[0].cds`; empty if not computed.
    """

    gene: Gene
    support: float = math.nan
    exon_support: tuple[float, ...] = ()

    @property
    def transcript(self) -> Transcript:
        """The gene's transcript."""
        return self.gene.transcripts[0]


@dataclass(frozen=True)
class Structure:
    """The coding structure of a gene on the path, by the forward coordinate.

    Attributes:
        strand: 0 forward, 1 reverse.
        exons: coding parts; one at least.
        start, end: with untranslated regions.
        span: all bases of the gene, with introns that an end of the sequence cuts.
        cut_start: bases read of the codon that the beginning of the sequence cuts, or -1 if it cuts nothing.
        cut_end: the same at the end of the sequence.
        begins_with_intron: whether the beginning of the sequence lies in an intron of the gene.
        ends_with_intron: whether its end does.
    """

    strand: int
    exons: Spans
    start: int
    end: int
    span: tuple[int, int]
    cut_start: int = -1
    cut_end: int = -1
    begins_with_intron: bool = False
    ends_with_intron: bool = False

    @property
    def coding_bases(self) -> int:
        """Bases of the coding sequence."""
        return sum(end - start for start, end in self.exons)

    def gene(self, chromosome: str, gene_id: str) -> Gene:
        """The gene model."""
        cut_5, cut_3 = (self.cut_start, self.cut_end) if self.strand == 0 else (self.cut_end, self.cut_start)
        # On the reverse strand a codon is read from its third base on.
        phase = 0 if cut_5 < 0 else (-cut_5 % 3 if self.strand == 0 else cut_5)
        outer = list(self.exons)
        outer[0] = (self.start, outer[0][1])
        outer[-1] = (outer[-1][0], self.end)
        transcript = Transcript(
            f"{gene_id}.t1",
            exons=tuple(outer),
            cds=self.exons,
            phase=phase,
            is_partial_start=cut_5 >= 0,
            is_partial_stop=cut_3 >= 0,
        )
        return Gene(gene_id, chromosome, self.start, self.end, STRANDS[self.strand], (transcript,))


class Structures:
    """Turns events, in their order, into coding structures.

    Args:
        has_utr: whether an untranslated region may follow the coding sequence.

    Attributes:
        opened: the first base of a gene that is not complete, or None.
    """

    def __init__(self, *, has_utr: bool) -> None:
        self.opened: int | None = None
        self._has_utr = has_utr
        self._strand = 0
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._cut = -1
        self._in_intron = False
        # A gene of which an untranslated region may still follow.
        self._ended: Structure | None = None

    def add(self, events: Iterable[tuple[int, int]]) -> list[Structure]:
        """Structures that these events complete."""
        complete: list[Structure] = []
        for place, tag in events:
            event, self._strand = tag % _EVENTS, tag // STRAND % 2
            if event == UTR_END and self._ended is not None:
                self._ended = replace(self._ended, end=place, span=(self._ended.span[0], place))
                complete += self.release()
            elif event == END:
                self._ends.append(place)
                self._ended = self._structure(place, -1, is_in_intron=False)
                if not self._has_utr:
                    complete += self.release()
            elif event == LEFT:
                self._ends.append(place)
            elif event == RIGHT:
                self._starts.append(place)
            else:
                complete += self.release()
                if self.opened is None:
                    self.opened = place
                if event != UTR_BEGIN:
                    self._starts, self._ends = ([] if event == CUT_INTRON else [place]), []
                    self._cut = -1 if event == BEGIN else tag // LEVEL
                    self._in_intron = event == CUT_INTRON
        return complete

    def release(self) -> list[Structure]:
        """The gene after which no untranslated region follows, if there is one."""
        if self._ended is None:
            return []
        ended, self._ended, self.opened = self._ended, None, None
        return [ended]

    def finish(self, end: int, cut: int, *, is_in_intron: bool) -> list[Structure]:
        """Structures that are left when the sequence ends.

        Args:
            end: bases of the sequence.
            cut: bases read of the codon that is cut, or -1 if the path ends outside a gene.
            is_in_intron: whether it ends in an intron.
        """
        complete = self.release()
        if cut >= 0 and self._starts:
            if not is_in_intron:
                self._ends.append(end)
            complete.append(self._structure(end, cut, is_in_intron=is_in_intron))
        return complete

    def _structure(self, end: int, cut_end: int, *, is_in_intron: bool) -> Structure:
        exons = tuple(zip(self._starts, self._ends, strict=True))
        first = 0 if self.opened is None else self.opened
        start = exons[0][0] if self._in_intron else first
        return Structure(
            self._strand,
            exons,
            start,
            exons[-1][1],
            (first, end),
            cut_start=self._cut,
            cut_end=cut_end,
            begins_with_intron=self._in_intron,
            ends_with_intron=is_in_intron,
        )
