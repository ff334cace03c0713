"""A network as a function from tokens of tiles to packed scores, which can be sent to the actors of a pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipelines.structure import states
from pipelines.tokens.tokenizer import Tokenizer
from training.annotate import scores
from training.annotate.scores import Packed
from training.data.batch import TokenBatch
from training.data.step_plan import Rows, scoring_batches
from training.engine import threads

# Padded tokens in a batch: a body takes its steps for all rows at once.
CPU_TOKENS, GPU_TOKENS = 1 << 17, 1 << 20
CPU = torch.device("cpu")
Tokens = NDArray[Any]


@dataclass(frozen=True)
class StructureScorer:
    """A bundle's network with its tokenizer.

    Attributes:
        model: maps a TokenBatch to logits of states and sites.
        tokenizer: the tokenizer it was trained with.
        token_budget: maximum of padded tokens in a batch (default: by the kind of device).
        device: device of the model.
    """

    model: nn.Module
    tokenizer: Tokenizer
    token_budget: int | None = None
    device: torch.device = CPU

    def __call__(self, tiles: Sequence[Tokens]) -> Iterator[tuple[int, Packed]]:
        """Score tiles, those of similar length together.

        Args:
            tiles: token ids, one for each base; at least one.

        Yields:
            The number of each tile, in any order, with its scores of shape (2, 12, bases).
        """
        counts = np.array([len(tile) for tile in tiles], np.int64)
        budget = self.token_budget or (CPU_TOKENS if self.device.type == "cpu" else GPU_TOKENS)
        with torch.inference_mode(), threads.limited_for(self.model):
            for rows in scoring_batches(counts, budget):
                logits = self._logits([tiles[row] for row in rows.tolist()], counts[rows])
                logits[:, :, : states.STATES] = logits[:, :, : states.STATES].log_softmax(dim=2)
                for row, of_row in zip(rows.tolist(), logits, strict=True):
                    yield row, scores.pack(of_row[..., : len(tiles[row])])

    def _logits(self, tiles: Sequence[Tokens], counts: Rows) -> Tensor:
        """Logits of states, then sites, shape (rows, 2, 12, longest); those after the end of a row mean nothing."""
        batch = TokenBatch(
            torch.from_numpy(np.concatenate(tiles).astype(np.int64)),
            torch.from_numpy(counts),
            torch.zeros(len(counts)),
            counts,
        )
        outputs = self.model(batch.to(self.device))
        return torch.cat([part.permute(0, 2, 3, 1) for part in (outputs.states, outputs.sites)], dim=2)

    def to(self, device: torch.device) -> StructureScorer:
        """The same scorer, computing on a device."""
        return replace(self, model=self.model.to(device), device=device)
