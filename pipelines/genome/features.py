"""Annotated intervals, and the content of an annotation file whatever its format.

Coordinates are 0-based half-open on the forward strand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from pipelines.display import agreeing, counted

SIGNS = {"+": 1, "-": -1}


@dataclass(frozen=True, order=True)
class Feature:
    """One annotated interval: 0-based half-open, on the forward strand.

    Attributes:
        row: start and end of the gene's row, where the interval is only its mRNAs or coding sequence.
    """

    chromosome: str
    start: int
    end: int
    strand: str
    gene_id: str
    biotype: str | None
    row: tuple[int, int] | None = field(default=None, compare=False)


@dataclass
class Annotation:
    """The content of an annotation file, as far as raygene needs it.

    Attributes:
        genes: features of the requested types and biotypes, in file order.
        excluded: chromosome to (start, end, strand) of every gene-like feature, in file order; the strand is +1, -1,
            or 0 where it is unknown.
        types: how often each type of column 3 occurs.
        dropped: number of features of the requested types that are not used as genes, by reason.
        unused: number of rows that belong to no gene, by reason.
        unnamed: number of the first line of an exon or CDS that names no gene and no transcript; 0 if there is none.
        derived: number of genes that have no row of their own; they are the last of `genes`.
        derived_from: the transcript and gene that parts of each of these name.
        circular: names of the sequences that a row says are circular.
        has_encoded_names: whether earlier versions decoded `%2C` in names of sequences.
        others: chromosome to (start, end, strand) of every gene-like feature that is no part of a gene with such a
            `row`; empty where genes are their rows.
        rules: what was read otherwise than by versions before these rules, so that no old dataset passes for a new
            one; empty for most files.
    """

    genes: list[Feature] = field(default_factory=list)
    excluded: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    types: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    unnamed: int = 0
    derived: int = 0
    derived_from: list[set[tuple[str | None, str | None]]] = field(default_factory=list)
    circular: set[str] = field(default_factory=set)
    has_encoded_names: bool = False
    others: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    rules: set[str] = field(default_factory=set)

    def decoded(self, name: str) -> str:
        """A name of a sequence as the specification of the file's format decodes it."""
        return unquote(name) if self.has_encoded_names else name

    @property
    def chromosomes(self) -> list[str]:
        """Names of the sequences that have a gene or a gene-like feature, in file order."""
        return list(dict.fromkeys([*self.excluded, *(gene.chromosome for gene in self.genes)]))

    def describe_unused(self) -> str:
        """How many rows belong to no gene, and why, for a message; empty if all do."""
        reasons = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in self.unused.most_common())
        rows = self.unused.total()
        are = agreeing(rows, "is", "are")
        return f"{counted(rows, 'row')} of the annotation {are} not used for genes ({reasons})" if reasons else ""

    def exclude(self, chromosome: str, start: int, end: int, strand: str) -> None:
        """Add a gene-like interval, which negatives avoid."""
        self.excluded.setdefault(chromosome, []).append((start, end, SIGNS.get(strand, 0)))

    def renamed(self, name_of: Callable[[str], str]) -> Annotation:
        """The same annotation with its sequences renamed; names that become equal are merged."""
        names = {name: name_of(name) for name in [*self.chromosomes, *self.circular]}
        if all(old == new for old, new in names.items()):
            return self
        excluded, others = (_renamed(rows, name_of) for rows in (self.excluded, self.others))
        genes = [replace(gene, chromosome=names[gene.chromosome]) for gene in self.genes]
        circular = {name_of(name) for name in self.circular}
        return replace(self, genes=genes, excluded=excluded, others=others, circular=circular)


def _renamed(
    rows_of: dict[str, list[tuple[int, int, int]]], name_of: Callable[[str], str]
) -> dict[str, list[tuple[int, int, int]]]:
    renamed: dict[str, list[tuple[int, int, int]]] = {}
    for name, rows in rows_of.items():
        renamed.setdefault(name_of(name), []).extend(rows)
    return renamed


def rows_left_out(left_out: Iterable[Feature], genes: Iterable[Feature]) -> NDArray[np.int64]:
    """Where rows lie of which a part would have been a gene, and which are the row of none of the genes.

    Args:
        left_out: genes of a sequence that are not used.
        genes: those that are used.

    Returns:
        Start, end and strand (+1, -1, or 0 where it is unknown), shape (n, 3); none where genes are their rows.
    """
    used = {(gene.row, gene.strand) for gene in genes}
    rows = [
        (*gene.row, SIGNS.get(gene.strand, 0)) for gene in left_out if gene.row and (gene.row, gene.strand) not in used
    ]
    return np.array(rows, np.int64).reshape(-1, 3)
