"""The rows of a split parted by genome, chromosome and length, and a model's figures on each part.

A sort for each way to part them; intervals cost one bootstrap of all rows in all.
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
from training.evaluation.bootstrap import Ranked, Resampling

BY = ("genome", "chromosome", "length")
# Percentiles of fewer rows than this say little.
FEWEST = 10
Rows = NDArray[np.int64]
_WITH_BOTH = ("auroc", "auprc", "mcc", "precision", "f1")


@dataclass(frozen=True)
class Slice:
    """A part of the rows.

    Attributes:
        name: a genome, a chromosome, or the bases of a length bin.
        genes, negatives: how many of them.
        metrics: every figure of `metrics.NAMES`; None where a class is missing that it needs.
        interval: of AUROC, 95 %; None with fewer than `FEWEST` genes or negatives.
    """

    name: str
    genes: int
    negatives: int
    metrics: dict[str, float | None]
    interval: tuple[float, float] | None


def parts(dataset: TokenDataset) -> dict[str, list[tuple[str, Rows]]]:
    """For each of `BY`, the parts as name and row numbers, in the order of the rows or of length."""
    genome = np.array(dataset.table["genome"].to_pylist(), dtype=object)
    chromosome = np.array(dataset.table["chromosome"].to_pylist(), dtype=object)
    several = len(set(genome.tolist())) > 1
    place = genome + ":" + chromosome if several else chromosome
    octave = np.log2(np.maximum(shortcuts.bases(dataset), 1)).astype(np.int64)
    lengths = [
        (f"{2**one:,}–{2 ** (one + 1) - 1:,}", np.flatnonzero(octave == one)) for one in np.unique(octave).tolist()
    ]
    return {"genome": _by_name(genome), "chromosome": _by_name(place), "length": lengths}


def chromosome_numbers(dataset: TokenDataset) -> NDArray[np.int64]:
    """A number for each row, equal for those of one chromosome of one genome, from 0 on, shape (rows,)."""
    pairs = zip(dataset.table["genome"].to_pylist(), dataset.table["chromosome"].to_pylist(), strict=True)
    numbers: dict[tuple[str, str], int] = {}
    return np.array([numbers.setdefault(pair, len(numbers)) for pair in pairs], np.int64)


def _by_name(names: NDArray[np.object_]) -> list[tuple[str, Rows]]:
    found, firsts, number = np.unique(names.astype(str), return_index=True, return_inverse=True)
    order = np.argsort(number, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(number))[:-1])
    return [(str(found[one]), rows[one]) for one in np.argsort(firsts).tolist()]


def judge(
    labels: NDArray[Any],
    probabilities: NDArray[np.float64],
    threshold: float,
    rows: list[tuple[str, Rows]],
    resampling: Resampling,
) -> list[Slice]:
    """A model's figures on each part.

    Args:
        labels: 1 gene, 0 negative, shape (rows,).
        probabilities: shape (rows,).
        threshold: from which probability on a row is called a gene.
        rows: name and row numbers of each part.
        resampling: how samples are drawn; of single rows.
    """
    found = []
    for name, here in rows:
        mine, scores = labels[here], probabilities[here]
        genes = int(mine.sum())
        negatives = len(here) - genes
        known: dict[str, float | None] = dict(bootstrap.figures(mine, scores, threshold))
        if min(genes, negatives) == 0:
            known |= dict.fromkeys(_WITH_BOTH)
        if genes == 0:
            known["recall"] = None
        interval = None
        if min(genes, negatives) >= FEWEST:
            samples = bootstrap.replicates(mine, [Ranked.of(mine, scores, threshold)], resampling)
            interval = bootstrap.interval(samples[0, :, metrics.NAMES.index("auroc")])
        found.append(Slice(name, genes, negatives, known, interval))
    return found
