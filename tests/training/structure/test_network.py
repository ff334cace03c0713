from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pipelines.errors import UsageError
from pipelines.structure.states import SITES, STATES, UTR
from tests.training.structure.synthetic import SMALL, TOKENIZER, batch, row_of, windows
from training import structure
from training.config import ModelConfig
from training.structure.batch import collate
from training.structure.loss import LossWeights, losses
from training.structure.network import StructureModel

LENGTHS = [1, 2, 3, 8, 9, 10, 31, 90]
VARIANTS: list[dict[str, Any]] = [
    {"kind": "lstm", "layers": 2},
    {"kind": "lstm", "stem_stride": 3, "dropout": 0.1},
    {"kind": "gru", "stem_width": 15},
    {"kind": "transformer", "stem_stride": 3, "window": 4},
    {"kind": "transformer", "base_layers": 0, "output_layers": 0},
    {"kind": "cnn", "layers": 3, "stem_width": 11},
    {"kind": "cnn", "base_width": 3, "base_layers": 4, "output_layers": 2, "stem_stride": 3, "stem_width": 3},
]


def network_of(changed: dict[str, Any], vocabulary_size: int = 67) -> StructureModel:
    torch.manual_seed(0)
    config = ModelConfig.model_validate(SMALL.model_dump() | changed)
    return structure.make(config, vocabulary_size).eval()


@pytest.mark.parametrize("changed", VARIANTS, ids=str)
def test_a_row_has_the_same_logits_alone_and_next_to_longer_rows(changed: dict[str, Any]) -> None:
    network, rows = network_of(changed), batch(LENGTHS)
    with torch.inference_mode():
        together = network(rows)
        for row, length in enumerate(LENGTHS):
            alone = network(row_of(rows, row))
            assert alone.states.shape == (1, length, 2, STATES)
            assert alone.sites.shape == (1, length, 2, SITES)
            torch.testing.assert_close(together.states[row, :length], alone.states[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(together.sites[row, :length], alone.sites[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("changed", VARIANTS, ids=str)
def test_gradients_do_not_depend_on_how_rows_are_batched(changed: dict[str, Any]) -> None:
    network, rows = network_of(changed), batch(LENGTHS)
    weights = LossWeights(90)

    def gradient(batches: list[Any]) -> torch.Tensor:
        network.zero_grad()
        for part in batches:
            losses(network(part), part, weights).sum().backward()
        return torch.cat([weight.grad.reshape(-1) for weight in network.parameters() if weight.grad is not None])

    cut = gradient([row_of(rows, row) for row in range(len(LENGTHS))])
    torch.testing.assert_close(gradient([rows]), cut, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("changed", VARIANTS, ids=str)
def test_the_reverse_complement_has_the_same_logits_turned(changed: dict[str, Any]) -> None:
    network = structure.make(
        ModelConfig.model_validate(SMALL.model_dump() | changed), 67, complements=TOKENIZER.reverse_complements
    ).eval()
    source = windows([[90], [45], [9]])
    none = np.zeros(3, np.int64)
    rows, turned = (collate(source, np.arange(3), none, np.full(3, is_turned)) for is_turned in (False, True))
    with torch.inference_mode():
        outputs, of_turned = network(rows), network(turned)
    for row, length in enumerate(rows.counts):
        for own, other in zip(vars(outputs).values(), vars(of_turned).values(), strict=True):
            expected = other[row, :length].flip(0, 1)
            torch.testing.assert_close(own[row, :length], expected, rtol=1e-4, atol=1e-5)


def moved_by(network: StructureModel, base: int) -> list[int]:
    """Bases whose logits change with the token of one base in a window of 61."""
    rows, changed = batch([61]), batch([61])
    changed.tokens[base] = changed.tokens[base] % 64 + 3
    with torch.inference_mode():
        difference = (network(rows).states - network(changed).states).abs().sum((0, 2, 3))
    return difference.nonzero().flatten().tolist()


@pytest.mark.parametrize("stride", [3, 9])
def test_a_token_reaches_the_bases_of_its_position_and_no_others(stride: int) -> None:
    local = {"kind": "cnn", "kernel_width": 1, "base_width": 1, "stem_stride": stride, "stem_width": stride}
    for base in (0, 30, 60):
        first = base // stride * stride
        assert moved_by(network_of(local), base) == list(range(first, min(first + stride, 61)))


def test_convolutions_reach_as_far_as_their_kernels_on_either_side() -> None:
    network = network_of({"base_width": 5, "base_layers": 2, "output_layers": 2})
    with torch.no_grad():
        network.expand.weight.zero_()
    reach = 2 * (1 + 2) + 2 * (1 + 3)
    moved = moved_by(network, 30)
    assert (min(moved), max(moved)) == (30 - reach, 30 + reach)


def test_padding_takes_no_gradient() -> None:
    network, rows = network_of({}), batch([5, 90])
    network.train()
    losses(network(rows), rows, LossWeights(90)).sum().backward()
    assert network.embedding.weight.grad is not None
    assert network.embedding.weight.grad[0].abs().sum() == 0
    assert network.embedding.weight.grad[1:].abs().sum() > 0


def test_untranslated_regions_have_no_probability_unless_labels_have_them() -> None:
    rows = batch([40])
    for utr in (False, True):
        torch.manual_seed(0)
        network = structure.make(SMALL, 67, utr=utr)
        outputs = network(rows)
        assert bool((outputs.states.softmax(-1)[..., UTR] > 0).all()) is utr
        losses(outputs, rows, LossWeights(40)).sum().backward()
        assert network.head.bias.grad is not None
        assert bool(network.head.bias.grad[UTR] != 0) is utr


def test_a_fresh_network_begins_with_token_vectors_of_its_bases_and_is_the_same_again() -> None:
    first, again, other = (structure.fresh(SMALL, TOKENIZER, seed) for seed in (1, 1, 2))
    assert all(torch.equal(mine, same) for mine, same in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.embedding.weight, other.embedding.weight)
    assert first.embedding.weight[0].abs().sum() == 0


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"stem_stride": 2}, "stem_stride"),
        ({"stem": 0}, "stem"),
        ({"frames": 3}, "frames"),
        ({"absolute_positions": True}, "absolute_positions"),
        ({"stem_width": 5}, "stem_width"),
        ({"stem_width": 10}, "stem_width"),
        ({"base_width": 4}, "base_width"),
        ({"bidirectional": False}, "bidirectional"),
        ({"stem": 13}, "stem"),
    ],
)
def test_sizes_that_make_no_sense_base_by_base_are_refused_by_name(changed: dict[str, Any], key: str) -> None:
    with pytest.raises(UsageError, match=f"model.{key} .*: ") as raised:
        network_of(changed)
    assert raised.value.key == f"model.{key}"


def test_dropout_is_drawn_anew_in_training_alone() -> None:
    network, rows = network_of({"dropout": 0.5}), batch([60])
    assert torch.equal(network(rows).states, network(rows).states)
    network.train()
    assert not torch.equal(network(rows).states, network(rows).states)
