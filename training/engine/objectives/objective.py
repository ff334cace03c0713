"""What the training loop asks of a task: batches of its rows, the loss of a batch, and the figures of validation."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from pipelines.dataset.token_dataset import TokenDataset
from training.data.batch import TokenBatch
from training.data.step_plan import Rows
from training.engine.collective import Collective


class Objective(Protocol):
    """A task as the training loop sees it.

    A row's batch and loss depend on nothing but the row, the seed and the epoch. So the trajectory does not depend on
    workers, token budget or interruptions.
    """

    @property
    def criterion(self) -> str:
        """The figure of `validate` by which the best epoch is chosen; higher is better."""

    def collate(self, train: TokenDataset, epoch: int, rows: Rows) -> TokenBatch:
        """The batch of some rows of train in an epoch (from 0); called on the thread that prefetches."""

    def loss(self, model: nn.Module, batch: TokenBatch) -> Tensor:
        """The sum of the losses of a batch's rows, shape (); called under autocast, on the model's device."""

    def validate(
        self, model: nn.Module, validation: TokenDataset, collective: Collective, device: torch.device
    ) -> dict[str, Any]:
        """The figures of validation, each named `validation_…` or after a threshold; equal on every worker.

        Called under autocast.

        Raises:
            TrainingError: the model's outputs are no longer numbers.
        """

    def train_figures(
        self, model: nn.Module, train: TokenDataset, max_rows: int, device: torch.device
    ) -> dict[str, float]:
        """Figures of some rows of train, the same rows in every run on as many, each named `train_…`.

        Their difference to those of validation says how much better a model does on what it was trained on. Called
        under autocast.
        """
