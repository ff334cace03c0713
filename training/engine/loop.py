"""The training loop: plain PyTorch, with or without Ray. `fit` runs the epochs, `_train_epoch` the optimizer steps.

Everything that a step computes is in the body of `_train_epoch`, in order: learning rate, forward, loss, backward, the
sum of the gradients over workers, clipping and the optimizer.

A step's loss is the sum over its rows divided by their number over all workers, the gradients are summed in one flat
all-reduce, and the loop never waits to read a figure from a GPU. So the trajectory does not depend on the number of
workers or on the token budget, and a worker without a row of a step still takes part in it.
"""

from __future__ import annotations

import time
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pipelines import fingerprint
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.metrics import best_threshold, binary_metrics
from training.config import TrainingConfig
from training.data.feed import feed
from training.data.step_plan import plan_epoch, share
from training.engine import heap, threads
from training.engine.collective import Collective, sum_gradients
from training.engine.epoch_metrics import EpochMetrics, diverged
from training.engine.observer import Observer
from training.engine.schedule import learning_rate
from training.engine.scoring import probabilities
from training.engine.state import CPU, Record, State, start
from training.engine.step_metrics import StepSums

__all__ = ["CPU", "Record", "State", "fit", "gathered_probabilities", "start"]


def fit(
    state: State,
    train: TokenDataset,
    validation: TokenDataset,
    config: TrainingConfig,
    collective: Collective,
    device: torch.device,
    observer: Observer | None = None,
    *,
    retain_memory: bool = True,
) -> bool:
    """Train until the last epoch, until patience runs out, or until an observer of any worker asks to stop.

    Args:
        state: where to begin, changed in place; the model is on `device`.
        train: rows to learn from.
        validation: rows to choose the best epoch by: highest AUROC, the earliest of equals.
        config: the optimisation.
        collective: the workers.
        device: where to compute.
        observer: called at every phase, step and epoch.
        retain_memory: on a CPU, whether freed memory may stay with the process. This is faster, but takes up to three
            times the memory of a step.

    Returns:
        True if training is finished; False if it was stopped, on all workers after the same step.

    Raises:
        TrainingError: the loss or the gradient is no longer a number; the state must not be saved.
    """
    observer = observer or Observer()
    memory = heap.retain_freed_memory() if retain_memory else heap.release_freed_memory()
    with threads.limited_for(state.model), memory if device.type == "cpu" else nullcontext():
        while state.epoch < config.epochs and not state.out_of_patience(config.patience):
            if not _train_epoch(state, train, config, collective, device, observer):
                return False
            began = time.monotonic()
            figures = _validate(state, validation, config, collective, device)
            record = _training_figures(state, train) | figures
            record["seconds"] = round(record["train_seconds"] + time.monotonic() - began, 3)
            state.finish_epoch(record)
            observer.epoch_ended(record, state)
    return True


def _train_epoch(
    state: State,
    train: TokenDataset,
    config: TrainingConfig,
    collective: Collective,
    device: torch.device,
    observer: Observer,
) -> bool:
    """Do the remaining steps of an epoch; return False if they were stopped."""
    model, optimizer, precision = state.model, state.optimizer, state.precision
    steps = plan_epoch(train.lengths, config.global_batch_size, config.seed, state.epoch)
    class_weights = _class_weights(train, config).to(device)
    is_frozen = config.freeze_embedding < 0 or state.epoch < config.freeze_embedding
    model.get_parameter("embedding.weight").requires_grad_(not is_frozen)
    model.train()
    remaining = enumerate(steps[state.step :], start=state.step)
    with feed(train, remaining, config.budget, collective.workers, collective.rank, device) as batches:
        metrics = EpochMetrics(state, train, steps, config, device, batches, observer)
        prepared = iter(batches)
        while True:
            with observer.phase("data"):
                step = next(prepared, None)
            if step is None:
                break
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(state.epoch * len(steps) + step.number, len(steps), config)
            optimizer.zero_grad(set_to_none=True)
            torch.manual_seed(fingerprint.seed(config.seed, "dropout", state.epoch, step.number, collective.rank))
            sums = StepSums(device, should_stop=observer.should_stop())
            for part in step.parts:
                with observer.phase("copy"):
                    batch = part.to(device)
                with observer.phase("forward"), precision.autocast():
                    losses = binary_cross_entropy_with_logits(model(batch), batch.labels, reduction="none")
                    loss = (losses * class_weights[batch.labels.long()]).sum() / step.rows
                with observer.phase("backward"):
                    precision.backward(loss)
                sums.add(loss.detach() * step.rows, part.longest * len(part.counts))
            with observer.phase("reduce"):
                global_sums = sum_gradients(model, collective, sums.vector())
            with observer.phase("optimizer"):
                gradient_norm = precision.step(optimizer, model, config.max_grad_norm)
            state.step += 1
            if metrics.record(global_sums, gradient_norm):
                break
            if state.step < len(steps) and observer.checkpoint_due(state) and metrics.flush():
                observer.checkpoint(state)
        return not metrics.finish()


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


def _class_weights(train: TokenDataset, config: TrainingConfig) -> torch.Tensor:
    """Weights of label 0 and 1 in the loss, shape (2,); their mean over the rows of train is 1."""
    if config.class_weights == "none":
        return torch.ones(2)
    counts = np.bincount(train.labels, minlength=2)
    return torch.from_numpy((len(train) / (2 * np.maximum(counts, 1))).astype(np.float32))


def _validate(
    state: State, validation: TokenDataset, config: TrainingConfig, collective: Collective, device: torch.device
) -> Record:
    """The part of an epoch's record that validation gives."""
    with state.precision.autocast():
        scores = gathered_probabilities(state.model, validation, config.budget, collective, device)
    if not np.isfinite(scores).all():
        raise diverged("validation: the probabilities are")
    labels = validation.labels
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    loss = -np.mean(np.where(labels == 1, np.log(clipped), np.log(1 - clipped)))
    figures = {"loss": float(loss), **binary_metrics(labels, scores, threshold=0.5)}
    record = {f"validation_{name}": value for name, value in figures.items()}
    threshold = best_threshold(labels, scores)
    return record | {"threshold": threshold, "threshold_accuracy": float(((scores >= threshold) == labels).mean())}


def gathered_probabilities(
    model: nn.Module, dataset: TokenDataset, token_budget: int, collective: Collective, device: torch.device
) -> NDArray[np.float64]:
    """Probabilities of all rows, of which each worker scores its share; equal on every worker, shape (rows,)."""
    rows = share(np.argsort(-dataset.lengths, kind="stable"), collective.workers, collective.rank)
    scores = torch.zeros(len(dataset), dtype=torch.float64, device=device)
    own_scores = probabilities(model, dataset.tokens, dataset.lengths, token_budget, device, rows)
    scores[torch.from_numpy(rows)] = torch.from_numpy(own_scores).to(device)
    # Each row is scored by one worker and zero on the others.
    collective.sum_(scores)
    return scores.cpu().numpy()
