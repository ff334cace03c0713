"""The one thing that workers do together: sum tensors. Alone, or over torch.distributed."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor


class Collective(Protocol):
    """A group of workers that this process is one of."""

    rank: int
    workers: int

    def sum_(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all workers; every worker must call it."""


class Alone:
    """A group of one."""

    rank = 0
    workers = 1

    def sum_(self, tensor: Tensor) -> None:
        """The sum over one worker is the tensor itself."""


class Distributed:
    """The default process group of torch.distributed (gloo, NCCL or RCCL)."""

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.workers = dist.get_world_size()

    def sum_(self, tensor: Tensor) -> None:
        """All-reduce in place."""
        dist.all_reduce(tensor)


def sum_gradients(model: torch.nn.Module, collective: Collective, figures: Tensor) -> Tensor:
    """Sum the gradients of all workers, together with a few figures, in one flat all-reduce.

    A worker without rows contributes zeros.

    Args:
        model: its gradients are replaced by their sums.
        collective: the workers.
        figures: summed along with the gradients, shape (n,).

    Returns:
        The sums of `figures`, shape (n,).
    """
    if collective.workers == 1:
        return figures
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]
    flat = torch.cat([figures, *(gradient.reshape(-1) for gradient in gradients)])
    collective.sum_(flat)
    sums, *pieces = flat.split([len(figures), *(parameter.numel() for parameter in parameters)])
    for parameter, piece in zip(parameters, pieces, strict=True):
        parameter.grad = piece.view_as(parameter)
    return sums
