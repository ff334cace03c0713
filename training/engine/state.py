"""The state of training between two steps, which is all that resuming needs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from training.config import TrainingConfig
from training.engine.optimization import optimizers
from training.engine.optimization.weight_average import WeightAverage
from training.engine.precision import Precision

Record = dict[str, Any]
CPU = torch.device("cpu")
CONFUSION = "validation_confusion"
"""The key of an epoch's confusion table among the figures of validation."""
_ZEROS = {"loss": 0.0, "padded": 0.0, "seconds": 0.0, "waited": 0.0}


@dataclass
class State:
    """The state of a run between two steps.

    The order of rows is drawn from (seed, epoch) and dropout from (seed, epoch, row), so there is no random state to
    save. The learning rate follows from the step.

    Attributes:
        model: the weights.
        optimizer: over them.
        precision: the number format it computes in, with the loss scale of fp16.
        epoch: epochs finished.
        step: steps finished of the current epoch.
        epoch_sums: over those steps: loss and padded tokens of all workers; seconds, and seconds spent waiting for
            batches, of this worker.
        dropout_by_row: whether masks of dropout are drawn by (seed, epoch, row). Runs that earlier versions began draw
            them by (seed, epoch, step, worker), and go on so.
        average: of the weights, where validation and `best` are to use that.
        best: weights of the best epoch so far.
        best_record: the record of that epoch.
        best_confusion: its confusion table, of a model of classes: too large to be in the record of each epoch.
        records: of all epochs finished, in order.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    precision: Precision
    epoch: int = 0
    step: int = 0
    epoch_sums: dict[str, float] = field(default_factory=lambda: dict(_ZEROS))
    dropout_by_row: bool = True
    average: WeightAverage | None = None
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    best_record: Record = field(default_factory=dict)
    best_confusion: list[list[int]] | None = None
    records: list[Record] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Everything as plain tensors and numbers, for `torch.save`; the tensors are not copies.

        The keys are the format of checkpoints and stay as they are (`checkpoints.FORMAT`).
        """
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.precision.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "so_far": dict(self.epoch_sums),
            "best": self.best,
            "best_record": self.best_record,
            "records": list(self.records),
            **({} if self.best_confusion is None else {"best_confusion": self.best_confusion}),
            **({"dropout_by_row": True} if self.dropout_by_row else {}),
            **({"average": self.average.values} if self.average else {}),
        }

    def restore(self, document: dict[str, Any]) -> None:
        """Take over the content of a checkpoint, as `document` made it."""
        self.model.load_state_dict(document["model"])
        self.optimizer.load_state_dict(document["optimizer"])
        self.precision.load_state_dict(document["precision"])
        self.epoch, self.step, self.epoch_sums = document["epoch"], document["step"], dict(document["so_far"])
        self.dropout_by_row = document.get("dropout_by_row", False)
        self.best, self.best_record = document["best"], document["best_record"]
        self.best_confusion = document.get("best_confusion")
        self.records = list(document["records"])
        if self.average is not None:
            self.average.restore(document["average"])

    def averaged(self) -> AbstractContextManager[None]:
        """A block in which the model has the average of its weights, if there is one."""
        return nullcontext() if self.average is None else self.average.in_use()

    def add(self, **figures: float) -> None:
        """Add to the sums of the current epoch."""
        for name, value in figures.items():
            self.epoch_sums[name] += value

    def finish_epoch(self, record: Record, criterion: str) -> None:
        """Count an epoch as finished, and keep its weights if its figure named `criterion` is the highest so far.

        Args:
            record: of the epoch; its `CONFUSION` is taken out of it.
            criterion: name of a figure.
        """
        confusion = record.pop(CONFUSION, None)
        self.epoch, self.step, self.epoch_sums = self.epoch + 1, 0, dict(_ZEROS)
        self.records.append(record)
        if not self.best or record[criterion] > self.best_record[criterion]:
            self.best_record, self.best_confusion = record, confusion
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}

    def out_of_patience(self, patience: int) -> bool:
        """Whether `patience` epochs have passed without a better one; never if it is 0."""
        return bool(patience and self.epoch and self.epoch - self.best_record["epoch"] >= patience)


def start(model: nn.Module, config: TrainingConfig, device: torch.device = CPU) -> State:
    """The state before the first step; the model is on `device`."""
    average = WeightAverage(model, config.ema_decay) if config.ema_decay else None
    return State(model, optimizers.make(model, config), Precision(config.precision, device), average=average)
