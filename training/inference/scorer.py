"""A model as a function from sequences to probabilities, which can be sent to the actors of a pool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipelines.tokens.tokenizer import Tokenizer
from training.engine.scoring import default_token_budget, probabilities
from training.hardware import devices

CPU = torch.device("cpu")


class Scorer(Protocol):
    """Gives sequences their probability of being a gene."""

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """Score sequences.

        Args:
            codes: base codes 0 to 4 of all sequences end to end, shape (sum of lengths,).
            lengths: bases of each sequence, shape (sequences,).

        Returns:
            Probabilities, shape (sequences,).
        """

    def to(self, device: torch.device) -> Scorer:
        """The same scorer, computing on a device."""


@dataclass(frozen=True)
class ModelScorer:
    """A bundle's model with its tokenizer.

    Attributes:
        model: maps a TokenBatch to logits.
        tokenizer: the tokenizer it was trained with.
        token_budget: maximum of padded tokens in a batch (default: by the kind of device).
        device: device of the model.
    """

    model: nn.Module
    tokenizer: Tokenizer
    token_budget: int | None = None
    device: torch.device = CPU

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        tokens, counts = self.tokenizer.encode_many(codes, lengths)
        budget = self.token_budget or default_token_budget(self.device)
        return probabilities(self.model, tokens, counts, budget, self.device)

    def to(self, device: torch.device) -> ModelScorer:
        return replace(self, model=self.model.to(device), device=device)


class _Movable(Protocol):
    def to(self, device: torch.device) -> Any: ...


Moved = TypeVar("Moved", bound=_Movable)


def to_assigned_gpu(scorer: Moved, *, use_gpu: bool) -> Moved:
    """Move a scorer to the GPU that Ray assigned to this actor, if it assigned one.

    Raises:
        ResourceError: torch does not see that GPU.
    """
    if not use_gpu:
        return scorer
    import ray

    moved: Moved = scorer.to(devices.of_worker("cuda", ray.get_gpu_ids()))
    return moved
