"""Recall where there are only genes: by biotype, and on the genes that the dataset leaves out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.build.left_out import LeftOut
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.metrics import wilson_interval

UNSPECIFIED = "unspecified"
EVERY = "every split"


@dataclass(frozen=True)
class Recall:
    """How many of some genes are called genes.

    Attributes:
        name: the biotype, or the reason why the genes were left out.
        genes: number of genes.
        evaluated: how many of them count: all, or those without a base in train.
        called: how many of the evaluated genes are called genes.
        among: of genes left out, the split whose chromosomes they lie on, or `EVERY`.
    """

    name: str
    genes: int
    evaluated: int
    called: int
    among: str = ""

    @property
    def share(self) -> float | None:
        """Recall; None if no gene was evaluated."""
        return self.called / self.evaluated if self.evaluated else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the share (Wilson 1927); None if no gene was evaluated."""
        return wilson_interval(self.called, self.evaluated) if self.evaluated else None


def by_biotype(dataset: TokenDataset, called: NDArray[np.bool_]) -> list[Recall]:
    """Recall of the genes of each biotype, most genes first; nothing if the annotation has no biotypes.

    Args:
        dataset: the rows.
        called: whether each is called a gene, shape (rows,).
    """
    is_gene = dataset.labels == 1
    encoded = dataset.table["biotype"].combine_chunks().dictionary_encode()
    names = [*encoded.dictionary.to_pylist(), None]
    numbers = pc.fill_null(encoded.indices, len(names) - 1).to_numpy()
    counts = (np.bincount(numbers[rows], minlength=len(names)).tolist() for rows in (is_gene, is_gene & called))
    totals, hits = Counter[str](), Counter[str]()
    is_specified = False
    for name, total, hit in zip(names, *counts, strict=True):
        totals[name or UNSPECIFIED] += total
        hits[name or UNSPECIFIED] += hit
        is_specified |= bool(name and total)
    if not is_specified:
        return []
    rows = [Recall(name, total, total, hits[name]) for name, total in totals.items() if total]
    return sorted(rows, key=lambda recall: (-recall.genes, recall.name))


def of_left_out(genes: LeftOut, called: NDArray[np.bool_], split: str) -> list[Recall]:
    """Recall on genes left out that share no base with a row of train, by reason: of the split, then of every split.

    Args:
        genes: the genes left out, at least one.
        called: whether each is called a gene, shape (genes,).
        split: the split whose chromosomes (or blocks) come first.
    """
    reasons = np.array(genes.table["reason"].to_pylist())
    outside_train = ~genes.table["overlaps_train"].to_numpy()
    in_split = np.array([name == split for name in genes.table["split"].to_pylist()])
    rows = []
    for among, members in ((split, in_split), (EVERY, np.ones(len(genes), np.bool_))):
        for reason in np.unique(reasons[members]):
            chosen = members & (reasons == reason)
            counted = chosen & outside_train
            rows.append(Recall(str(reason), int(chosen.sum()), int(counted.sum()), int(called[counted].sum()), among))
    return rows
