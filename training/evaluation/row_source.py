"""The rows that an evaluation scores, and how: in this process, unless a pool of actors is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.dataset.location import Location
from pipelines.dataset.token_dataset import TokenDataset
from training.bundle.bundle import Bundle
from training.data.step_plan import Rows
from training.engine.scoring import probabilities

Advance = Callable[[float], None]


@dataclass(frozen=True)
class RowSource:
    """Rows of a dataset.

    Attributes:
        directory: of the dataset, or its address.
        fingerprint: of the dataset.
        split: of the rows; None: the genes that the dataset leaves out.
        tokens: ids of all rows there end to end, shape (tokens,).
        lengths: tokens of each row there, shape (all rows,).
        rows: which of them, shape (rows,).
    """

    directory: Location
    fingerprint: str
    split: str | None
    tokens: NDArray[Any]
    lengths: NDArray[np.int64]
    rows: Rows

    @classmethod
    def of_split(cls, directory: Location, dataset: TokenDataset, rows: Rows | None = None) -> RowSource:
        """Rows of a split (default: all)."""
        selected = np.arange(len(dataset)) if rows is None else rows
        fingerprint = dataset.manifest["fingerprint"]
        return cls(directory, fingerprint, dataset.split, dataset.tokens, dataset.lengths, selected)


class ScoreRows(Protocol):
    """Gives rows the probability of being a gene."""

    def __call__(
        self, bundles: Mapping[str, Bundle], source: RowSource, token_budget: int, advance: Advance
    ) -> dict[str, NDArray[np.float64]]:
        """Score rows.

        Args:
            bundles: models by name.
            source: the rows.
            token_budget: maximum of padded tokens in a batch.
            advance: called with a number of rows once a model has scored them.

        Returns:
            By name of the model, shape (rows,), in the order of the rows.
        """


def score_here(device: torch.device | None = None) -> ScoreRows:
    """A function that scores in this process, on a device (default: CPU)."""

    def score(
        bundles: Mapping[str, Bundle], source: RowSource, token_budget: int, advance: Advance
    ) -> dict[str, NDArray[np.float64]]:
        return {
            name: probabilities(
                bundle.model.to(device) if device else bundle.model,
                *(source.tokens, source.lengths, token_budget, device, source.rows, advance),
            )
            for name, bundle in bundles.items()
        }

    return score
