from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from pipelines.tokens.tokenizer import Tokenizer
from tests.training.models.test_models import LENGTHS, batch_of
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine.optimization import freezing, layers
from training.models.ensemble import members_of, within_member

TOKENIZER = Tokenizer(3, 1, "anchor")
SMALL: dict[str, Any] = {"embedding": 8, "hidden": 8, "stem": 8, "heads": 2}
MEMBERS = 3
KINDS: list[dict[str, Any]] = [
    {"kind": "lstm"},
    {"kind": "transformer", "strands": "averaged"},
    {"kind": "cnn", "strands": "equivariant"},
    {"kind": "gru", "outputs": 4, "frames": 3},
]


def drawn(**keys: Any) -> torch.nn.Module:
    return models.fresh(ModelConfig(**SMALL | {"ensemble": MEMBERS} | keys), TOKENIZER, 0)


def rows() -> Any:
    return batch_of(LENGTHS, list(range(len(LENGTHS))))


@pytest.mark.parametrize("keys", KINDS, ids=str)
def test_the_logits_of_an_ensemble_are_the_means_of_its_members(keys: dict[str, Any]) -> None:
    model = drawn(**keys).eval()
    with torch.inference_mode():
        each = torch.stack([member(rows()) for member in members_of(model)])
        torch.testing.assert_close(model(rows()), each.mean(0))
    assert (each.std(0) > 0).all()


@pytest.mark.parametrize("keys", KINDS, ids=str)
def test_in_training_every_member_has_logits_of_its_own(keys: dict[str, Any]) -> None:
    model = drawn(**keys, dropout=0.0).train()
    logits = model(rows())
    assert logits.shape == (MEMBERS, len(LENGTHS), *((4,) if "outputs" in keys else ()))
    torch.testing.assert_close(logits.mean(0), model.eval()(rows()))


def test_the_first_member_begins_as_the_only_one_would() -> None:
    first, only = members_of(drawn())[0], drawn(ensemble=1)
    for name, weights in only.state_dict().items():
        assert torch.equal(first.state_dict()[name], weights), name


def test_members_begin_with_token_vectors_of_their_own() -> None:
    tables = [member.get_parameter("embedding.weight") for member in members_of(drawn())]
    assert not torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[1], tables[2])


def test_the_gradient_of_a_member_is_its_own_divided_by_the_number_of_members() -> None:
    together = drawn(dropout=0.0).train()
    alone = copy.deepcopy(members_of(together)[1])
    targets = torch.arange(len(LENGTHS)) % 2 / 1.0
    logits = together(rows())
    binary_cross_entropy_with_logits(logits, targets.expand_as(logits), reduction="none").mean(0).sum().backward()
    binary_cross_entropy_with_logits(alone(rows()), targets, reduction="sum").backward()
    for name, weights in members_of(together)[1].named_parameters():
        torch.testing.assert_close(MEMBERS * weights.grad, alone.get_parameter(name).grad)


def test_dropout_leaves_out_other_values_in_each_member() -> None:
    model = drawn(dropout=0.5).train()
    first, second = members_of(model)[:2]
    second.load_state_dict(first.state_dict())
    keyed = rows()
    keyed = type(keyed)(*(keyed.tokens, keyed.lengths, keyed.labels, keyed.counts), dropout_keys=torch.arange(7).int())
    logits = model(keyed)
    assert not torch.equal(logits[0], logits[1])
    assert torch.equal(model(keyed), logits)


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("members.12.head.bias", "head.bias"),
        ("head.bias", "head.bias"),
        ("body.members.0.weight", "body.members.0.weight"),
    ],
)
def test_a_weight_is_known_by_its_name_within_its_member(name: str, within: str) -> None:
    assert within_member(name) == within


def test_a_layer_of_an_ensemble_is_that_of_all_members() -> None:
    found, alone = layers.from_the_head(drawn(layers=2)), layers.from_the_head(drawn(layers=2, ensemble=1))
    assert [len(weights) for weights in found] == [MEMBERS * len(weights) for weights in alone]


def test_what_is_frozen_is_frozen_in_every_member() -> None:
    model = drawn()
    freezing.prepare(model, TrainingConfig(freeze_body=1, epochs=2), 0)
    trained = [name for name, weights in model.named_parameters() if weights.requires_grad]
    assert trained == [f"members.{number}.head.{part}" for number in range(MEMBERS) for part in ("weight", "bias")]
    assert not any(member.body.training for member in members_of(model))
    freezing.prepare(model, TrainingConfig(freeze_embedding=1, epochs=2), 0)
    frozen = [name for name, weights in model.named_parameters() if not weights.requires_grad]
    assert frozen == [f"members.{number}.embedding.weight" for number in range(MEMBERS)]
