"""The number format a model computes in: fp32, or bf16 or fp16 by autocast over fp32 weights, fp16 with a loss scale.

The scale follows from gradients summed over all workers, so that every worker takes or skips the same step.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from pipelines.errors import ResourceError

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def require_device(name: str, *, use_gpu: bool) -> None:
    """See that a device can compute in a number format.

    Args:
        name: `training.precision`.
        use_gpu: whether training is on GPUs.

    Raises:
        ResourceError: fp16 on CPUs, for which PyTorch has no LSTM and which are ten times slower with the rest.
    """
    if name == "fp16" and not use_gpu:
        raise ResourceError(
            "training.precision fp16: is for GPUs, and there is none to train on",
            "set it to bf16 or fp32",
            key="training.precision",
        )


class Precision:
    """The parts of a step that depend on the number format: forward, backward and the optimizer's step.

    Args:
        name: `fp32`, `bf16` or `fp16`.
        device: where the model computes.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        self.name, self._device = name, device
        self._scaler = torch.amp.GradScaler(device.type, enabled=name == "fp16")

    def autocast(self) -> AbstractContextManager[Any]:
        """The context of forward passes."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self._device.type, TYPES[self.name])

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss to the present ones."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self, optimizer: torch.optim.Optimizer, model: nn.Module, max_grad_norm: float) -> Tensor:
        """Clip the gradients and step; with fp16, skip a step whose gradients overflowed and lower the scale.

        Args:
            optimizer: over the weights of the model.
            model: with gradients summed over all workers.
            max_grad_norm: the norm that gradients are clipped to.

        Returns:
            The norm of the gradients before clipping, shape ().
        """
        self._scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
        self._scaler.step(optimizer)
        self._scaler.update()
        return norm

    def state_dict(self) -> dict[str, Any]:
        """The loss scale; empty unless the format is fp16."""
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the loss scale."""
        if state and self.name == "fp16":
            self._scaler.load_state_dict(state)
