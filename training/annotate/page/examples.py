"""Chooses the genes that a page draws, while genes pass by: the same ones for the same genes, in bounded memory.

One is among the surest, one has about the median score, one is among the least sure; one is longest, one has most
introns, one the longest intron. Of genes that are alike in this, those of sequences that have no picture yet come
first, then those with introns, then those nearest the middle of their sequence. No two pictures overlap.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.gene_models.model import Gene
from pipelines.genome.region import Region

BINS = 50
"""Of scores: genes of one bin are alike."""
MAX_SEQUENCES = 24
"""Sequences, the longest, whose genes are drawn for their score."""
FLANK_SHARE, MIN_FLANK = 0.3, 1_200
"""What a picture shows at either side: share of the gene, and bases."""
TITLES = {
    "surest": "Among the surest",
    "median": "Of about the median score",
    "least-sure": "Among the least sure",
    "longest": "Longest gene",
    "introns": "Most introns",
    "intron": "Longest intron",
}
_RUNNERS_UP = 8


@dataclass(frozen=True)
class Example:
    """A gene that is drawn.

    Attributes:
        kind: a key of `TITLES`.
        gene: the gene.
        window: the stretch that the picture shows.
    """

    kind: str
    gene: Gene
    window: Region


class Choice:
    """Keeps the genes that may be drawn.

    Args:
        lengths: bases of every sequence.
    """

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self._lengths = lengths
        longest = heapq.nsmallest(MAX_SEQUENCES, ((-bases, number) for number, bases in enumerate(lengths.values())))
        names = list(lengths)
        self._by_score: dict[str, dict[int, tuple[tuple[bool, int], Gene]]] = {names[one]: {} for _, one in longest}
        self._counts = [0] * BINS
        # Number of the gene in its heap is what decides among equals: the first one stays.
        self._largest: dict[str, list[tuple[int, int, Gene]]] = {"longest": [], "introns": [], "intron": []}
        self._number = 0

    def add(self, gene: Gene) -> None:
        """Keep a gene if it may be drawn."""
        introns = gene.transcripts[0].introns
        self._number += 1
        self._keep("longest", gene.end - gene.start, gene)
        if introns:
            self._keep("introns", len(introns), gene)
            self._keep("intron", max(end - start for start, end in introns), gene)
        if gene.score is None or not 0 <= gene.score <= 1:
            return
        level = min(int(gene.score * BINS), BINS - 1)
        self._counts[level] += 1
        if (of_sequence := self._by_score.get(gene.chromosome)) is not None:
            rank = (not introns, abs(gene.start + gene.end - self._lengths[gene.chromosome]))
            if level not in of_sequence or rank < of_sequence[level][0]:
                of_sequence[level] = (rank, gene)

    def _keep(self, kind: str, size: int, gene: Gene) -> None:
        kept = self._largest[kind]
        if len(kept) < _RUNNERS_UP:
            heapq.heappush(kept, (size, -self._number, gene))
        elif size > kept[0][0]:
            heapq.heapreplace(kept, (size, -self._number, gene))

    def chosen(self) -> list[Example]:
        """The genes that are drawn, in the order of `TITLES`; a kind is left out if there is no gene for it."""
        # The rarest first: many genes are sure.
        order = ("introns", "longest", "intron", "least-sure", "median", "surest")
        chosen: dict[str, Example] = {}
        for kind in order:
            for gene in self._candidates(kind, [one.gene.chromosome for one in chosen.values()]):
                window = self._window(gene)
                if not any(_overlap(window, other.window) for other in chosen.values()):
                    chosen[kind] = Example(kind, gene, window)
                    break
        return [chosen[kind] for kind in TITLES if kind in chosen]

    def _candidates(self, kind: str, drawn: list[str]) -> Iterator[Gene]:
        """Genes of a kind, the best first."""
        if kind in self._largest:
            yield from (gene for _, _, gene in sorted(self._largest[kind], reverse=True, key=lambda one: one[:2]))
            return
        wanted = {"least-sure": 0, "median": self._median(), "surest": BINS - 1}[kind]
        found = [
            (abs(level - wanted), drawn.count(name), rank, number, gene)
            for number, (name, levels) in enumerate(self._by_score.items())
            for level, (rank, gene) in levels.items()
        ]
        yield from (gene for *_, gene in sorted(found, key=lambda one: one[:4]))

    def _median(self) -> int:
        """The bin of the median score."""
        before, half = 0, sum(self._counts) / 2
        for level, count in enumerate(self._counts):
            before += count
            if before >= half:
                return level
        return BINS - 1

    def _window(self, gene: Gene) -> Region:
        flank = max(round((gene.end - gene.start) * FLANK_SHARE), MIN_FLANK)
        end = min(gene.end + flank, self._lengths[gene.chromosome])
        return Region("", gene.chromosome, max(gene.start - flank, 0), end)


def _overlap(one: Region, other: Region) -> bool:
    return one.chromosome == other.chromosome and one.overlaps(other.start, other.end)
