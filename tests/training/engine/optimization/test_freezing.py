from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipelines.dataset.token_dataset import TokenDataset
from tests.training.engine.fitting import fit as fit_alone
from tests.training.engine.fitting import fit_together, losses
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine import loop
from training.engine.collective import Alone
from training.engine.observer import Observer
from training.engine.optimization import freezing

CONFIG = ModelConfig(embedding=8, hidden=8, stem=8, dropout=0.1)


class Normalised(nn.Module):
    """A model with running statistics, as a module of one's own may have."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.dropout = nn.Dropout(0.5)
        self.body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
        self.head = nn.Linear(4, 1)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.body(self.embedding(ids))))
        return logits


def trained_names(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_a_frozen_body_leaves_the_head_alone_to_train_and_is_thawed_after_its_epochs() -> None:
    model = models.make(CONFIG, 67)
    everything = trained_names(model)
    config = TrainingConfig(freeze_body=2, epochs=3)
    freezing.prepare(model, config, 1)
    assert trained_names(model) == {"head.weight", "head.bias"}
    freezing.prepare(model, config, 2)
    assert trained_names(model) == everything


def test_token_vectors_stay_frozen_for_their_own_epochs() -> None:
    model = models.make(CONFIG, 67)
    freezing.prepare(model, TrainingConfig(freeze_body=1, freeze_embedding=-1), 1)
    assert "embedding.weight" not in trained_names(model)
    assert "stem.convolution.weight" in trained_names(model)


def test_running_statistics_of_a_frozen_body_do_not_move_and_nothing_is_dropped_in_it() -> None:
    model = Normalised()
    before = {name: tensor.clone() for name, tensor in model.body.state_dict().items()}
    freezing.prepare(model, TrainingConfig(freeze_body=-1), 0)
    model(torch.arange(5)).sum().backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.body.state_dict().items())
    assert not model.body.training
    assert model.dropout.training
    assert model.head.weight.grad is not None
    assert model.body[0].weight.grad is None
    freezing.prepare(model, TrainingConfig(freeze_body=1), 1)
    assert model.body.training


class Keeper(Observer):
    """Keeps the weights after each epoch, and every state within one."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []
        self.documents: list[dict[str, object]] = []

    def epoch_ended(self, record: loop.Record, state: loop.State) -> None:
        self.weights.append({name: tensor.clone() for name, tensor in state.model.state_dict().items()})

    def checkpoint_due(self, state: loop.State) -> bool:
        return True

    def checkpoint(self, state: loop.State) -> None:
        self.documents.append(copy.deepcopy(state.document()))


def fit(
    train: TokenDataset, validation: TokenDataset, config: TrainingConfig, document: dict[str, object] | None = None
) -> tuple[nn.Module, Keeper]:
    torch.manual_seed(0)
    state, keeper = loop.start(models.make(CONFIG, train.tokenizer.vocabulary_size), config), Keeper()
    if document is not None:
        state.restore(document)
    loop.fit(state, train, validation, config, Alone(), torch.device("cpu"), keeper)
    return state.model, keeper


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weight_decay_and_momentum_do_not_move_what_is_frozen(
    train_split: TokenDataset, validation_split: TokenDataset, optimizer: str
) -> None:
    config = TrainingConfig.model_validate(
        {"epochs": 2, "global_batch_size": 40, "freeze_body": 1, "optimizer": optimizer, "weight_decay": 0.1}
    )
    torch.manual_seed(0)
    first = models.make(CONFIG, train_split.tokenizer.vocabulary_size).state_dict()
    _, keeper = fit(train_split, validation_split, config)
    moved = {name for name, tensor in keeper.weights[0].items() if not torch.equal(tensor, first[name])}
    assert moved == {"head.weight", "head.bias"}
    thawed = {name for name, tensor in keeper.weights[1].items() if not torch.equal(tensor, first[name])}
    assert thawed == set(first)


def test_resuming_within_a_frozen_and_within_a_thawed_epoch_gives_the_same_bits(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=2, global_batch_size=40, freeze_body=1, layer_decay=0.7)
    whole, keeper = fit(train_split, validation_split, config)
    for number in (1, -1):
        resumed, _ = fit(train_split, validation_split, config, keeper.documents[number])
        for name, tensor in whole.state_dict().items():
            assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_several_workers_learn_the_same_as_one(few: tuple[TokenDataset, TokenDataset]) -> None:
    config = TrainingConfig(epochs=2, global_batch_size=8, token_budget=100, freeze_body=1, layer_decay=0.7)
    alone, _, _ = fit_alone(*few, config)
    for first, second in itertools.pairwise([alone, *(s.records for s in fit_together(*few, config, 2))]):
        np.testing.assert_allclose(losses(first), losses(second), rtol=1e-5)
