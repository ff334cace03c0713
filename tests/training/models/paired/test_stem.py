from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.config import ModelConfig, TrainingConfig
from training.cost.shape import Shape, mirrored_positions
from training.models.paired.layers import exchanged
from training.models.paired.stem import MirroredStem
from training.models.positions import Positions


def places(tokens: int, stride: int) -> list[int]:
    """By counting from both ends."""
    half = range(0, (tokens + 1) // 2, stride)
    return sorted({*half, *(tokens - 1 - place for place in half)})


def batch_of(lengths: list[int], width: int = 8) -> Positions:
    counts = np.array(lengths)
    on_device = torch.from_numpy(counts)
    mask = torch.arange(int(counts.max())) < on_device[:, None]
    states = torch.randn(len(lengths), int(counts.max()), width, generator=torch.Generator().manual_seed(0))
    return Positions(states * mask[..., None], mask, on_device, counts)


@given(st.integers(1, 500), st.integers(1, 32))
def test_positions_are_counted_from_both_ends(tokens: int, stride: int) -> None:
    expected = len(places(tokens, stride))
    assert mirrored_positions(tokens, stride) == expected
    assert mirrored_positions(torch.tensor([tokens]), stride).tolist() == [expected]
    config = ModelConfig(strands="equivariant", stem_stride=stride)
    assert Shape.of(config, TrainingConfig(), 2, tokens, "cpu").positions == expected


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_a_position_is_a_window_of_the_row_around_its_place(stride: int) -> None:
    stem = MirroredStem(ModelConfig(embedding=4, stem=6, stem_width=5, stem_stride=stride, strands="equivariant"))
    tokens = batch_of([1, 2, 13, 16, 18])
    out = stem(tokens)
    weights, bias = stem.convolution.weights(), stem.convolution.biases()
    for row, length in enumerate(tokens.counts.tolist()):
        expected = places(length, stride)
        padded = torch.nn.functional.pad(tokens.states[row, :length], (0, 0, 2, 2))
        windows = torch.stack([padded[place : place + 5].T for place in expected])
        by_hand = torch.relu((windows[:, None] * weights).sum((2, 3)) + bias)
        torch.testing.assert_close(out.states[row, : len(expected)], by_hand, rtol=1e-4, atol=1e-5)
        assert out.counts[row] == out.lengths[row] == out.mask[row].sum() == len(expected)
        assert not out.states[row, len(expected) :].any()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(1, 6))
def test_the_turned_row_has_the_turned_positions(lengths: list[int], stride: int) -> None:
    stem = MirroredStem(ModelConfig(embedding=4, stem=6, stem_width=3, stem_stride=stride, strands="equivariant"))
    tokens = batch_of(lengths)
    states = torch.zeros_like(tokens.states)
    for row, length in enumerate(lengths):
        states[row, :length] = exchanged(tokens.states[row, :length].flip(0))
    with torch.inference_mode():
        out, turned = stem(tokens), stem(tokens.with_states(states))
    for row, count in enumerate(out.counts.tolist()):
        expected = exchanged(out.states[row, :count].flip(0))
        torch.testing.assert_close(turned.states[row, :count], expected, rtol=1e-5, atol=1e-5)
