"""Slices of a split (rows of one genome, chromosome or length bin), and a model's metrics on each.

Costs a sort for each way to group the rows; the intervals of all slices together cost about one bootstrap of all rows.
"""

from __future__ import annotations

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
    genome = np.array(dataset.table["genome"].to_pylist(), dtype=object)
    chromosome = np.array(dataset.table["chromosome"].to_pylist(), dtype=object)
    several = len(set(genome.tolist())) > 1
    full_name = genome + ":" + chromosome if several else chromosome
    octave = np.log2(np.maximum(shortcuts.base_lengths(dataset), 1)).astype(np.int64)
    lengths = [
        (f"{2**number:,}–{2 ** (number + 1) - 1:,}", np.flatnonzero(octave == number))
        for number in np.unique(octave).tolist()
    ]
    return {"genome": _group_by_name(genome), "chromosome": _group_by_name(full_name), "length": lengths}


def chromosome_numbers(dataset: TokenDataset) -> NDArray[np.int64]:
    """A number for each row from 0 on, equal for rows of one chromosome of one genome, shape (rows,)."""
    pairs = zip(dataset.table["genome"].to_pylist(), dataset.table["chromosome"].to_pylist(), strict=True)
    numbers: dict[tuple[str, str], int] = {}
    return np.array([numbers.setdefault(pair, len(numbers)) for pair in pairs], np.int64)


def _group_by_name(names: NDArray[np.object_]) -> list[tuple[str, Rows]]:
    """Row numbers of each name, in the order in which the names first appear."""
    distinct, first_rows, number = np.unique(names.astype(str), return_index=True, return_inverse=True)
    order = np.argsort(number, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(number))[:-1])
    return [(str(distinct[group]), rows[group]) for group in np.argsort(first_rows).tolist()]


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
