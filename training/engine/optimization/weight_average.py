"""A moving average of a model's weights, on which validation is scored and which becomes the bundle.

Late in training single steps scatter around a minimum; their average lies nearer to it (Polyak and Juditsky 1992). The
average follows quickly at the start, when weights are still far from where they end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average of every parameter. Buffers are not averaged.

    Args:
        model: whose weights it begins with.
        decay: share of the average that each step keeps, once there were many steps.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model, self._decay = model, decay
        self.values = [parameter.detach().clone() for parameter in model.parameters()]

    @torch.no_grad()
    def add(self, step: int) -> None:
        """Add the model's weights after a step, which are counted from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, list(self._model.parameters()), 1 - decay)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have the model compute with the average while the block lasts."""
        own = [parameter.detach().clone() for parameter in self._model.parameters()]
        self._give_to_model(self.values)
        try:
            yield
        finally:
            self._give_to_model(own)

    @torch.no_grad()
    def _give_to_model(self, values: Sequence[Tensor]) -> None:
        # Copied: the libraries of GPUs want the weights of a recurrent layer to stay side by side.
        for parameter, value in zip(self._model.parameters(), values, strict=True):
            parameter.copy_(value)

    @torch.no_grad()
    def restore(self, values: Sequence[Tensor]) -> None:
        """Take over the values of another average of the same model."""
        for own, value in zip(self.values, values, strict=True):
            own.copy_(value)
