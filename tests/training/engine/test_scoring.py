from __future__ import annotations

import numpy as np
import torch

from pipelines.dataset.token_dataset import TokenDataset
from training import models
from training.config import ModelConfig
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
