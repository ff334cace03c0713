from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from pipelines.dataset.token_dataset import TokenDataset
from training import networks
from training.config import ModelConfig, TrainingConfig
from training.engine import loop
from training.engine.collective import Alone
from training.engine.objectives.by_task import objective_of
from training.engine.objectives.classification import Classification
from training.engine.objectives.recognition import Recognition
from training.tasks import Task

MODEL = ModelConfig(embedding=4, hidden=4, stem=8)


class Fixed(torch.nn.Module):
    """Gives the same logits for any batch."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, _: object) -> torch.Tensor:
        return self.logits


def splits(dataset: Path) -> tuple[TokenDataset, TokenDataset]:
    return TokenDataset.open(dataset, "train"), TokenDataset.open(dataset, "validation")


def network(train: TokenDataset, model: ModelConfig = MODEL) -> torch.nn.Module:
    task = Task.of_dataset(train.manifest["config"])
    return networks.fresh(task, task.model(model), train.tokenizer, 0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_cross_entropy(class_dataset: Path, smoothing: float) -> None:
    train, _ = splits(class_dataset)
    objective = objective_of(TrainingConfig(label_smoothing=smoothing), train)
    assert isinstance(objective, Classification)
    batch = objective.collate(train, 0, np.arange(8))
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    expected = cross_entropy(logits, batch.labels.long(), reduction="sum", label_smoothing=smoothing)
    assert objective.loss(Fixed(logits), batch).item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_loss_of_several_networks_is_the_mean_of_the_loss_of_each(class_dataset: Path) -> None:
    train, _ = splits(class_dataset)
    objective = objective_of(TrainingConfig(label_smoothing=0.1), train)
    batch = objective.collate(train, 0, np.arange(8))
    logits = torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(0))
    losses = [cross_entropy(each, batch.labels.long(), reduction="sum", label_smoothing=0.1) for each in logits]
    assert objective.loss(Fixed(logits), batch).item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-6)


def test_of_two_classes_the_loss_is_that_of_recognition(train_split: TokenDataset) -> None:
    config = TrainingConfig(label_smoothing=0.2, class_weights="balanced")
    labels = np.where(np.arange(len(train_split)) < 20, 1, 0).astype(np.int8)
    skewed = replace(train_split, labels=labels)
    rows, logits = np.arange(15, 25), torch.randn(10, generator=torch.Generator().manual_seed(0))
    both = Classification(config, skewed, classes=2), Recognition(config, skewed)
    of_classes, usual = (objective.collate(skewed, 0, rows) for objective in both)
    pairs = torch.stack([torch.zeros(10), logits], dim=1)
    assert both[0].loss(Fixed(pairs), of_classes).item() == pytest.approx(
        both[1].loss(Fixed(logits), usual).item(), rel=1e-5
    )


def test_the_network_has_a_logit_of_each_class(class_dataset: Path) -> None:
    train, _ = splits(class_dataset)
    model = network(train, ModelConfig(embedding=4, hidden=4, stem=8, strands="averaged"))
    objective = objective_of(TrainingConfig(), train)
    assert model(objective.collate(train, 0, np.arange(5))).shape == (5, 3)


def test_training_learns_the_classes_and_keeps_the_epoch_of_highest_auroc(class_dataset: Path) -> None:
    train, validation = splits(class_dataset)
    config = TrainingConfig(epochs=4, global_batch_size=16, learning_rate=0.02)
    state = loop.start(network(train), config)
    objective = objective_of(config, train)
    assert loop.fit(state, train, validation, config, Alone(), loop.CPU, objective=objective)
    aurocs = [record["validation_auroc"] for record in state.records]
    assert state.best_record["validation_auroc"] == max(aurocs) > 0.7
    assert {"validation_macro_f1", "validation_mcc", "validation_accuracy", "validation_loss"} <= set(state.best_record)
    assert state.best_confusion is not None
    assert np.trace(state.best_confusion) / len(validation) == state.best_record["validation_accuracy"]
    assert state.document()["best_confusion"] == state.best_confusion
    assert not any("confusion" in name for record in state.records for name in record)
    figures = objective.train_figures(state.model, train, 40, loop.CPU)
    assert set(figures) == {"train_auroc", "train_mcc"}


def test_several_networks_learn_the_classes_with_smoothed_labels_and_averaged_weights(class_dataset: Path) -> None:
    train, validation = splits(class_dataset)
    config = TrainingConfig(epochs=4, global_batch_size=16, learning_rate=0.02, ema_decay=0.9, label_smoothing=0.1)
    state = loop.start(network(train, MODEL.model_copy(update={"ensemble": 2})), config)
    objective = objective_of(config, train)
    assert loop.fit(state, train, validation, config, Alone(), loop.CPU, objective=objective)
    assert state.best_record["validation_auroc"] > 0.7
    # What is kept are the averages of all members, which scored best.
    state.model.load_state_dict(state.best)
    assert objective.validate(state.model.eval(), validation, Alone(), loop.CPU)["validation_auroc"] == pytest.approx(
        state.best_record["validation_auroc"]
    )


@pytest.mark.parametrize("changed", [{"token_budget": 200}])
def test_the_curve_does_not_depend_on_the_token_budget(class_dataset: Path, changed: dict[str, int]) -> None:
    train, validation = splits(class_dataset)
    curves = []
    for keys in ({}, changed):
        config = TrainingConfig.model_validate(
            {"epochs": 1, "global_batch_size": 16, "reverse_complement": True, **keys}
        )
        state = loop.start(network(train, ModelConfig(embedding=4, hidden=4, stem=8, dropout=0.2)), config)
        loop.fit(state, train, validation, config, Alone(), loop.CPU, objective=objective_of(config, train))
        curves.append([state.records[0][name] for name in ("loss", "validation_loss", "validation_auroc")])
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
