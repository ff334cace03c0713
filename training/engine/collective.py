"""The one thing workers do together: add tensors up. Alone, or over torch.distributed."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor


class Collective(Protocol):
    """A group of workers of which this process is one."""

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


def sum_gradients(model: torch.nn.Module, collective: Collective, beside: Tensor) -> Tensor:
    """Add up the gradients of all workers, and a few figures beside them, in one flat all-reduce.

    A worker without rows adds zeros.

    Args:
        model: whose gradients are replaced by their sums.
        collective: the workers.
        beside: figures to add up, shape (n,).

    Returns:
        The sums of `beside`, shape (n,).
    """
    if collective.workers == 1:
        return beside
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
    flat = torch.cat([beside, *(gradient.reshape(-1) for gradient in gradients)])
    collective.sum_(flat)
    sums, *pieces = flat.split([len(beside), *(one.numel() for one in parameters)])
    for parameter, piece in zip(parameters, pieces, strict=True):
        parameter.grad = piece.view_as(parameter)
    return sums
