"""False genes in soft-masked and in other sequence: repeats are where gene finders invent most.

A false gene is a call that shares no base with an annotated gene, introns included, on either strand. It belongs to
soft-masked sequence if more than half of its bases (of its CDS if it has one, else of its exons) are in lower case.
Reads the compared regions once, in chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.comparison.lists import Findings, own_bases
from pipelines.comparison.loci import Comparison
from pipelines.gene_models.model import Gene
from pipelines.genome import sequence
from pipelines.genome.fasta import Genome
from pipelines.genome.region import Region

CHUNK = 1 << 23
"""Bases that are in memory at a time."""


@dataclass(frozen=True)
class Share:
    """False genes of one call set in one kind of sequence.

    Attributes:
        bases: of that sequence, without N.
        false_genes: number of them.
    """

    bases: int
    false_genes: int

    @property
    def per_megabase(self) -> float | None:
        """False genes per million bases; None without a base."""
        return self.false_genes * 1e6 / self.bases if self.bases else None


@dataclass(frozen=True)
class FalseGenes:
    """False genes of one call set.

    Attributes:
        total: in all sequence.
        soft_masked, other: in sequence in lower case and the rest; None if the compared sequence has letters of one
            case only, and thus no soft-masking.
    """

    total: Share
    soft_masked: Share | None
    other: Share | None


def count(comparison: Comparison, findings: Sequence[Findings], genome: Genome) -> list[FalseGenes]:
    """Count the false genes of each call set.

    Args:
        comparison: of the call sets.
        findings: from `lists.find`.
        genome: the sequence; letters in lower case are soft-masked.

    Raises:
        InputError: the FASTA file is not the one that was opened any more.
    """
    false_genes = [[finding.gene for finding in of_set["invented"]] for of_set in findings]
    genes = [gene for of_set in false_genes for gene in of_set]
    lower, upper, masked = _measure(comparison.regions, genes, genome)
    results = []
    first = 0
    for of_set in false_genes:
        here = int(masked[first : first + len(of_set)].sum())
        first += len(of_set)
        total = Share(lower + upper, len(of_set))
        if lower and upper:
            results.append(FalseGenes(total, Share(lower, here), Share(upper, len(of_set) - here)))
        else:
            results.append(FalseGenes(total, None, None))
    return results


def _measure(regions: Sequence[Region], genes: Sequence[Gene], genome: Genome) -> tuple[int, int, NDArray[np.bool_]]:
    """Bases in lower and in upper case, without N, and whether more than half of each gene is in lower case."""
    parts = [own_bases(gene, coding=True) for gene in genes]
    owners = np.repeat(np.arange(len(genes)), [len(part) for part in parts])
    chromosomes = np.array([gene.chromosome for gene in genes], dtype=object)[owners]
    all_parts = np.concatenate([np.empty((0, 2), np.int64), *parts])
    in_lower = np.zeros(len(genes), np.int64)
    lower = upper = 0
    for region, start, letters in _chunks(regions, genome):
        is_lower = sequence.is_soft_masked(letters)
        is_n = (letters | 0x20) == ord("n")
        lower += int((is_lower & ~is_n).sum())
        upper += int((~is_lower & ~is_n).sum())
        end = start + len(letters)
        here = np.flatnonzero((chromosomes == region.chromosome) & (all_parts[:, 0] < end) & (all_parts[:, 1] > start))
        if len(here):
            before = np.append(0, np.cumsum(is_lower, dtype=np.int64))
            clipped = np.clip(all_parts[here], start, end) - start
            np.add.at(in_lower, owners[here], before[clipped[:, 1]] - before[clipped[:, 0]])
    sizes = np.bincount(owners, all_parts[:, 1] - all_parts[:, 0], len(genes))
    return lower, upper, 2 * in_lower > sizes


def _chunks(regions: Sequence[Region], genome: Genome) -> Iterator[tuple[Region, int, sequence.Bytes]]:
    """Regions in parts of at most `CHUNK` bases: the region, where the part begins, and its letters."""
    for region in regions:
        for start in range(region.start, region.end, CHUNK):
            yield region, start, genome.sequence(region.chromosome, start, min(start + CHUNK, region.end))
