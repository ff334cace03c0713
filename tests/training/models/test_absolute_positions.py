from __future__ import annotations

import numpy as np
import torch

from training import models
from training.config import ModelConfig
from training.data.batch import TokenBatch, collate
from training.models.absolute_positions import Place


def one_token_at(place: int, length: int = 12) -> TokenBatch:
    tokens = np.full(length, 5)
    tokens[place] = 9
    return collate(tokens, np.array([0, length]), np.zeros(1, np.int8), np.array([0]))


def logits(*, place: bool) -> list[float]:
    """Of sequences that differ in where their one token stands; nothing here reads along the sequence but the mean."""
    torch.manual_seed(0)
    config = ModelConfig(
        kind="transformer", hidden=16, heads=1, window=1, stem=0, pooling="mean", absolute_positions=place
    )
    model = models.make(config, 67).eval()
    with torch.inference_mode():
        return [model(one_token_at(number)).item() for number in (4, 5, 6)]


def test_a_model_that_knows_places_tells_where_a_token_stands() -> None:
    without, with_places = logits(absolute_positions=False), logits(absolute_positions=True)
    assert max(without) - min(without) < 1e-5
    assert max(with_places) - min(with_places) > 1e-4


def test_every_one_of_the_first_thousand_places_has_a_vector_of_its_own() -> None:
    torch.manual_seed(0)
    found = Place(32)(1000)
    apart = torch.cdist(found, found) + torch.eye(1000)
    assert found.shape == (1000, 32)
    assert apart.min() > 1e-3
