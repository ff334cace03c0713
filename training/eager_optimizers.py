"""PyTorch's optimizers without `torch.compile`, which nothing here uses.

PyTorch guards the methods of an optimizer against being compiled, and imports the compiler to do so: 2.5 CPU seconds
and 72 MB of every process that trains. What the guards wrap is used here as it is: results are the same bytes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import optim


def _unguarded(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step that keeps no gradients of its own, as one with `differentiable=False` does."""
    return torch.no_grad()(inspect.unwrap(step))


class _Eager(optim.Optimizer):
    add_param_group = inspect.unwrap(optim.Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(optim.Optimizer.load_state_dict)
    state_dict = inspect.unwrap(optim.Optimizer.state_dict)
    zero_grad = inspect.unwrap(optim.Optimizer.zero_grad)


class Adam(_Eager, optim.Adam):
    """Adam, with weight decay as an L2 term of the loss."""

    step = _unguarded(optim.Adam.step)


class AdamW(_Eager, optim.AdamW):
    """Adam with decoupled weight decay."""

    step = _unguarded(optim.AdamW.step)


class SGD(_Eager, optim.SGD):
    """Gradient descent with momentum."""

    step = _unguarded(optim.SGD.step)
