"""Recognition: is an interval a gene? Cross-entropy over rows; the best epoch has the highest AUROC."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipelines import decision_threshold, fingerprint
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.metrics import AT_THRESHOLD, binary_metrics, metrics_of_calls
from training.config import TrainingConfig
from training.data.batch import TokenBatch, collate
from training.data.step_plan import Rows, share
from training.data.strands import RandomStrands
from training.engine.collective import Collective
from training.engine.epoch_metrics import diverged
from training.engine.objectives import row_losses
from training.engine.scoring import probabilities


class Recognition:
    """The objective of recognition.

    Args:
        config: class weights, smoothing of labels, the token budget of validation, and whether rows are read on either
            strand.
        train: the rows to learn from, whose labels decide balanced weights.
        scoring_budget: most padded tokens in a batch that is scored (default: the budget of training).
        classes: number of different labels.
    """

    criterion = "validation_auroc"

    def __init__(
        self, config: TrainingConfig, train: TokenDataset, scoring_budget: int | None = None, classes: int = 2
    ) -> None:
        self._token_budget = scoring_budget or config.budget
        self._class_weights = class_weights(train.labels, classes, balanced=config.class_weights == "balanced")
        self._smoothing = config.label_smoothing
        self._strands = (
            RandomStrands(len(train), config.seed, train.tokenizer.reverse_complements)
            if config.reverse_complement
            else None
        )

    def collate(self, train: TokenDataset, epoch: int, rows: Rows) -> TokenBatch:
        if self._strands is None:
            return collate(train.tokens, train.offsets, train.labels, rows)
        turned = self._strands.turned(epoch)[rows]
        return collate(train.tokens, train.offsets, train.labels, rows, turned, self._strands.complements)

    def loss(self, model: nn.Module, batch: TokenBatch) -> Tensor:
        return self._weighted_sum(row_losses.of_labels(model(batch), batch.labels, self._smoothing), batch)

    def _weighted_sum(self, losses: Tensor, batch: TokenBatch) -> Tensor:
        """The sum over rows; losses have shape (rows,), or (members, rows), of which a row has the mean."""
        if losses.ndim > 1:
            losses = losses.mean(0)
        self._class_weights = self._class_weights.to(batch.labels.device)
        return (losses * self._class_weights[batch.labels.long()]).sum()

    def validate(
        self, model: nn.Module, validation: TokenDataset, collective: Collective, device: torch.device
    ) -> dict[str, Any]:
        scores = gathered_probabilities(model, validation, self._token_budget, collective, device)
        if not np.isfinite(scores).all():
            raise diverged("validation: the probabilities are")
        labels = validation.labels
        clipped = np.clip(scores, 1e-7, 1 - 1e-7)
        loss = -np.mean(np.where(labels == 1, np.log(clipped), np.log(1 - clipped)))
        figures = {"loss": float(loss), **binary_metrics(labels, scores, threshold=0.5)}
        record = {f"validation_{name}": value for name, value in figures.items()}
        threshold = decision_threshold.nearest_to(decision_threshold.PROBABILITY, labels, scores)
        at_threshold = metrics_of_calls(labels, scores >= threshold)
        return record | {"threshold": threshold, **{f"threshold_{name}": at_threshold[name] for name in AT_THRESHOLD}}

    def train_figures(
        self, model: nn.Module, train: TokenDataset, max_rows: int, device: torch.device
    ) -> dict[str, float]:
        rows = sample_rows(len(train), max_rows)
        scores = probabilities(model, train.tokens, train.lengths, self._token_budget, device, rows)
        metrics = binary_metrics(train.labels[rows], scores, threshold=0.5)
        return {"train_auroc": metrics["auroc"], "train_mcc": metrics["mcc"]}


def sample_rows(rows: int, max_rows: int) -> Rows:
    """Sorted numbers of at most `max_rows` of a dataset's rows, the same for every dataset of as many rows."""
    generator = np.random.default_rng(fingerprint.seed("gap", rows))
    return np.sort(generator.choice(rows, size=min(rows, max_rows), replace=False))


def class_weights(labels: NDArray[np.int8], classes: int = 2, *, balanced: bool) -> Tensor:
    """Weights of the labels in the loss, shape (classes,); their mean over the rows is 1.

    Args:
        labels: of the rows of train, shape (rows,).
        classes: number of different labels.
        balanced: whether all labels have the same total weight; else every row has the same.
    """
    if not balanced:
        return torch.ones(classes)
    counts = np.bincount(labels, minlength=classes)
    return torch.from_numpy((len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32))


def gathered_probabilities(
    model: nn.Module, dataset: TokenDataset, token_budget: int, collective: Collective, device: torch.device
) -> NDArray[np.float64]:
    """Probabilities of all rows, of which each worker scores its share; equal on every worker, shape as `scoring`'s."""
    rows = share(np.argsort(-dataset.lengths, kind="stable"), collective.workers, collective.rank)
    own_scores = probabilities(model, dataset.tokens, dataset.lengths, token_budget, device, rows)
    scores = torch.zeros((len(dataset), *own_scores.shape[1:]), dtype=torch.float64, device=device)
    scores[torch.from_numpy(rows)] = torch.from_numpy(own_scores).to(device)
    # Each row is scored by one worker and zero on the others.
    collective.sum_(scores)
    return scores.cpu().numpy()
