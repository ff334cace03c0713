from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from training import models
from training.config import ModelConfig
from training.data.batch import TokenBatch, collate

LENGTHS = [1, 2, 5, 8, 9, 31, 64]
SHAPES: list[dict[str, Any]] = [
    {"kind": "lstm", "bidirectional": True},
    {"kind": "lstm", "bidirectional": False, "layers": 2},
    {"kind": "gru", "bidirectional": True, "layers": 2},
    {"kind": "transformer", "layers": 2},
    {"kind": "transformer", "layers": 2, "window": 5},
    {"kind": "cnn", "layers": 3},
]
STEMS = [(0, 1, 1), (16, 1, 9), (16, 4, 9), (16, 3, 4)]
CONFIGS = [
    ModelConfig(**shape, stem=stem, stem_stride=stride, stem_width=width, pooling=pooling)
    for shape, (stem, stride, width), pooling in itertools.product(
        SHAPES, STEMS, ["mean", "max", "last", "mean+max", "attention"]
    )
]
CONFIGS += [
    ModelConfig(**shape, stem=stem, stem_stride=2, frames=3, absolute_positions=True, pooling=pooling)
    for (shape, stem), pooling in zip(
        itertools.product(SHAPES, [0, 16]), itertools.cycle(["mean", "mean+max", "last", "attention"]), strict=False
    )
]


def batch_of(lengths: list[int], rows: list[int]) -> TokenBatch:
    tokens = np.random.default_rng(0).integers(1, 67, sum(lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return collate(tokens, offsets, np.zeros(len(lengths), np.int8), np.array(rows))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_row_has_the_same_logit_alone_and_next_to_longer_rows(config: ModelConfig) -> None:
    torch.manual_seed(0)
    model = models.make(config, 67).eval()
    with torch.inference_mode():
        together = model(batch_of(LENGTHS, list(range(len(LENGTHS)))))
        alone = torch.cat([model(batch_of(LENGTHS, [row])) for row in range(len(LENGTHS))])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS[::7], ids=str)
def test_gradients_do_not_depend_on_how_rows_are_batched(config: ModelConfig) -> None:
    torch.manual_seed(0)
    model = models.make(config, 67).eval()

    def gradient(batches: list[list[int]]) -> torch.Tensor:
        model.zero_grad()
        for rows in batches:
            model(batch_of(LENGTHS, rows)).sum().backward()
        return torch.cat([parameter.grad.reshape(-1) for parameter in model.parameters() if parameter.grad is not None])

    whole, cut = gradient([[0, 1, 2, 3, 4, 5, 6]]), gradient([[6, 0], [5, 1, 2], [3], [4]])
    torch.testing.assert_close(whole, cut, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "gru", "transformer", "cnn"])
def test_padding_takes_no_gradient(kind: str) -> None:
    model = models.make(ModelConfig(kind=kind, dropout=0.0), 67)
    model(batch_of(LENGTHS, [0, 6])).sum().backward()
    assert model.embedding.weight.grad[0].abs().sum() == 0
    assert model.embedding.weight.grad[1:].abs().sum() > 0
