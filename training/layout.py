"""How recurrent layers lay out sequences: masked or packed, whichever is faster on the device. Never changes a result.

On CPU masked is 5 to 30 times faster, so nothing is measured there. On a GPU both are timed once on a typical batch, before
training: a few forward and backward passes.
"""

from __future__ import annotations

import time
from typing import Literal, get_args

import numpy as np
import torch
from torch import nn

from pipelines.dataset import TokenDataset
from training.batch import TokenBatch, collate
from training.config import TrainingConfig
from training.models.recurrent import Layout, Recurrent
from training.steps import micro_batches, plan_epoch

Wanted = Literal["auto", "masked", "packed"]
PASSES = 3


def settle(model: nn.Module, wanted: Wanted, batch: TokenBatch, *, measure: bool = True) -> Layout | None:
    """Set the layout of a model's body.

    Args:
        model: on its device.
        wanted: a layout, or auto.
        batch: a typical one, on any device.
        measure: False: auto means masked, as it must where the same bits are to come out again.

    Returns:
        The layout; None for a model that is not recurrent.
    """
    body = getattr(model, "body", None)
    if not isinstance(body, Recurrent):
        return None
    device = next(model.parameters()).device
    if wanted != "auto":
        body.layout = wanted
    elif device.type == "cpu" or not measure:
        body.layout = "masked"
    else:
        body.layout = faster_layout(model, batch.to(device))
    return body.layout


def faster_layout(model: nn.Module, batch: TokenBatch) -> Layout:
    """The layout in which a recurrent model computes forward and backward of a batch in less time, on any device.

    The model, its gradients and the random numbers to come are as before.
    """
    body = model.get_submodule("body")
    assert isinstance(body, Recurrent)
    before, training, gradients = body.layout, model.training, [one.grad for one in model.parameters()]
    devices = [batch.tokens.device] if batch.tokens.is_cuda else []
    seconds: dict[Layout, float] = {}
    with torch.random.fork_rng(devices):
        model.train()
        for layout in get_args(Layout):
            body.layout = layout
            _pass(model, batch)
            seconds[layout] = min(_timed(model, batch) for _ in range(PASSES))
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        parameter.grad = gradient
    body.layout = before
    model.train(training)
    return min(seconds, key=lambda layout: seconds[layout])


def typical(train: TokenDataset, config: TrainingConfig) -> TokenBatch:
    """A batch of the step whose longest sequence is the median of all steps' longest."""
    steps = plan_epoch(train.lengths, config.batch, config.seed, epoch=0)
    longest = [train.lengths[rows[0]] for rows in steps]
    rows = steps[int(np.argsort(longest, kind="stable")[len(steps) // 2])]
    part = micro_batches(rows, train.lengths, config.budget)[0]
    return collate(train.tokens, train.offsets, train.labels, part)


def _timed(model: nn.Module, batch: TokenBatch) -> float:
    began = time.perf_counter()
    _pass(model, batch)
    return time.perf_counter() - began


def _pass(model: nn.Module, batch: TokenBatch) -> None:
    model.zero_grad(set_to_none=True)
    model(batch).sum().backward()
    if batch.tokens.is_cuda:
        torch.cuda.synchronize(batch.tokens.device)
