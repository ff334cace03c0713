from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.config import ModelConfig
from training.data.batch import collate
from training.inference import window_inference
from training.inference.window_inference import WindowInference
from training.models.recogniser import Recogniser

TOKENIZER = Tokenizer(2, 1, "anchor")
SIZE = 47


def drawn(seed: int = 0, **keys: Any) -> Recogniser:
    """A model with weights large enough to matter; none of its sizes is a multiple of eight."""
    torch.manual_seed(seed)
    config = ModelConfig(**{"embedding": 5, "hidden": 13, "stem": 11, "stem_stride": 1} | keys)
    model = models.make(config, TOKENIZER.vocabulary_size).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(3)
    return model


def tokens_of(length: int) -> np.ndarray:
    """Ids of a stretch, unknown ones among them."""
    return np.random.default_rng(1).integers(1, TOKENIZER.vocabulary_size, length)


def one_by_one(model: Recogniser, tokens: np.ndarray, starts: np.ndarray, size: int) -> np.ndarray:
    """Logits of windows cut out of the stretch."""
    rows = np.concatenate([tokens[start : start + size] for start in starts])
    offsets, labels = np.arange(len(starts) + 1) * size, np.zeros(len(starts))
    with torch.inference_mode():
        return model(collate(rows, offsets, labels, np.arange(len(starts)))).numpy()


@pytest.mark.parametrize(
    "keys",
    [
        {"frames": 3},
        {"frames": 3, "bidirectional": False, "pooling": "max"},
        {"stem_stride": 2, "pooling": "mean"},
        {"stem_stride": 4, "stem_width": 4, "frames": 2},
        {"stem_width": 63, "frames": 5, "hidden": 8},
        {"stem_width": 1},
    ],
)
def test_logits_are_those_of_windows_cut_out(keys: dict[str, Any]) -> None:
    model, tokens = drawn(**keys), tokens_of(700)
    assert window_inference.fits(model, SIZE)
    starts = np.array([0, 7, 14, 653, 21, 90, 98, 90, 300, *range(400, 560, 2)])
    with torch.inference_mode():
        actual = WindowInference(model)(tokens, starts, SIZE).numpy()
    np.testing.assert_allclose(actual, one_by_one(model, tokens, starts, SIZE), rtol=1e-5, atol=1e-5)


def test_logits_of_an_ensemble_are_the_means_of_its_members() -> None:
    model, tokens, starts = drawn(ensemble=3), tokens_of(200), np.arange(0, 150, 7)
    assert window_inference.fits(model, SIZE)
    with torch.inference_mode():
        actual = window_inference.logits_of_windows(model, tokens, starts, SIZE).numpy()
    np.testing.assert_allclose(actual, one_by_one(model, tokens, starts, SIZE), rtol=1e-5, atol=1e-5)


def test_a_window_has_the_same_bits_among_any_others() -> None:
    model, tokens = drawn(frames=3), tokens_of(600)
    starts = np.arange(0, 600 - SIZE, 7)
    with torch.inference_mode():
        inference = WindowInference(model)
        together = inference(tokens, starts, SIZE)
        in_turn = torch.cat([inference(tokens[start:], np.array([0]), SIZE) for start in starts])
    assert together.equal(in_turn)


def test_windows_of_fewer_positions_than_frames_are_left_to_batches() -> None:
    model = drawn(frames=5, stem_stride=2)
    assert window_inference.fits(model, 9)
    assert not window_inference.fits(model, 8)


def test_no_window_has_no_logit() -> None:
    assert WindowInference(drawn())(tokens_of(50), np.empty(0, np.int64), SIZE).shape == (0,)


@pytest.mark.parametrize(
    "keys",
    [
        {"kind": "gru"},
        {"outputs": 3},
        {"stem": 0},
        {"layers": 2},
        {"pooling": "last"},
        {"absolute_positions": True},
        {"strands": "averaged"},
        {"strands": "averaged", "ensemble": 2},
        {"kind": "cnn", "stem": 12},
    ],
)
def test_other_models_are_left_to_batches(keys: dict[str, Any]) -> None:
    assert not window_inference.fits(drawn(**keys), SIZE)


def test_a_table_beyond_the_caches_is_left_to_batches() -> None:
    model = models.make(ModelConfig(), 16_387)
    assert not window_inference.fits(model, SIZE)
    assert window_inference.fits(models.make(ModelConfig(), 4_099), SIZE)
