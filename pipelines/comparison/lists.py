"""Genes that calls fuse, split, miss or invent, as intervals to open in a genome browser.

`covers` means that at least half of the exon bases (of all bases where a file gives no exons) of the one lie between
the ends of the other, on the same strand. A gene within another one, or half of it, counts as that one: calling a gene
with another in its intron fuses nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines import storage
from pipelines.comparison.loci import CallSetComparison, Comparison, span
from pipelines.gene_models.model import Gene
from pipelines.genome import bed, intervals

KINDS = {
    "fused": "calls that cover several annotated genes",
    "split": "annotated genes that cover several calls",
    "missed": "annotated genes with which no call shares a base on the same strand",
    "wrong_strand": "calls that share a base with annotated genes on the other strand only",
    "invented": "calls that share a base with no annotated gene, on either strand",
}
HALF = 0.5
# A name may hold what no name of a file may, or what a shell takes for something else.
_UNSAFE = dict.fromkeys([*range(32), 127, *map(ord, '/\\:*?"<>|')], "-")


@dataclass(frozen=True)
class Finding:
    """A gene or call of one of `KINDS`.

    Attributes:
        gene: the call, or the annotated gene that is split or missed.
        others: the genes that it fuses, or the calls that split it, in the order of the genome.
    """

    gene: Gene
    others: tuple[Gene, ...] = ()

    @property
    def start(self) -> int:
        """First base of the gene and the others."""
        return min(span(gene)[0] for gene in (self.gene, *self.others))

    @property
    def end(self) -> int:
        """Base after their last."""
        return max(span(gene)[1] for gene in (self.gene, *self.others))


Findings = dict[str, list[Finding]]
"""By key of `KINDS`, in the order of the genome."""


def find(comparison: Comparison) -> list[Findings]:
    """The genes that each call set fuses, splits, misses and invents."""
    return [_find(comparison, call_set) for call_set in comparison.call_sets]


def _find(comparison: Comparison, call_set: CallSetComparison) -> Findings:
    genes, calls = comparison.genes, call_set.calls
    pairs = call_set.overlaps[:, :2]
    missed = np.setdiff1d(np.arange(len(genes)), pairs[:, 0])
    apart = np.setdiff1d(np.arange(len(calls)), pairs[:, 1])
    touches = touches_a_gene(comparison, [calls[number] for number in apart.tolist()])
    return {
        "fused": list(_several(calls, genes, pairs[:, ::-1])),
        "split": list(_several(genes, calls, pairs)),
        "missed": [Finding(genes[number]) for number in missed.tolist()],
        "wrong_strand": [Finding(calls[number]) for number in apart[touches].tolist()],
        "invented": [Finding(calls[number]) for number in apart[~touches].tolist()],
    }


def touches_a_gene(comparison: Comparison, calls: Sequence[Gene]) -> NDArray[np.bool_]:
    """Whether each call shares a base with an annotated gene on either strand, introns included; shape (calls,)."""
    touches = np.zeros(len(calls), np.bool_)
    annotated, called = _by_chromosome(comparison.genes), _by_chromosome(calls)
    for name, numbers in called.items():
        genes = intervals.merge(_spans([comparison.genes[number] for number in annotated.get(name, [])]))
        touches[numbers] = intervals.overlaps(_spans([calls[number] for number in numbers]), genes)
    return touches


def _by_chromosome(genes: Sequence[Gene]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for number, gene in enumerate(genes):
        numbers.setdefault(gene.chromosome, []).append(number)
    return numbers


def _spans(genes: Sequence[Gene]) -> intervals.Intervals:
    return np.array([span(gene) for gene in genes], np.int64).reshape(-1, 2)


def _several(outer: Sequence[Gene], inner: Sequence[Gene], pairs: NDArray[np.int64]) -> Iterator[Finding]:
    """The outer genes that cover several inner ones.

    Args:
        outer: calls, or annotated genes.
        inner: the other.
        pairs: number of the outer and of the inner gene of each pair that shares a base; shape (pairs, 2).
    """
    ordered = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].tolist()
    for number, group in itertools.groupby(ordered, key=lambda pair: pair[0]):
        others = [other for _, other in group]
        if len(others) < 2:
            continue
        covered = [inner[other] for other in others if _covers(outer[number], inner[other])]
        if len(covered) > 1 and len(apart := _apart(covered)) > 1:
            yield Finding(outer[number], tuple(apart))


def _covers(outer: Gene, inner: Gene) -> bool:
    start, end = span(outer)
    parts = own_bases(inner)
    inside = np.minimum(parts[:, 1], end) - np.maximum(parts[:, 0], start)
    return bool(np.maximum(inside, 0).sum() >= HALF * (parts[:, 1] - parts[:, 0]).sum())


def own_bases(gene: Gene, *, coding: bool = False) -> intervals.Intervals:
    """The exons of all transcripts of a gene as a merged set, or the gene itself if it has none; shape (parts, 2).

    Args:
        gene: any.
        coding: whether to take the CDS where there is one.
    """
    parts = [part for transcript in gene.transcripts for part in transcript.exons]
    if coding:
        parts = [part for transcript in gene.transcripts for part in transcript.cds] or parts
    return intervals.merge(np.array(parts or [(gene.start, gene.end)], np.int64))


def _apart(genes: Sequence[Gene]) -> list[Gene]:
    """The genes without those of which a longer one shares half, in the order given."""
    spans = np.array([(gene.start, gene.end) for gene in genes], np.int64)
    taken, chosen = np.empty_like(spans), list[int]()
    # By length, of equal ones the first; a call of a whole chromosome may cover thousands.
    for number in np.argsort(spans[:, 0] - spans[:, 1], kind="stable").tolist():
        start, end = spans[number]
        longer = taken[: len(chosen)]
        shared = np.minimum(longer[:, 1], end) - np.maximum(longer[:, 0], start)
        if (shared < HALF * (end - start)).all():
            taken[len(chosen)] = start, end
            chosen.append(number)
    return [genes[number] for number in sorted(chosen)]


def output_paths(folder: Path, names: Sequence[str]) -> dict[tuple[str, str], Path]:
    """The file of each call set and kind.

    Args:
        folder: where they are written.
        names: of the call sets.
    """
    files = [name.translate(_UNSAFE) for name in names]
    if len(set(files)) < len(files):
        files = [f"{number}-{file}" for number, file in enumerate(files, 1)]
    return {
        (name, kind): folder / f"{file}.{kind}.bed" for name, file in zip(names, files, strict=True) for kind in KINDS
    }


def write(comparison: Comparison, findings: Sequence[Findings], folder: Path) -> list[Path]:
    """Write the lists as BED6, one file for each call set and kind, sorted by chromosome and start.

    Returns:
        The files, each written whole or not at all; one without an interval is empty.

    Raises:
        StorageError: the folder cannot be written.
    """
    paths = output_paths(folder, [call_set.name for call_set in comparison.call_sets])
    for call_set, of_set in zip(comparison.call_sets, findings, strict=True):
        for kind, found in of_set.items():
            storage.write_text(paths[call_set.name, kind], "".join(_bed_lines(found)))
    return list(paths.values())


def _bed_lines(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in sorted(findings, key=lambda finding: (finding.gene.chromosome, *span(finding.gene))):
        gene = finding.gene
        start, end = span(gene)
        name = bed.name([gene.gene_id, *(other.gene_id for other in finding.others)])
        score = bed.bed_score(min(max(gene.score or 0.0, 0.0), 1.0))
        yield "\t".join(map(str, (gene.chromosome, start, end, name, score, gene.strand))) + "\n"
