"""Recall where there are only genes: by biotype, and on the genes that the dataset leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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
    genes = np.flatnonzero(dataset.labels == 1)
    biotypes = [biotype or None for biotype in dataset.table["biotype"].take(genes).to_pylist()]
    if not any(biotypes):
        return []
    names = np.array([biotype or UNSPECIFIED for biotype in biotypes])
    gene_called = called[genes]
    rows = []
    for name in np.unique(names):
        members = names == name
        total = int(members.sum())
        rows.append(Recall(str(name), total, total, int(gene_called[members].sum())))
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
