"""The exons and genes that labels show, and how many of them a decoder called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.gene_models.model import Spans
from pipelines.structure import genes, states
from pipelines.structure.states import MASKED, States
from training.decoding.called import STRANDS, CalledGene

Exon = tuple[int, int, int]
Chain = tuple[int, Spans]


@dataclass(frozen=True)
class Counts:
    """How many are annotated, called, and both; `+` adds those of other stretches."""

    annotated: int = 0
    called: int = 0
    correct: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.annotated + other.annotated, self.called + other.called, self.correct + other.correct)

    @property
    def recall(self) -> float:
        """Share of the annotated ones that are called; 0 without any."""
        return self.correct / self.annotated if self.annotated else 0.0

    @property
    def precision(self) -> float:
        """Share of the called ones that are annotated; 0 without any."""
        return self.correct / self.called if self.called else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of recall and precision; 0 without any."""
        total = self.annotated + self.called
        return 2 * self.correct / total if total else 0.0


class Truth:
    """What the labels of a stretch show.

    Exons are coding parts with exact ends, genes their chains from start to stop. What touches a masked base of its
    strand or an end of the stretch counts neither as annotated nor as called.

    Args:
        packed: states of both strands, shape (bases,).

    Attributes:
        exons: strand, start and end of every exon.
        genes: strand and coding spans of every gene.
    """

    def __init__(self, packed: States) -> None:
        self.exons: set[Exon] = set()
        self._bases = len(packed)
        # Number of masked bases before each base, by strand.
        self._masked: list[NDArray[np.int64]] = []
        for strand, own in enumerate(states.unpack(packed)):
            runs = genes.runs(own[::-1] if strand else own)
            starts, ends = runs.starts[runs.whole_exons], runs.ends[runs.whole_exons]
            if strand:
                starts, ends = self._bases - ends, self._bases - starts
            self.exons |= {(strand, start, end) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)}
            self._masked.append(np.concatenate([[0], np.cumsum(own == MASKED)]))
        self.genes: set[Chain] = {
            (STRANDS.index(gene.strand), gene.transcripts[0].cds) for gene in genes.whole_genes(packed, "")
        }

    def exon_counts(self, called: Iterable[CalledGene]) -> Counts:
        """How many exons are annotated, called and both."""
        exons = {
            (strand, start, end)
            for strand, spans in map(_chain, called)
            for start, end in spans
            if self._counts(strand, start, end)
        }
        return Counts(len(self.exons), len(exons), len(exons & self.exons))

    def exon_supports(self, called: Iterable[CalledGene]) -> list[tuple[float, bool]]:
        """The support of each exon that was called, and whether it is annotated."""
        return [
            (support, (strand, start, end) in self.exons)
            for gene in called
            for strand, spans in [_chain(gene)]
            for (start, end), support in zip(spans, gene.exon_support, strict=True)
            if self._counts(strand, start, end)
        ]

    def gene_counts(self, called: Iterable[CalledGene]) -> Counts:
        """How many genes are annotated, called, and both with the same chain of exons."""
        chains = {
            (strand, spans) for strand, spans in map(_chain, called) if self._counts(strand, spans[0][0], spans[-1][1])
        }
        return Counts(len(self.genes), len(chains), len(chains & self.genes))

    def _counts(self, strand: int, start: int, end: int) -> bool:
        if start == 0 or end == self._bases:
            return False
        masked = self._masked[strand]
        return bool(masked[min(end + 1, self._bases)] == masked[max(start - 1, 0)])


def _chain(gene: CalledGene) -> Chain:
    return STRANDS.index(gene.gene.strand), gene.transcript.cds
