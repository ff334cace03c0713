"""Classification: which of several classes has a sequence? Cross-entropy of a softmax over rows.

The best epoch has the highest AUROC, the mean over classes of each against all others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipelines import class_metrics
from pipelines.dataset.token_dataset import TokenDataset
from training.data.batch import TokenBatch
from training.engine.collective import Collective
from training.engine.epoch_metrics import diverged
from training.engine.objectives import row_losses
from training.engine.objectives.recognition import Recognition, gathered_probabilities, sample_rows
from training.engine.scoring import probabilities
from training.engine.state import CONFUSION


class Classification(Recognition):
    """The objective of classification: recognition's rows and weights, and one logit of each class."""

    def loss(self, model: nn.Module, batch: TokenBatch) -> Tensor:
        return self._weighted_sum(row_losses.of_classes(model(batch), batch.labels, self._smoothing), batch)

    def validate(
        self, model: nn.Module, validation: TokenDataset, collective: Collective, device: torch.device
    ) -> dict[str, Any]:
        labels = validation.labels
        shares = gathered_probabilities(model, validation, self._token_budget, collective, device)
        if not np.isfinite(shares).all():
            raise diverged("validation: the probabilities are")
        loss = -np.log(np.maximum(shares[np.arange(len(labels)), labels], 1e-7)).mean()
        figures = {"loss": float(loss), **class_metrics.metrics_of(labels, shares)}
        counts = class_metrics.confusion(labels, shares.argmax(1), shares.shape[1])
        return {f"validation_{name}": value for name, value in figures.items()} | {CONFUSION: counts.tolist()}

    def train_figures(
        self, model: nn.Module, train: TokenDataset, max_rows: int, device: torch.device
    ) -> dict[str, float]:
        rows = sample_rows(len(train), max_rows)
        shares = probabilities(model, train.tokens, train.lengths, self._token_budget, device, rows)
        figures = class_metrics.metrics_of(train.labels[rows], shares)
        return {"train_auroc": figures["auroc"], "train_mcc": figures["mcc"]}
