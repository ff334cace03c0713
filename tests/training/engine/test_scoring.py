from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from pipelines.dataset.token_dataset import TokenDataset
from training import models
from training.config import ModelConfig
from training.data.batch import TokenBatch, collate
from training.engine import scoring
from training.engine.scoring import probabilities


def test_probabilities_do_not_depend_on_the_token_budget(train_split: TokenDataset) -> None:
    torch.manual_seed(0)
    model = models.make(ModelConfig(), train_split.tokenizer.vocabulary_size)
    large = probabilities(model, train_split.tokens, train_split.lengths, 65_536)
    small = probabilities(model, train_split.tokens, train_split.lengths, 1)
    np.testing.assert_allclose(large, small, rtol=1e-5, atol=1e-6)
    assert large.dtype == np.float64


def test_chosen_rows_have_the_probabilities_they_have_among_all(train_split: TokenDataset) -> None:
    model = models.make(ModelConfig(), train_split.tokenizer.vocabulary_size)
    rows = np.array([5, 3, 150, 77])
    all_of_them = probabilities(model, train_split.tokens, train_split.lengths, 4096)
    some = probabilities(model, train_split.tokens, train_split.lengths, 4096, rows=rows)
    np.testing.assert_allclose(some, all_of_them[rows], rtol=1e-5, atol=1e-6)


def test_scoring_leaves_the_model_in_the_mode_it_was_in(train_split: TokenDataset) -> None:
    model = models.make(ModelConfig(), train_split.tokenizer.vocabulary_size).train()
    probabilities(model, train_split.tokens, train_split.lengths, 65_536)
    assert model.training


class Limited(nn.Module):
    """A model that has no memory for batches of more than a number of tokens, and notes their sizes."""

    def __init__(self, model: nn.Module, most: int) -> None:
        super().__init__()
        self.model, self.most, self.sizes = model, most, list[int]()

    def forward(self, batch: TokenBatch) -> torch.Tensor:
        self.sizes.append(batch.longest * len(batch.counts))
        if self.sizes[-1] > self.most:
            raise torch.OutOfMemoryError
        logits: torch.Tensor = self.model(batch)
        return logits


def scored_as_on_a_gpu(model: nn.Module, split: TokenDataset, rows: np.ndarray, budget: int) -> np.ndarray:
    def batches_of(parts: list[np.ndarray]) -> Iterator[TokenBatch]:
        return (collate(split.tokens, split.offsets, split.labels, rows[part]) for part in parts)

    scores = np.empty(len(rows))
    with torch.inference_mode():
        parts, values = scoring._scored_on_gpu(model, split.lengths[rows], batches_of, budget, torch.device("cpu"))
    scores[np.concatenate(parts)] = values
    return scores


def test_batches_made_ahead_and_read_late_give_the_same_probabilities(train_split: TokenDataset) -> None:
    torch.manual_seed(0)
    model = models.make(ModelConfig(), train_split.tokenizer.vocabulary_size).eval()
    rows = np.array([5, 3, 150, 77, 9])
    expected = probabilities(model, train_split.tokens, train_split.lengths, 1_000, rows=rows)
    np.testing.assert_allclose(scored_as_on_a_gpu(model, train_split, rows, 1_000), expected, rtol=1e-12)
    assert not len(scored_as_on_a_gpu(model, train_split, rows[:0], 1_000))


def test_without_memory_for_a_batch_smaller_ones_are_tried(train_split: TokenDataset) -> None:
    torch.manual_seed(0)
    model = models.make(ModelConfig(), train_split.tokenizer.vocabulary_size).eval()
    rows = np.arange(20)
    longest = int(train_split.lengths[rows].max())
    limited = Limited(model, 2 * longest)
    expected = probabilities(model, train_split.tokens, train_split.lengths, 2 * longest, rows=rows)
    scores = scored_as_on_a_gpu(limited, train_split, rows, 16 * longest)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    assert max(limited.sizes) > 2 * longest
    with pytest.raises(torch.OutOfMemoryError):
        scored_as_on_a_gpu(Limited(model, 1), train_split, rows, 16 * longest)
