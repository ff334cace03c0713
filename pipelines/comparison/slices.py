"""Figures of parts of the genes: by chromosome, gene length, number of introns, and biotype.

By chromosome, counts are those of its loci. Otherwise sensitivity is over the annotated genes that have a property, and
precision over the calls that have it: an item that two genes share counts for each. Calls have no biotype, so that a
biotype has a sensitivity only. Costs one sparse matrix product for all slices of all call sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipelines.comparison import bootstrap
from pipelines.comparison.bootstrap import FIGURES, Estimate, Resampling
from pipelines.comparison.levels import INDEX
from pipelines.comparison.loci import CallSetComparison, Comparison, span
from pipelines.gene_models.model import Gene

BY = ("chromosome", "length", "introns", "biotype")
LEVELS = ("base_stranded", "cds_base", "exon", "cds", "gene", "half", "touched")
"""Those that slices have figures of."""
MAX_SLICES = 50
"""Of one property; the others, with fewest genes, are one slice."""
UNKNOWN = "not given"
_LENGTHS = (300, 1_000, 3_000, 10_000, 30_000, 100_000)
_INTRONS = (1, 2, 3, 5, 10, 20)
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Slice:
    """A call set's figures on a part of the genes.

    Attributes:
        name: a chromosome, a range of bases or of introns, or a biotype.
        genes: number of annotated genes in it.
        calls: number of calls in it; None by biotype, which calls lack.
        estimates: by level that is defined and key of `bootstrap.FIGURES`.
    """

    name: str
    genes: int
    calls: int | None
    estimates: dict[str, dict[str, Estimate]]


@dataclass(frozen=True)
class _Grouping:
    """The slice of every gene and call.

    Attributes:
        names: of the slices.
        genes: number of the slice of each annotated gene.
        calls: of each call of each call set; None where calls lack the property.
    """

    names: list[str]
    genes: Numbers
    calls: list[Numbers] | None


def compute(comparison: Comparison, resampling: Resampling) -> list[dict[str, list[Slice]]]:
    """The slices of each call set, for each of `BY`.

    Args:
        comparison: of the call sets.
        resampling: how loci are drawn; the samples are those of the figures of all genes.
    """
    if not len(comparison.loci):
        return [{by: [] for by in BY} for _ in comparison.call_sets]
    groupings = {by: _group(comparison, by) for by in BY}
    tables = [
        _Counts.of(comparison, call_set, number, by, groupings[by])
        for number, call_set in enumerate(comparison.call_sets)
        for by in BY
    ]
    columns = sparse.hstack([table.columns for table in tables], format="csr")
    samples = bootstrap.resampled_sums(columns, resampling)
    results: list[dict[str, list[Slice]]] = [{} for _ in comparison.call_sets]
    first = 0
    for table in tables:
        last = first + table.columns.shape[1]
        results[table.call_set][table.by] = table.slices(comparison, samples[:, first:last])
        first = last
    return results


@dataclass(frozen=True)
class _Counts:
    """What one call set has in the slices of one property.

    Attributes:
        call_set: its number.
        by: the property.
        grouping: the slices.
        columns: counts of each locus, shape (loci, slices x levels x 4).
    """

    call_set: int
    by: str
    grouping: _Grouping
    columns: sparse.csr_array

    @classmethod
    def of(
        cls, comparison: Comparison, call_set: CallSetComparison, number: int, by: str, grouping: _Grouping
    ) -> _Counts:
        loci, slices = len(comparison.loci), len(grouping.names)
        chosen = [INDEX[level] for level in LEVELS]
        # The locus and the slice of each row of some counts, those counts, and which of the four kinds they are.
        parts: list[tuple[Numbers, Numbers, Numbers, tuple[int, ...]]]
        if by == "chromosome":
            of_locus = np.zeros(loci, np.int64)
            of_locus[comparison.gene_loci] = grouping.genes
            for calls, places in zip(grouping.calls or [], comparison.call_sets, strict=True):
                of_locus[places.call_loci] = calls
            parts = [(np.arange(loci), of_locus, call_set.counts[:, chosen], (0, 1, 2, 3))]
        else:
            parts = [(comparison.gene_loci, grouping.genes, call_set.annotated_items[:, chosen], (0, 2))]
            if grouping.calls is not None:
                parts += [(call_set.call_loci, grouping.calls[number], call_set.called_items[:, chosen], (1, 3))]
        rows, columns, values = list[Numbers](), list[Numbers](), list[Numbers]()
        for locus, slice_number, items, kinds in parts:
            shape = items.shape
            rows.append(np.broadcast_to(locus[:, None, None], shape).ravel())
            first = slice_number[:, None] * len(LEVELS) + np.arange(len(LEVELS))
            columns.append((first[:, :, None] * 4 + np.array(kinds)).ravel())
            values.append(items.ravel())
        coordinates = (np.concatenate(rows), np.concatenate(columns))
        # Entries of one locus and column are summed.
        matrix = sparse.coo_array((np.concatenate(values), coordinates), (loci, slices * len(LEVELS) * 4)).tocsr()
        matrix.eliminate_zeros()
        return cls(number, by, grouping, matrix)

    def slices(self, comparison: Comparison, samples: bootstrap.Floats) -> list[Slice]:
        """Every slice with its figures.

        Args:
            comparison: of all call sets.
            samples: sums of the columns in each bootstrap sample, shape (samples, columns).
        """
        call_set = comparison.call_sets[self.call_set]
        shape = (len(self.grouping.names), len(LEVELS), 4)
        values = bootstrap.figures(np.asarray(self.columns.sum(axis=0)).reshape(shape))
        resampled = bootstrap.figures(samples.reshape(len(samples), *shape))
        filled = (self.columns > 0).sum(axis=0).reshape(shape)
        # Loci with something annotated, something called, or the more frequent of the two.
        loci = np.stack([filled[..., 0], filled[..., 1], filled[..., :2].max(axis=-1)], axis=-1)
        genes = np.bincount(self.grouping.genes, minlength=shape[0]).tolist()
        calls = self.grouping.calls
        called = np.bincount(calls[self.call_set], minlength=shape[0]).tolist() if calls is not None else None
        names = FIGURES if calls is not None else FIGURES[:1]
        results = []
        for number, name in enumerate(self.grouping.names):
            estimates = {
                level: {
                    figure: bootstrap.estimate(
                        values[number, at, FIGURES.index(figure)],
                        resampled[:, number, at, FIGURES.index(figure)],
                        int(loci[number, at, FIGURES.index(figure)]),
                    )
                    for figure in names
                }
                for at, level in enumerate(LEVELS)
                if level in call_set.levels
            }
            results.append(Slice(name, genes[number], called[number] if called is not None else None, estimates))
        return results


def _group(comparison: Comparison, by: str) -> _Grouping:
    if by == "biotype":
        biotypes = [gene.biotype or UNKNOWN for gene in comparison.genes]
        names, (numbers,) = _by_name([biotypes], Counter(biotypes))
        return _Grouping(names, numbers, None)
    sets = [comparison.genes, *(call_set.calls for call_set in comparison.call_sets)]
    if by == "chromosome":
        names, numbers_of = _by_name(
            [[gene.chromosome for gene in genes] for genes in sets],
            Counter(comparison.loci.chromosomes),
            list(comparison.lengths),
        )
        return _Grouping(names, numbers_of[0], numbers_of[1:])
    edges, measure = (_LENGTHS, _length) if by == "length" else (_INTRONS, _introns)
    measured = [np.array([measure(gene) for gene in genes], np.int64) for genes in sets]
    # Numbers of genes without a transcript, which say nothing of introns, are -1 and come last.
    bins = [np.where(of_set < 0, len(edges) + 1, np.searchsorted(edges, of_set, side="right")) for of_set in measured]
    used = np.unique(np.concatenate(bins))
    all_names = [*_ranges(edges, 1 if by == "length" else 0), UNKNOWN]
    numbers_of = [np.searchsorted(used, of_set) for of_set in bins]
    return _Grouping([all_names[number] for number in used.tolist()], numbers_of[0], numbers_of[1:])


def _by_name(
    sets: Sequence[Sequence[str]], sizes: Counter[str], order: Sequence[str] | None = None
) -> tuple[list[str], list[Numbers]]:
    """Names of slices and, for each set, the slice of each of its names; the smallest slices are one if there are many.

    Args:
        sets: names.
        sizes: how often each name occurs.
        order: of the names; None for the most frequent first.
    """
    largest = [name for name, _ in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))]
    chosen = largest if len(largest) <= MAX_SLICES else largest[: MAX_SLICES - 1]
    if order is not None:
        kept = set(chosen)
        chosen = [name for name in order if name in kept]
    numbers = {name: number for number, name in enumerate(chosen)}
    names = chosen if len(chosen) == len(largest) else [*chosen, f"{len(largest) - len(chosen):,} others"]
    return names, [np.array([numbers.get(name, len(chosen)) for name in of_set], np.int64) for of_set in sets]


def _length(gene: Gene) -> int:
    start, end = span(gene)
    return end - start


def _introns(gene: Gene) -> int:
    """Introns of the transcript that has most; -1 without a transcript."""
    return max((len(transcript.introns) for transcript in gene.transcripts), default=-1)


def _ranges(edges: Sequence[int], least: int) -> list[str]:
    """Names of the bins between edges, such as 300–999."""
    starts, ends = (least, *edges), (*(edge - 1 for edge in edges), None)
    return [
        f"{start:,} or more" if end is None else f"{start:,}" if start == end else f"{start:,}–{end:,}"
        for start, end in zip(starts, ends, strict=True)
    ]
