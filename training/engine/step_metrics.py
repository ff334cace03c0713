"""The figures of an optimizer step: summed over all workers, and read by the host without waiting for the device.

The figures travel in the all-reduce of the gradients. From a GPU they are copied to the host in the background and read
`LAG` steps later, when the copy has long arrived. Every worker reads the same figures at the same step, so all of them
come to the same decisions.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

LAG = 8
_SUMS = 3


@dataclass(frozen=True)
class StepMetrics:
    """The figures of a step over all workers.

    Attributes:
        loss: summed over the rows.
        padded: tokens with padding.
        stop_requests: number of workers that want to stop.
        gradient_norm: before clipping.
    """

    loss: float
    padded: int
    stop_requests: int
    gradient_norm: float


class StepSums:
    """Adds up the figures of one step on one worker.

    Args:
        device: where the losses are.
        should_stop: whether this worker wants to stop.
    """

    def __init__(self, device: torch.device, *, should_stop: bool) -> None:
        self._loss = torch.zeros((), device=device)
        self._padded, self._should_stop = 0, should_stop

    def add(self, loss: Tensor, padded: int) -> None:
        """Add a batch.

        Args:
            loss: summed over its rows, shape ().
            padded: its tokens with padding.
        """
        self._loss = self._loss + loss
        self._padded += padded

    def vector(self) -> Tensor:
        """The figures to sum over workers, float32, shape (3,). Tokens are exact up to 2^24 per step."""
        host = torch.tensor([self._padded, self._should_stop], dtype=torch.float32)
        return torch.cat([self._loss.reshape(1), host.to(self._loss.device, non_blocking=True)])


def lag_of(device: torch.device) -> int:
    """How many steps after its computation the figures of a step are read."""
    return 0 if device.type == "cpu" else LAG


class DeferredMetrics:
    """Steps whose figures are on their way to the host, in order.

    Args:
        device: where the figures are computed.
        lag: how many steps later they are read.
    """

    def __init__(self, device: torch.device, lag: int) -> None:
        self._needs_copy, self._lag = device.type != "cpu", lag
        self._pending: deque[tuple[Tensor, torch.cuda.Event | None]] = deque()

    def put(self, sums: Tensor, gradient_norm: Tensor) -> None:
        """Add a step.

        Args:
            sums: `StepSums.vector()` summed over all workers, shape (3,).
            gradient_norm: before clipping, shape ().
        """
        figures = torch.cat([sums, gradient_norm.detach().reshape(1).to(sums.dtype)])
        if not self._needs_copy:
            self._pending.append((figures, None))
            return
        host = torch.empty(_SUMS + 1, dtype=figures.dtype, pin_memory=True)
        host.copy_(figures, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        self._pending.append((host, event))

    def take(self, *, wait_for_all: bool = False) -> list[StepMetrics]:
        """The steps that are due, oldest first; with `wait_for_all` all there are."""
        due = []
        while len(self._pending) > (0 if wait_for_all else self._lag):
            figures, event = self._pending.popleft()
            if event is not None:
                event.synchronize()
            loss, padded, stop_requests, norm = figures.tolist()
            due.append(StepMetrics(loss, int(padded), int(stop_requests), norm))
        return due
