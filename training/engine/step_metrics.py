"""What a step adds up over all workers beside its gradients, and how the host comes to know it without waiting.

The figures travel in the all-reduce of the gradients. From a GPU they are copied aside and read `LAG` steps later, when
they have long arrived: every worker reads the same figures at the same step, so all of them draw the same conclusions.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

LAG = 8
_FIELDS = 3


@dataclass(frozen=True)
class StepMetrics:
    """The figures of a step.

    Attributes:
        loss: summed over the rows of all workers.
        padded: tokens with padding, of all workers.
        stopping: how many workers want to stop.
        gradient_norm: before clipping.
    """

    loss: float
    padded: int
    stopping: int
    gradient_norm: float


class StepSums:
    """The sums of one step on one worker.

    Args:
        device: where the loss is.
        stopping: whether this worker wants to stop.
    """

    def __init__(self, device: torch.device, *, stopping: bool) -> None:
        self._loss = torch.zeros((), device=device)
        self._padded, self._stopping = 0, stopping

    def add(self, loss: Tensor, padded: int) -> None:
        """Add a batch's loss, summed over its rows, and its tokens with padding."""
        self._loss = self._loss + loss
        self._padded += padded

    def vector(self) -> Tensor:
        """What is to be added up over workers, float32, shape (3,). Tokens are exact up to 2^24 a step."""
        host = torch.tensor([self._padded, self._stopping], dtype=torch.float32)
        return torch.cat([self._loss.reshape(1), host.to(self._loss.device, non_blocking=True)])


def lag_of(device: torch.device) -> int:
    """How many steps later than they are computed the figures of a step are read."""
    return 0 if device.type == "cpu" else LAG


class DeferredMetrics:
    """Steps whose figures are under way to the host, in order.

    Args:
        device: where they come from.
        lag: how many steps later they are read.
    """

    def __init__(self, device: torch.device, lag: int) -> None:
        self._aside, self._lag = device.type != "cpu", lag
        self._under_way: deque[tuple[Tensor, torch.cuda.Event | None]] = deque()

    def put(self, sums: Tensor, gradient_norm: Tensor) -> None:
        """Take the sums of a step over all workers, shape (3,), and the norm of its gradient."""
        figures = torch.cat([sums, gradient_norm.detach().reshape(1).to(sums.dtype)])
        if not self._aside:
            self._under_way.append((figures, None))
            return
        host = torch.empty(_FIELDS + 1, dtype=figures.dtype, pin_memory=True)
        host.copy_(figures, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        self._under_way.append((host, event))

    def take(self, *, all_of_them: bool = False) -> list[StepMetrics]:
        """The steps that are due, oldest first."""
        due = []
        while len(self._under_way) > (0 if all_of_them else self._lag):
            figures, event = self._under_way.popleft()
            if event is not None:
                event.synchronize()
            loss, padded, stopping, norm = figures.tolist()
            due.append(StepMetrics(loss, int(padded), int(stopping), norm))
        return due
