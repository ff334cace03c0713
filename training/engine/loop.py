"""The training loop: plain PyTorch, with or without Ray.

A step's loss is the sum over its rows divided by their number over all workers, gradients are added up in one flat
all-reduce, and the loop never waits to read a figure from a GPU. So the trajectory does not depend on workers or token
budget, and a worker that has no row of a step still takes part in it.
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
from training.engine.schedule import rate
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
    """Train until the last epoch, until patience runs out, or until a worker's observer wants to stop.

    Args:
        state: where to begin; the model lies on `device`. It is moved along.
        train: rows to learn from.
        validation: rows to choose the best epoch by, highest AUROC, earliest of equals.
        config: the optimisation.
        collective: the workers.
        device: where to compute.
        observer: told of every step and epoch.
        retain_memory: whether a CPU has memory for three times what a step needs, which makes it faster.

    Returns:
        Whether training is finished; if not, it was stopped after a step, on all workers after the same.

    Raises:
        TrainingError: the loss or the gradient is no longer a number; the state is not to be kept.
    """
    observer = observer or Observer()
    cpu = device.type == "cpu"
    with threads.suited(state.model), (heap.kept() if retain_memory else heap.spared()) if cpu else nullcontext():
        while state.epoch < config.epochs and not state.out_of_patience(config.patience):
            if not _steps(state, train, config, collective, device, observer):
                return False
            began = time.monotonic()
            scored = _validate(state, validation, config, collective, device)
            record = _record(state, train, config) | scored
            record["seconds"] = round(record["train_seconds"] + time.monotonic() - began, 3)
            state.close_epoch(record)
            observer.epoch_ended(record, state)
    return True


def _steps(
    state: State,
    train: TokenDataset,
    config: TrainingConfig,
    collective: Collective,
    device: torch.device,
    observer: Observer,
) -> bool:
    """The steps left of an epoch; False if they were stopped."""
    model, optimizer, precision = state.model, state.optimizer, state.precision
    steps = plan_epoch(train.lengths, config.global_batch_size, config.seed, state.epoch)
    weights = _class_weights(train, config).to(device)
    frozen = config.freeze_embedding < 0 or state.epoch < config.freeze_embedding
    model.get_parameter("embedding.weight").requires_grad_(not frozen)
    model.train()
    left = enumerate(steps[state.step :], start=state.step)
    with feed(train, left, config.budget, collective.workers, collective.rank, device) as batches:
        books = EpochMetrics(state, train, steps, config, device, batches, observer)
        made = iter(batches)
        while True:
            with observer.phase("data"):
                step = next(made, None)
            if step is None:
                break
            for group in optimizer.param_groups:
                group["lr"] = rate(state.epoch * len(steps) + step.number, len(steps), config)
            optimizer.zero_grad(set_to_none=True)
            torch.manual_seed(fingerprint.seed(config.seed, "dropout", state.epoch, step.number, collective.rank))
            tally = StepSums(device, stopping=observer.should_stop())
            for part in step.parts:
                with observer.phase("copy"):
                    batch = part.to(device)
                with observer.phase("forward"), precision.autocast():
                    losses = binary_cross_entropy_with_logits(model(batch), batch.labels, reduction="none")
                    loss = (losses * weights[batch.labels.long()]).sum() / step.rows
                with observer.phase("backward"):
                    precision.backward(loss)
                tally.add(loss.detach() * step.rows, part.longest * len(part.counts))
            with observer.phase("reduce"):
                sums = sum_gradients(model, collective, tally.vector())
            with observer.phase("optimizer"):
                norm = precision.step(optimizer, model, config.max_grad_norm)
            state.step += 1
            if books.enter(sums, norm):
                break
            if state.step < len(steps) and observer.checkpoint_due(state) and books.close():
                observer.checkpoint(state)
        return not books.end()


def _record(state: State, train: TokenDataset, config: TrainingConfig) -> Record:
    """What an epoch's steps come to."""
    found = state.so_far
    return {
        "epoch": state.epoch + 1,
        "loss": found["loss"] / len(train),
        "learning_rate": state.optimizer.param_groups[0]["lr"],
        "padding_share": 1 - len(train.tokens) / found["padded"],
        "train_seconds": found["seconds"],
        "wait_share": found["waited"] / found["seconds"],
        "tokens_per_second": round(len(train.tokens) / found["seconds"]),
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
    with state.precision.autocast():
        scores = gathered_probabilities(state.model, validation, config.budget, collective, device)
    if not np.isfinite(scores).all():
        raise diverged("validation: the probabilities are")
    labels = validation.labels
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    loss = -np.mean(np.where(labels == 1, np.log(clipped), np.log(1 - clipped)))
    figures = {"loss": float(loss), **binary_metrics(labels, scores, threshold=0.5)}
    found = {f"validation_{name}": value for name, value in figures.items()}
    threshold = best_threshold(labels, scores)
    return found | {"threshold": threshold, "threshold_accuracy": float(((scores >= threshold) == labels).mean())}


def gathered_probabilities(
    model: nn.Module, dataset: TokenDataset, token_budget: int, collective: Collective, device: torch.device
) -> NDArray[np.float64]:
    """Probabilities of all rows, each worker scoring its share; equal on every worker, shape (rows,)."""
    mine = share(np.argsort(-dataset.lengths, kind="stable"), collective.workers, collective.rank)
    scores = torch.zeros(len(dataset), dtype=torch.float64, device=device)
    own = probabilities(model, dataset.tokens, dataset.lengths, token_budget, device, mine)
    scores[torch.from_numpy(mine)] = torch.from_numpy(own).to(device)
    collective.sum_(scores)
    return scores.cpu().numpy()
