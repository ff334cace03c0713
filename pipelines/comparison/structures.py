"""The exact structures of genes, from intron chains to whole genes, each as a number by which equals are found."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.comparison.loci import Numbers
from pipelines.gene_models.model import Gene

# Kinds of structures that belong to a whole transcript or gene.
KINDS = ("intron_chain", "transcript", "cds", "gene")


@dataclass
class Register:
    """Gives equal structures, of any set, the same number."""

    _numbers: dict[Hashable, int] = field(default_factory=dict)

    def items(self, genes: Sequence[Gene], kind: str) -> Items:
        """The distinct structures of every gene.

        Args:
            genes: of one set.
            kind: one of `KINDS`.
        """
        numbers: list[int] = []
        owners: list[int] = []
        known = self._numbers
        for owner, gene in enumerate(genes):
            found = {(kind, gene.chromosome, gene.strand, structure) for structure in structures(gene, kind)}
            numbers += [known.setdefault(key, len(known)) for key in found]
            owners += [owner] * len(found)
        return Items(np.array(numbers, np.int64), np.array(owners, np.int64), len(genes))


@dataclass(frozen=True)
class Items:
    """The structures of one kind of the genes of a set.

    Attributes:
        numbers: equal for equal structures; distinct within a gene. Shape (items,).
        owners: the gene of each; shape (items,).
        genes: number of genes.
    """

    numbers: Numbers
    owners: Numbers
    genes: int

    def by_gene(self, other: Items) -> Numbers:
        """Structures of each gene, and how many of them another set has; shape (genes, 2)."""
        is_shared = np.isin(self.numbers, other.numbers)
        return np.stack(
            [np.bincount(self.owners, minlength=self.genes), np.bincount(self.owners[is_shared], minlength=self.genes)],
            axis=1,
        )

    def by_locus(self, other: Items, loci: Numbers, count: int) -> Numbers:
        """Distinct structures of each locus, and how many of them another set has; shape (loci, 2).

        Args:
            other: the other set.
            loci: the locus of each gene.
            count: number of loci.
        """
        distinct, first = np.unique(self.numbers, return_index=True)
        places = loci[self.owners[first]]
        is_shared = np.isin(distinct, other.numbers)
        return np.stack([np.bincount(places, minlength=count), np.bincount(places[is_shared], minlength=count)], axis=1)


def structures(gene: Gene, kind: str) -> Iterable[Hashable]:
    """The structures of a gene, repeated where transcripts share them.

    Args:
        gene: a gene.
        kind: one of `KINDS`.
    """
    if kind == "gene":
        return [(gene.start, gene.end, frozenset(transcript.exons for transcript in gene.transcripts))]
    if kind == "intron_chain":
        return [transcript.introns for transcript in gene.transcripts if transcript.introns]
    if kind == "transcript":
        return [transcript.exons for transcript in gene.transcripts]
    return [transcript.cds for transcript in gene.transcripts if transcript.cds]
