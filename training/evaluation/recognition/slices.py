"""Slices of a split (rows of one genome, chromosome or length bin), and a model's metrics on each.

Costs a sort for each way to group the rows; the intervals of all slices together cost about one bootstrap of all rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import metrics
from pipelines.audit import shortcuts
from pipelines.dataset.token_dataset import TokenDataset
from training.evaluation import bootstrap
from training.evaluation.bootstrap import RankedRows, Resampling

BY = ("genome", "chromosome", "length")
# Percentiles of fewer rows than this say little.
MIN_ROWS = 10
Rows = NDArray[np.int64]
_NEED_BOTH_CLASSES = ("auroc", "auprc", "mcc", "precision", "f1")


@dataclass(frozen=True)
class Slice:
    """Metrics on a part of the rows.

    Attributes:
        name: a genome, a chromosome, or the range of bases of a length bin.
        genes, negatives: number of rows of each class.
        metrics: every metric of `metrics.NAMES`; None where a class that it needs is missing.
        interval: 95 % interval of AUROC; None with fewer than `MIN_ROWS` genes or negatives.
    """

    name: str
    genes: int
    negatives: int
    metrics: dict[str, float | None]
    interval: tuple[float, float] | None


def group_rows(dataset: TokenDataset) -> dict[str, list[tuple[str, Rows]]]:
    """Names and row numbers of the slices for each of `BY`, in the order of the rows or of length.

    Length bins are octaves: lengths from a power of 2 to below the next.
    """
    genomes, chromosomes = _numbered(dataset, "genome"), _numbered(dataset, "genome", "chromosome")
    several = len(genomes.names) > 1
    octave = np.log2(np.maximum(shortcuts.base_lengths(dataset), 1)).astype(np.int64)
    lengths = [
        (f"{2**number:,}–{2 ** (number + 1) - 1:,}", np.flatnonzero(octave == number))
        for number in np.unique(octave).tolist()
    ]
    return {
        "genome": [(genome, rows) for (genome,), rows in genomes.groups()],
        "chromosome": [
            (f"{genome}:{chromosome}" if several else chromosome, rows)
            for (genome, chromosome), rows in chromosomes.groups()
        ],
        "length": lengths,
    }


def chromosome_numbers(dataset: TokenDataset) -> NDArray[np.int64]:
    """A number for each row from 0 on, equal for rows of one chromosome of one genome, shape (rows,)."""
    return _numbered(dataset, "genome", "chromosome").numbers


@dataclass(frozen=True)
class _Numbered:
    """Rows by what they are called.

    Attributes:
        names: distinct values of some columns, in the order in which they first appear.
        numbers: which of them each row has, shape (rows,).
    """

    names: list[tuple[str, ...]]
    numbers: Rows

    def groups(self) -> Iterator[tuple[tuple[str, ...], Rows]]:
        """Each of the names with its rows, in their order."""
        rows = np.argsort(self.numbers, kind="stable")
        ends = np.cumsum(np.bincount(self.numbers, minlength=len(self.names)))
        return zip(self.names, np.split(rows, ends[:-1]), strict=True)


def _numbered(dataset: TokenDataset, *columns: str) -> _Numbered:
    """The rows by the values of columns of text, of which none is copied for a row."""
    combined = np.zeros(len(dataset), np.int64)
    for name in columns:
        encoded = dataset.table[name].combine_chunks().dictionary_encode()
        combined *= len(encoded.dictionary)
        combined += encoded.indices.to_numpy()
    _, firsts, numbers = np.unique(combined, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    values = dataset.table.select(columns).take(firsts[order]).to_pylist()
    return _Numbered([tuple(value.values()) for value in values], ranks[numbers])


def evaluate_slices(
    labels: NDArray[Any],
    probabilities: NDArray[np.float64],
    threshold: float,
    groups: list[tuple[str, Rows]],
    resampling: Resampling,
) -> list[Slice]:
    """Compute a model's metrics on each slice.

    Args:
        labels: 1 gene, 0 negative, shape (rows,).
        probabilities: shape (rows,).
        threshold: a probability at or above it is called a gene.
        groups: name and row numbers of each slice.
        resampling: how samples are drawn; always of single rows.
    """
    slices = []
    for name, rows in groups:
        slice_labels, scores = labels[rows], probabilities[rows]
        genes = int(slice_labels.sum())
        negatives = len(rows) - genes
        values: dict[str, float | None] = dict(bootstrap.quick_metrics(slice_labels, scores, threshold))
        if min(genes, negatives) == 0:
            values |= dict.fromkeys(_NEED_BOTH_CLASSES)
        if genes == 0:
            values["recall"] = None
        interval = None
        if min(genes, negatives) >= MIN_ROWS:
            ranked = RankedRows.from_scores(slice_labels, scores, threshold)
            samples = bootstrap.replicates(slice_labels, [ranked], resampling)
            interval = metrics.percentile_interval(samples[0, :, metrics.NAMES.index("auroc")])
        slices.append(Slice(name, genes, negatives, values, interval))
    return slices
