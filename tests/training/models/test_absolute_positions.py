from __future__ import annotations

import numpy as np
import torch

from training import models
from training.config import ModelConfig
from training.data.batch import TokenBatch, collate
from training.models.absolute_positions import AbsolutePositions


def one_token_at(position: int, length: int = 12) -> TokenBatch:
    tokens = np.full(length, 5)
    tokens[position] = 9
    return collate(tokens, np.array([0, length]), np.zeros(1, np.int8), np.array([0]))


def logits(*, absolute_positions: bool) -> list[float]:
    """Of sequences that differ in the position of one token, from a model that otherwise only takes a mean."""
    torch.manual_seed(0)
    config = ModelConfig(
        kind="transformer", hidden=16, heads=1, window=1, stem=0, pooling="mean", absolute_positions=absolute_positions
    )
    model = models.make(config, 67).eval()
    with torch.inference_mode():
        return [model(one_token_at(number)).item() for number in (4, 5, 6)]


def test_absolute_positions_make_the_logit_depend_on_where_a_token_is() -> None:
    without, with_positions = logits(absolute_positions=False), logits(absolute_positions=True)
    assert max(without) - min(without) < 1e-5
    assert max(with_positions) - min(with_positions) > 1e-4


def test_each_of_the_first_thousand_positions_has_a_vector_of_its_own() -> None:
    torch.manual_seed(0)
    vectors = AbsolutePositions(32)(1000)
    distance = torch.cdist(vectors, vectors) + torch.eye(1000)
    assert vectors.shape == (1000, 32)
    assert distance.min() > 1e-3
