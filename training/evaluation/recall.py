"""Recall where there are genes only: by biotype, and on the genes that the dataset leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.build.left_out import LeftOut
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.metrics import wilson

UNNAMED = "not told"
EVERY = "every split"


@dataclass(frozen=True)
class Recall:
    """How many of some genes are called genes.

    Attributes:
        name: the biotype, or the reason why they were left out.
        genes: how many there are.
        judged: how many of them count: all, or those without a base in train.
        called: how many of the judged ones are called genes.
        among: of genes left out, the split whose chromosomes they lie on, or `EVERY`.
    """

    name: str
    genes: int
    judged: int
    called: int
    among: str = ""

    @property
    def share(self) -> float | None:
        """Recall; None where no gene was judged."""
        return self.called / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the share (Wilson 1927); None where no gene was judged."""
        return wilson(self.called, self.judged) if self.judged else None


def by_biotype(dataset: TokenDataset, called: NDArray[np.bool_]) -> list[Recall]:
    """Recall of the genes of each biotype, most genes first; nothing where the annotation tells none.

    Args:
        dataset: the rows.
        called: whether each is called a gene, shape (rows,).
    """
    genes = np.flatnonzero(dataset.labels == 1)
    names = [name or None for name in dataset.table["biotype"].take(genes).to_pylist()]
    if not any(names):
        return []
    told = np.array([name or UNNAMED for name in names])
    hit = called[genes]
    found = [
        Recall(str(name), int((told == name).sum()), int((told == name).sum()), int(hit[told == name].sum()))
        for name in np.unique(told)
    ]
    return sorted(found, key=lambda one: (-one.genes, one.name))


def of_left_out(hidden: LeftOut, called: NDArray[np.bool_], split: str) -> list[Recall]:
    """Recall on genes left out that share no base with a row of train, by reason: of the split, then of every split.

    Args:
        hidden: the genes, at least one.
        called: whether each is called a gene, shape (genes,).
        split: the split whose chromosomes (or blocks) come first.
    """
    reason = np.array(hidden.table["reason"].to_pylist())
    apart = ~hidden.table["overlaps_train"].to_numpy()
    here = np.array([one == split for one in hidden.table["split"].to_pylist()])
    found = []
    for among, rows in ((split, here), (EVERY, np.ones(len(hidden), np.bool_))):
        for name in np.unique(reason[rows]):
            chosen = rows & (reason == name)
            judged = chosen & apart
            found.append(Recall(str(name), int(chosen.sum()), int(judged.sum()), int(called[judged].sum()), among))
    return found
