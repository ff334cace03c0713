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
from training.batch import collate
from training.collective import Collective, sum_gradients
from training.config import TrainingConfig
from training.scoring import probabilities
from training.steps import micro_batches, plan_epoch, share

Record = dict[str, Any]


@dataclass
class State:
    """All that an epoch hands to the next, and all that resuming needs.

    Attributes:
        model: the weights.
        optimizer: AdamW over them.
        epoch: epochs finished.
        best: weights of the best epoch so far.
        best_record: its record.
        records: of every epoch finished, in order.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    best_record: Record = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Everything as plain tensors and numbers, for `torch.save`."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "best": self.best,
            "best_record": self.best_record,
            "records": list(self.records),
        }

    def restore(self, document: dict[str, Any]) -> None:
        """Go back to where `document` was taken."""
        self.model.load_state_dict(document["model"])
        self.optimizer.load_state_dict(document["optimizer"])
        self.epoch, self.best, self.best_record = document["epoch"], document["best"], document["best_record"]
        # Checkpoints written before records were kept have none.
        self.records = list(document.get("records", []))


def start(model: nn.Module, config: TrainingConfig) -> State:
    """The state before the first epoch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    return State(model, optimizer)


def fit(
    state: State,
    train: TokenDataset,
    validation: TokenDataset,
    config: TrainingConfig,
    collective: Collective,
    device: torch.device,
    on_epoch: Callable[[Record, State], None],
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

    Raises:
        TrainingError: the loss is no longer a number.
    """
    while state.epoch < config.epochs and not _out_of_patience(state, config):
        began = time.monotonic()
        figures = _epoch(state, train, config, collective, device)
        scored = _validate(state.model, validation, config, collective, device)
        state.epoch += 1
        record = {"epoch": state.epoch, **figures, **scored, "seconds": round(time.monotonic() - began, 3)}
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
    state: State, train: TokenDataset, config: TrainingConfig, collective: Collective, device: torch.device
) -> Record:
    model, optimizer, lengths = state.model, state.optimizer, train.lengths
    steps = plan_epoch(lengths, config.batch, config.seed, state.epoch)
    torch.manual_seed(fingerprint.seed(config.seed, "dropout", state.epoch, collective.rank))
    model.train()
    total = torch.zeros((), dtype=torch.float64, device=device)
    padded, began = 0, time.monotonic()
    for number, rows in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(state.epoch * len(steps) + number, config.epochs * len(steps), config)
        optimizer.zero_grad(set_to_none=True)
        for part in micro_batches(share(rows, collective.workers, collective.rank), lengths, config.token_budget):
            batch = collate(train.tokens, train.offsets, train.labels, part).to(device)
            loss = binary_cross_entropy_with_logits(model(batch), batch.labels, reduction="sum") / len(rows)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach() * len(rows)
            padded += int(lengths[part].max()) * len(part)
        sum_gradients(model, collective)
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
    loss_sum, padded_tokens = summed(total, padded, collective)
    if not math.isfinite(loss_sum):
        raise _diverged(f"epoch {state.epoch + 1}: the loss is")
    return {
        "loss": loss_sum / len(train),
        "learning_rate": optimizer.param_groups[0]["lr"],
        "padding_share": 1 - len(train.tokens) / padded_tokens,
        "train_seconds": time.monotonic() - began,
    }


def summed(loss: torch.Tensor, tokens: int, collective: Collective) -> tuple[float, int]:
    """A loss and a count added up over all workers, in float64: float32 counts exactly to 2^24 only."""
    both = torch.stack([loss.double(), torch.tensor(tokens, dtype=torch.float64, device=loss.device)])
    collective.sum_(both)
    loss_sum, token_sum = both.tolist()
    return loss_sum, int(token_sum)


def _diverged(what: str) -> TrainingError:
    return TrainingError(f"{what} no longer a number", "lower training.learning_rate; the last good checkpoint is kept")


def rate(step: int, steps: int, config: TrainingConfig) -> float:
    """Learning rate of a step: a linear rise over the warm-up, then half a cosine down to 1 % of the highest."""
    warmup = max(1, round(config.warmup * steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    along = (step - warmup) / max(1, steps - warmup)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along)))


def _validate(
    model: nn.Module, validation: TokenDataset, config: TrainingConfig, collective: Collective, device: torch.device
) -> Record:
    scores = gathered_probabilities(model, validation, config.token_budget, collective, device)
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
