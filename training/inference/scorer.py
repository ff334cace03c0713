"""A model as a function from sequences to probabilities, to be sent to the workers of a pool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipelines.tokens.tokenizer import Tokenizer
from training.engine.scoring import probabilities
from training.hardware import devices

CPU_TOKENS, GPU_TOKENS = 16_384, 262_144
CPU = torch.device("cpu")


class Scorer(Protocol):
    """What scores sequences."""

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities of being a gene.

        Args:
            codes: base codes 0 to 4 of all sequences end to end, shape (sum of lengths,).
            lengths: bases of each, shape (sequences,).

        Returns:
            Shape (sequences,).
        """

    def on(self, device: torch.device) -> Scorer:
        """The same, computing on a device."""


@dataclass(frozen=True)
class ModelScorer:
    """A bundle's model with its tokenizer.

    Attributes:
        model: maps a TokenBatch to logits.
        tokenizer: the one it was trained with.
        token_budget: most padded tokens in a batch (default: what the device's caches like).
        device: where it computes.
    """

    model: nn.Module
    tokenizer: Tokenizer
    token_budget: int | None = None
    device: torch.device = CPU

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        tokens, counts = self.tokenizer.encode_many(codes, lengths)
        budget = self.token_budget or (CPU_TOKENS if self.device.type == "cpu" else GPU_TOKENS)
        return probabilities(self.model, tokens, counts, budget, self.device)

    def on(self, device: torch.device) -> ModelScorer:
        return replace(self, model=self.model.to(device), device=device)


def in_actor(scorer: Scorer, *, use_gpu: bool) -> Scorer:
    """A scorer on the GPU that Ray gave this actor, if it was given one.

    Raises:
        ResourceError: torch does not see that GPU.
    """
    if not use_gpu:
        return scorer
    import ray

    return scorer.on(devices.of_worker("cuda", ray.get_gpu_ids()))
