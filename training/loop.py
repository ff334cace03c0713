"""The training loop: plain PyTorch, with or without Ray.

A step's loss is the sum over its rows divided by their number over all workers, gradients are added up in one flat
all-reduce, and nothing is read back from the device before the epoch ends. So the trajectory does not depend on
workers or token budget, and a worker that has no row of a step still takes part in it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pipelines import fingerprint
from pipelines.dataset import TokenDataset
from pipelines.errors import TrainingError
from pipelines.metrics import binary_metrics
from training import optimizers, threads
from training.batch import TokenBatch
from training.collective import Collective, sum_gradients
from training.config import TrainingConfig
from training.feed import Feed, feed
from training.precision import Precision
from training.schedule import rate
from training.scoring import probabilities
from training.steps import plan_epoch, share

Record = dict[str, Any]
CPU = torch.device("cpu")
_NOTHING = {"loss": 0.0, "padded": 0.0, "seconds": 0.0, "waited": 0.0}


@dataclass
class State:
    """All that a step hands to the next, and all that resuming needs.

    Attributes:
        model: the weights.
        optimizer: over them.
        precision: the numbers it computes in, with fp16's loss scale.
        epoch: epochs finished.
        step: steps finished of the epoch under way.
        so_far: sums over those steps and all workers: loss, padded tokens, seconds, seconds waited for batches.
        best: weights of the best epoch so far.
        best_record: its record.
        records: of every epoch finished, in order.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    precision: Precision
    epoch: int = 0
    step: int = 0
    so_far: dict[str, float] = field(default_factory=lambda: dict(_NOTHING))
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    best_record: Record = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Everything as plain tensors and numbers, for `torch.save`."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.precision.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "so_far": dict(self.so_far),
            "best": self.best,
            "best_record": self.best_record,
            "records": list(self.records),
        }

    def restore(self, document: dict[str, Any]) -> None:
        """Go back to where `document` was taken."""
        self.model.load_state_dict(document["model"])
        self.optimizer.load_state_dict(document["optimizer"])
        self.precision.load_state_dict(document["precision"])
        self.epoch, self.step, self.so_far = document["epoch"], document["step"], dict(document["so_far"])
        self.best, self.best_record = document["best"], document["best_record"]
        self.records = list(document["records"])


def start(model: nn.Module, config: TrainingConfig, device: torch.device = CPU) -> State:
    """The state before the first step; the model lies on `device`."""
    return State(model, optimizers.make(model, config), Precision(config.precision, device))


def fit(
    state: State,
    train: TokenDataset,
    validation: TokenDataset,
    config: TrainingConfig,
    collective: Collective,
    device: torch.device,
    on_epoch: Callable[[Record, State], None],
    on_step: Callable[[State], None] = lambda state: None,
) -> State:
    """Train until the last epoch, or until patience runs out.

    Args:
        state: where to begin; the model lies on `device`.
        train: rows to learn from.
        validation: rows to choose the best epoch by, highest AUROC, earliest of equals.
        config: the optimisation.
        collective: the workers.
        device: where to compute.
        on_epoch: called by every worker after each epoch with its record and the state.
        on_step: called by every worker after every `checkpoint_steps` steps within an epoch.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    while state.epoch < config.epochs and not _out_of_patience(state, config):
        with threads.suited(state.model):
            figures = _epoch(state, train, config, collective, device, on_step)
        began = time.monotonic()
        scored = _validate(state, validation, config, collective, device)
        seconds = figures["train_seconds"] + time.monotonic() - began
        state.epoch, state.step, state.so_far = state.epoch + 1, 0, dict(_NOTHING)
        record = {"epoch": state.epoch, **figures, **scored, "seconds": round(seconds, 3)}
        record["tokens_per_second"] = round(len(train.tokens) / figures["train_seconds"])
        state.records.append(record)
        if not state.best or record["validation_auroc"] > state.best_record["validation_auroc"]:
            state.best_record = record
            state.best = {name: tensor.detach().cpu().clone() for name, tensor in state.model.state_dict().items()}
        on_epoch(record, state)
    return state


def _out_of_patience(state: State, config: TrainingConfig) -> bool:
    return bool(config.patience and state.epoch and state.epoch - state.best_record["epoch"] >= config.patience)


def _epoch(
    state: State,
    train: TokenDataset,
    config: TrainingConfig,
    collective: Collective,
    device: torch.device,
    on_step: Callable[[State], None],
) -> Record:
    """The steps left of an epoch; its record."""
    model, optimizer, precision = state.model, state.optimizer, state.precision
    steps = plan_epoch(train.lengths, config.batch, config.seed, state.epoch)
    weights = _class_weights(train, config).to(device)
    frozen = config.freeze_embedding < 0 or state.epoch < config.freeze_embedding
    model.get_parameter("embedding.weight").requires_grad_(not frozen)
    model.train()
    left = enumerate(steps[state.step :], start=state.step)
    with feed(train, left, config.token_budget, collective.workers, collective.rank, device) as batches:
        sums = _Sums(device, batches)
        for step in batches:
            for group in optimizer.param_groups:
                group["lr"] = rate(state.epoch * len(steps) + step.number, len(steps), config)
            optimizer.zero_grad(set_to_none=True)
            torch.manual_seed(fingerprint.seed(config.seed, "dropout", state.epoch, step.number, collective.rank))
            for part in step.parts:
                batch = part.to(device)
                with precision.autocast():
                    logits = model(batch)
                losses = binary_cross_entropy_with_logits(logits, batch.labels, reduction="none")
                loss = (losses * weights[batch.labels.long()]).sum() / step.rows
                precision.backward(loss)
                sums.add(loss.detach() * step.rows, part)
            sum_gradients(model, collective)
            precision.step(optimizer, model, config.clip)
            state.step += 1
            if config.checkpoint_steps and state.step % config.checkpoint_steps == 0 and state.step < len(steps):
                sums.hand_over(state, collective)
                on_step(state)
        sums.hand_over(state, collective)
    found = state.so_far
    return {
        "loss": found["loss"] / len(train),
        "learning_rate": optimizer.param_groups[0]["lr"],
        "padding_share": 1 - len(train.tokens) / found["padded"],
        "train_seconds": found["seconds"],
        "wait_share": found["waited"] / found["seconds"],
    }


class _Sums:
    """What a worker adds up over steps; reading it from the device waits for the device, so it is seldom handed over."""

    def __init__(self, device: torch.device, batches: Feed) -> None:
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._batches, self._padded = batches, 0
        self._began, self._waited = time.monotonic(), 0.0

    def add(self, loss: torch.Tensor, part: TokenBatch) -> None:
        self._loss += loss
        self._padded += part.longest * len(part.counts)

    def hand_over(self, state: State, collective: Collective) -> None:
        """Add to the state what has come together since the last time, over all workers; the time is this worker's."""
        loss, padded = summed(self._loss, self._padded, collective)
        if not math.isfinite(loss):
            raise _diverged(f"epoch {state.epoch + 1}: the loss is")
        now = time.monotonic()
        found = {
            "loss": loss,
            "padded": padded,
            "seconds": now - self._began,
            "waited": self._batches.waited - self._waited,
        }
        state.so_far = {name: value + found[name] for name, value in state.so_far.items()}
        self._loss.zero_()
        self._padded, self._began, self._waited = 0, now, self._batches.waited


def _class_weights(train: TokenDataset, config: TrainingConfig) -> torch.Tensor:
    """Weights of label 0 and 1 in the loss, shape (2,); their mean over the rows of train is 1."""
    if config.class_weights == "none":
        return torch.ones(2)
    counts = np.bincount(train.labels, minlength=2)
    return torch.from_numpy((len(train) / (2 * np.maximum(counts, 1))).astype(np.float32))


def summed(loss: torch.Tensor, tokens: int, collective: Collective) -> tuple[float, int]:
    """A loss and a count added up over all workers, in float64: float32 counts exactly to 2^24 only."""
    both = torch.stack([loss.double(), torch.tensor(tokens, dtype=torch.float64, device=loss.device)])
    collective.sum_(both)
    loss_sum, token_sum = both.tolist()
    return loss_sum, int(token_sum)


def _diverged(what: str) -> TrainingError:
    return TrainingError(f"{what} no longer a number", "lower training.learning_rate; the last good checkpoint is kept")


def _validate(
    state: State, validation: TokenDataset, config: TrainingConfig, collective: Collective, device: torch.device
) -> Record:
    with state.precision.autocast():
        scores = gathered_probabilities(state.model, validation, config.token_budget, collective, device)
    if not np.isfinite(scores).all():
        raise _diverged("validation: the probabilities are")
    labels = validation.labels
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    loss = -np.mean(np.where(labels == 1, np.log(clipped), np.log(1 - clipped)))
    figures = binary_metrics(labels, scores, threshold=0.5)
    return {"validation_loss": float(loss)} | {f"validation_{name}": value for name, value in figures.items()}


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
