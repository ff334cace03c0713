"""The arrays of a structure dataset's split, from which windows are gathered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError


@dataclass(frozen=True)
class Windows:
    """Windows that lie side by side in stretches of chromosomes, a token a base.

    Attributes:
        tokens: ids of all windows end to end, shape (bases,).
        states: of both strands, packed, shape (bases,), uint8.
        offsets: where each window starts, and the end of the last one, shape (rows + 1,), int64.
        stretches: start and end in `tokens` of the stretch that each window lies in, shape (rows, 2), int64.
        labels: of windows, shape (rows,).
        reverse_complements: the id of each token's reverse complement, shape (ids,).
    """

    tokens: NDArray[Any]
    states: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    stretches: NDArray[np.int64]
    labels: NDArray[Any]
    reverse_complements: NDArray[Any]

    @classmethod
    def of(cls, dataset: TokenDataset) -> Windows:
        """The windows of an open split.

        Raises:
            DatasetError: the dataset has no states.
        """
        if dataset.states is None:
            raise DatasetError("the dataset has no states of bases", "build it with task: structure")
        return cls(
            dataset.tokens,
            dataset.states,
            dataset.offsets,
            dataset.stretches,
            dataset.labels,
            dataset.tokenizer.reverse_complements,
        )

    def __len__(self) -> int:
        return len(self.labels)
