"""What a comparison of gene calls with an annotation yields: counts of every locus, from which all figures are sums.

A locus is a connected component of genes and calls, of all call sets, that share a base on either strand. Every base,
exon, intron, transcript and gene lies within one, so that a level's counts are sums over loci, and loci are what is
resampled for intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.comparison import levels
from pipelines.comparison.levels import Counts, Level
from pipelines.gene_models.model import Gene
from pipelines.genome.intervals import Intervals
from pipelines.genome.region import Region

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Loci:
    """Where the loci of a comparison are, in the order of the genome.

    Attributes:
        chromosomes: the sequence of each.
        starts, ends: 0-based half-open; shape (loci,). No two share a base.
    """

    chromosomes: tuple[str, ...]
    starts: Numbers
    ends: Numbers

    def __len__(self) -> int:
        return len(self.chromosomes)


@dataclass(frozen=True)
class CallSetComparison:
    """One call set compared with the annotation.

    Attributes:
        name: what it is called on tables.
        calls: those that are compared, in the order of the genome.
        call_loci: the locus of each call; shape (calls,).
        counts: shape (loci, levels, 4); an item that several genes share counts once.
        annotated_items: of each annotated gene, its items and how many of them were called; shape (genes, levels, 2).
            Items of the base levels are bases; a gene without a strand has those of both.
        called_items: of each call, its items and how many of them are annotated; shape (calls, levels, 2).
        overlaps: gene, call and number of bases that their spans share, for each pair that shares any on the same
            strand; shape (pairs, 3).
        levels: the keys of the levels that are defined: those for which both sides have what the level compares.
    """

    name: str
    calls: tuple[Gene, ...]
    call_loci: Numbers
    counts: Counts
    annotated_items: Numbers
    called_items: Numbers
    overlaps: Numbers
    levels: frozenset[str]

    def figures(self) -> dict[str, Level]:
        """The agreement at every level that is defined."""
        return {key: level for key, level in levels.of_sums(self.counts.sum(0)).items() if key in self.levels}


@dataclass(frozen=True)
class Comparison:
    """Call sets compared with one annotation.

    Attributes:
        lengths: bases of the sequences on which anything is compared, in FASTA order.
        regions: what is compared; whole sequences unless regions are requested.
        genes: the annotated genes that are compared, in the order of the genome.
        gene_loci: the locus of each gene; shape (genes,).
        loci: where genes and calls are.
        call_sets: one for each call set.
        everything: what calling every base of the regions a gene would score.
        annotated_across: number of annotated genes left out because they are neither inside nor outside the regions.
        called_across: the same of each call set.
        called_of_genes_across: number of calls of each set that are left out because they share bases, on their strand,
            with annotated genes that are left out so, and with no other.
    """

    lengths: dict[str, int]
    regions: tuple[Region, ...]
    genes: tuple[Gene, ...]
    gene_loci: Numbers
    loci: Loci
    call_sets: tuple[CallSetComparison, ...]
    everything: Level
    annotated_across: int
    called_across: tuple[int, ...]
    called_of_genes_across: tuple[int, ...]

    @property
    def is_of_whole_sequences(self) -> bool:
        """Whether every region is a whole sequence."""
        return all(one.end - one.start == self.lengths[one.chromosome] for one in self.regions)


def span(gene: Gene) -> tuple[int, int]:
    """First base, and base after the last, of a gene and all its transcripts."""
    starts = (transcript.start for transcript in gene.transcripts)
    ends = (transcript.end for transcript in gene.transcripts)
    return min((gene.start, *starts)), max((gene.end, *ends))


def connect(spans: Sequence[Intervals]) -> tuple[Intervals, list[Numbers]]:
    """The connected components of intervals that share a base.

    Args:
        spans: of several sets, on one axis for all sequences; shape (n, 2) each.

    Returns:
        Start and end of each component, shape (loci, 2), sorted; and for each set the component of each interval.
    """
    union = merge_overlapping(np.concatenate(spans))
    return union, [np.searchsorted(union[:, 0], own[:, 0], side="right") - 1 for own in spans]


def merge_overlapping(spans: Intervals) -> Intervals:
    """The union as sorted intervals; those that touch without sharing a base stay apart. Shape (m, 2)."""
    if len(spans) == 0:
        return spans
    ordered = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ordered[:, 1])
    opens = np.append(True, ordered[1:, 0] >= reach[:-1])
    return np.stack([ordered[opens, 0], reach[np.append(opens[1:], True)]], axis=1)
