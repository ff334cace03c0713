"""How recurrent layers lay out sequences: masked or packed, whichever is faster on the device. The result is the same.

On CPU masked is 5 to 30 times faster, so nothing is measured there. On a GPU both are timed once on a typical batch
before training: a few forward and backward passes. The first worker measures, and all workers take its answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.dataset.token_dataset import TokenDataset
from training.config import TrainingConfig
from training.data.batch import TokenBatch
from training.data.step_plan import micro_batches, plan_epoch
from training.engine.collective import Alone, Collective
from training.engine.objectives.objective import Objective
from training.engine.objectives.recognition import Recognition
from training.engine.precision import Precision
from training.models.ensemble import members_of
from training.models.recurrent import Layout, Recurrent

Autocast = Callable[[], AbstractContextManager[Any]]
Clock = Callable[[], float]
LossOf = Callable[[nn.Module, TokenBatch], Tensor]
# The fastest of a few passes counts, because other work on the machine only slows passes down.
PASSES = 3


def _sum_of_logits(model: nn.Module, batch: TokenBatch) -> Tensor:
    total: Tensor = model(batch).sum()
    return total


def set_layout(
    model: nn.Module,
    config: TrainingConfig,
    train: TokenDataset,
    objective: Objective | None = None,
    collective: Collective | None = None,
) -> Layout | None:
    """Set the layout of a model's body; every worker must call it.

    Args:
        model: on its device.
        config: `layout`; where that is auto, `deterministic` means masked.
        train: the train split, from which a batch is taken if something has to be measured.
        objective: of the model, whose loss is measured (default: recognition).
        collective: the workers (default: one).

    Returns:
        The layout, or None for a model that is not recurrent.
    """
    if not _bodies(model):
        return None
    device = next(model.parameters()).device
    if config.layout != "auto":
        layout: Layout = config.layout
    elif device.type == "cpu" or config.deterministic:
        layout = "masked"
    else:
        layout = agreed_layout(
            lambda: _measured_layout(model, config, train, objective or Recognition(config, train)),
            collective or Alone(),
            device,
        )
    _lay_out(model, layout)
    return layout


def _bodies(model: nn.Module) -> list[Recurrent]:
    """The recurrent bodies of a model: one, that of each member of an ensemble, or none."""
    bodies = (getattr(member, "body", None) for member in members_of(model))
    return [body for body in bodies if isinstance(body, Recurrent)]


def _lay_out(model: nn.Module, layout: Layout) -> None:
    for body in _bodies(model):
        body.layout = layout


def _measured_layout(model: nn.Module, config: TrainingConfig, train: TokenDataset, objective: Objective) -> Layout:
    device = next(model.parameters()).device
    batch = typical_batch(train, config, objective).to(device)
    return faster_layout(model, batch, Precision(config.precision, device).autocast, loss_of=objective.loss)


def agreed_layout(choose: Callable[[], Layout], collective: Collective, device: torch.device) -> Layout:
    """The layout that the first worker chooses, on every worker.

    Times of the two are often close: where each worker chose for itself, some would wait for others in every step.

    Args:
        choose: called on the first worker alone.
        collective: the workers.
        device: on which they add tensors up.
    """
    layouts: tuple[Layout, ...] = get_args(Layout)
    number = torch.zeros(1, device=device)
    if collective.rank == 0:
        number += layouts.index(choose())
    collective.sum_(number)
    return layouts[int(number.item())]


def faster_layout(
    model: nn.Module,
    batch: TokenBatch,
    autocast: Autocast = nullcontext,
    clock: Clock = time.perf_counter,
    loss_of: LossOf = _sum_of_logits,
) -> Layout:
    """The layout in which a recurrent model takes less time for forward and backward of a batch, on any device.

    The model, its gradients and the state of random numbers stay as they were.

    Args:
        model: recurrent.
        batch: on the model's device.
        autocast: the context of forward passes, as in training.
        clock: returns seconds.
        loss_of: gives what the backward pass begins with.
    """

    def timed() -> float:
        began = clock()
        _pass(model, batch, loss_of, autocast)
        return clock() - began

    layout_before, was_training = _bodies(model)[0].layout, model.training
    gradients = [parameter.grad for parameter in model.parameters()]
    devices = [batch.tokens.device] if batch.tokens.is_cuda else []
    seconds: dict[Layout, float] = {}
    with torch.random.fork_rng(devices):
        model.train()
        for layout in get_args(Layout):
            _lay_out(model, layout)
            # The first pass is a warm-up and does not count.
            _pass(model, batch, loss_of, autocast)
            seconds[layout] = min(timed() for _ in range(PASSES))
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        parameter.grad = gradient
    _lay_out(model, layout_before)
    model.train(was_training)
    return min(seconds, key=lambda layout: seconds[layout])


def typical_batch(train: TokenDataset, config: TrainingConfig, objective: Objective | None = None) -> TokenBatch:
    """A batch of the step whose longest sequence is the median of all steps' longest."""
    lengths = train.lengths
    steps = plan_epoch(lengths, config.global_batch_size, config.seed, epoch=0)
    longest = lengths[[rows[0] for rows in steps]]
    rows = steps[int(np.argsort(longest, kind="stable")[len(steps) // 2])]
    part = micro_batches(rows, lengths, config.budget)[0]
    return (objective or Recognition(config, train)).collate(train, 0, part)


def _pass(model: nn.Module, batch: TokenBatch, loss_of: LossOf, autocast: Autocast) -> None:
    model.zero_grad(set_to_none=True)
    with autocast():
        loss = loss_of(model, batch)
    loss.backward()
    if batch.tokens.is_cuda:
        torch.cuda.synchronize(batch.tokens.device)
