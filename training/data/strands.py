"""Rows of recognition on their other strand: which are turned in an epoch, and the tokens of a turned row.

At stride 1 the reverse complement of a sequence has the reverse complements of its tokens, in reverse order. With a
larger stride its tokens begin at other bases, which the stored tokens do not tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import UsageError
from training.config import ModelConfig, TrainingConfig

ANTISENSE = "antisense"


@dataclass
class RandomStrands:
    """Turns half of the rows of an epoch, drawn anew for each.

    What a row is in an epoch is a function of (seed, epoch, row) and nothing else.

    Args:
        rows: of the split.
        seed: of the run.
        complements: the id of each token's reverse complement, shape (ids,).
    """

    rows: int
    seed: int
    complements: NDArray[Any]
    _drawn: tuple[int, NDArray[np.bool_]] | None = field(default=None, init=False)

    def turned(self, epoch: int) -> NDArray[np.bool_]:
        """Which rows are turned in an epoch (from 0), shape (rows,)."""
        if self._drawn is None or self._drawn[0] != epoch:
            generator = np.random.default_rng(fingerprint.seed(self.seed, "strand", epoch))
            self._drawn = epoch, generator.random(self.rows) < 0.5
        return self._drawn[1]


def require_symmetric(model: ModelConfig, training: TrainingConfig, train: TokenDataset) -> None:
    """Refuse to treat both strands alike where the tokens do not allow it, or where the strand is what is learnt.

    Args:
        model: the architecture.
        training: the optimisation.
        train: a split of recognition.

    Raises:
        UsageError: naming the key, and why.
    """
    if training.reverse_complement:
        key = "training.reverse_complement"
    elif model.strands != "single":
        key = "model.strands"
    else:
        return
    if train.tokenizer.stride != 1:
        raise UsageError(
            f"{key}: the dataset has tokens every {train.tokenizer.stride} bases, which do not give those of the other "
            "strand",
            "build it with tokenizer.stride 1, or leave the key out",
            key=key,
        )
    if ANTISENSE in train.manifest["config"].get("negatives", {}).get("kinds", []):
        raise UsageError(
            f"{key}: the dataset has antisense negatives, which differ from genes by their strand alone",
            "build it without them, or leave the key out",
            key=key,
        )
