"""The training loop: plain PyTorch, with or without Ray. `fit` runs the epochs, `_train_epoch` the optimizer steps.

Everything that a step computes is in the body of `_train_epoch`, in order: learning rate, forward, loss, backward, the
sum of the gradients over workers, clipping and the optimizer. What differs between tasks is an `Objective`: the batch
of a row, the loss of a batch and the figures of validation.

A step's loss is the sum over its rows divided by their number over all workers, the gradients are summed in one flat
all-reduce, masks of dropout are drawn by row, and the loop never waits to read a figure from a GPU. So the trajectory
does not depend on the number of workers or on the token budget, and a worker without a row of a step still takes part
in it.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import torch

from pipelines import fingerprint
from pipelines.dataset.token_dataset import TokenDataset
from training.config import TrainingConfig
from training.data.batch import TokenBatch
from training.data.dropout_keys import keys_of_rows
from training.data.epoch_plans import EpochPlans
from training.data.feed import feed
from training.data.step_plan import Rows
from training.engine.collective import Collective, sum_gradients
from training.engine.epoch_metrics import EpochMetrics
from training.engine.objectives.objective import Objective
from training.engine.objectives.recognition import Recognition
from training.engine.observer import Observer
from training.engine.optimization import freezing, optimizers
from training.engine.optimization.schedule import learning_rate
from training.engine.process import heap, threads
from training.engine.state import CPU, Record, State, start
from training.engine.step_metrics import StepSums
from training.models import dropout

__all__ = ["CPU", "Record", "State", "fit", "start"]


def fit(
    state: State,
    train: TokenDataset,
    validation: TokenDataset,
    config: TrainingConfig,
    collective: Collective,
    device: torch.device,
    observer: Observer | None = None,
    *,
    objective: Objective | None = None,
    retain_memory: bool = True,
    allowance: int | None = None,
) -> bool:
    """Train until the last epoch, until patience runs out, or until an observer of any worker asks to stop.

    Args:
        state: where to begin, changed in place; the model is on `device`.
        train: rows to learn from.
        validation: rows to choose the best epoch by: the highest `objective.criterion`, the earliest of equals.
        config: the optimisation.
        collective: the workers.
        device: where to compute.
        observer: called at every phase, step and epoch.
        objective: what is learnt (default: recognition).
        retain_memory: on a CPU, whether freed memory may stay with the process. This is faster, but takes several times
            the memory of a step (`training.memory.plan`).
        allowance: bytes by which a process that retains freed memory may grow in its steps; None: by any.

    Returns:
        True if training is finished; False if it was stopped, on all workers after the same step.

    Raises:
        TrainingError: the loss or the gradient is no longer a number; the state must not be saved.
    """
    observer = observer or Observer()
    objective = objective or Recognition(config, train)
    memory = heap.retain_freed_memory(allowance) if retain_memory else heap.release_freed_memory()
    on_cpu = memory if device.type == "cpu" else nullcontext(heap.FreedMemory())
    plans = EpochPlans(train.lengths, config.global_batch_size, config.seed, config.epochs)
    with threads.limited_for(state.model), on_cpu as freed, plans:
        while state.epoch < config.epochs and not state.out_of_patience(config.patience):
            freed.settle()
            if not _train_epoch(state, train, plans, objective, config, collective, device, observer, freed):
                return False
            began = time.monotonic()
            freed.settle()
            with state.averaged():
                with state.precision.autocast():
                    figures = objective.validate(state.model, validation, collective, device)
                record = _training_figures(state, train) | figures
                record["seconds"] = round(record["train_seconds"] + time.monotonic() - began, 3)
                state.finish_epoch(record, objective.criterion)
            observer.epoch_ended(record, state)
    return True


def _train_epoch(
    state: State,
    train: TokenDataset,
    plans: EpochPlans,
    objective: Objective,
    config: TrainingConfig,
    collective: Collective,
    device: torch.device,
    observer: Observer,
    freed: heap.FreedMemory,
) -> bool:
    """Do the remaining steps of an epoch; return False if they were stopped."""
    model, optimizer, precision = state.model, state.optimizer, state.precision
    steps = plans.plan(state.epoch)
    freezing.prepare(model, config, state.epoch)
    has_keys = state.dropout_by_row and dropout.is_used(model)
    collate = partial(_batch_with_keys, objective, config.seed) if has_keys else objective.collate
    remaining, batch_of = steps.remaining(state.step), partial(collate, train, state.epoch)
    with feed(train, remaining, config.budget, collective.workers, collective.rank, device, batch_of) as batches:
        metrics = EpochMetrics(state, train, steps, config, device, batches, observer)
        prepared = iter(batches)
        while True:
            with observer.phase("data"):
                step = next(prepared, None)
            if step is None:
                break
            optimizers.set_rate(optimizer, learning_rate(state.epoch * len(steps) + step.number, len(steps), config))
            optimizer.zero_grad(set_to_none=True)
            # For models that draw random numbers of their own, and runs of earlier versions.
            _seed(device, fingerprint.seed(config.seed, "dropout", state.epoch, step.number, collective.rank))
            sums = StepSums(device, should_stop=observer.should_stop())
            for part in step.parts:
                with observer.phase("copy"):
                    batch = part.to(device)
                with observer.phase("forward"), precision.autocast():
                    loss = objective.loss(model, batch) / step.rows
                with observer.phase("backward"):
                    precision.backward(loss)
                sums.add(loss.detach() * step.rows, part.longest * len(part.counts))
            with observer.phase("reduce"):
                global_sums = sum_gradients(model, collective, sums.vector())
            with observer.phase("optimizer"):
                gradient_norm = precision.step(optimizer, model, config.max_grad_norm)
            state.step += 1
            if state.average is not None:
                state.average.add(state.epoch * len(steps) + state.step)
            freed.step_ended()
            if metrics.record(global_sums, gradient_norm):
                break
            if state.step < len(steps) and observer.checkpoint_due(state) and metrics.flush():
                observer.checkpoint(state)
        return not metrics.finish()


def _seed(device: torch.device, seed: int) -> None:
    """Seed torch's random numbers on a device."""
    if device.type == "cpu":
        # `torch.manual_seed` also formats a traceback for GPUs that may come later, which takes 0.2 ms.
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def _batch_with_keys(objective: Objective, seed: int, train: TokenDataset, epoch: int, rows: Rows) -> TokenBatch:
    """The batch of some rows in an epoch, with what masks of dropout are drawn from."""
    keys = torch.from_numpy(keys_of_rows(seed, epoch, rows))
    return replace(objective.collate(train, epoch, rows), dropout_keys=keys)


def _training_figures(state: State, train: TokenDataset) -> Record:
    """The part of an epoch's record that its training steps give."""
    sums = state.epoch_sums
    return {
        "epoch": state.epoch + 1,
        "loss": sums["loss"] / len(train),
        "learning_rate": state.optimizer.param_groups[0]["lr"],
        "padding_share": 1 - len(train.tokens) / sums["padded"],
        "train_seconds": sums["seconds"],
        "wait_share": sums["waited"] / sums["seconds"],
        "tokens_per_second": round(len(train.tokens) / sums["seconds"]),
    }
