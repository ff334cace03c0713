"""Models by name. A new one is a file beside `lstm.py` and a line in `REGISTRY`.

Every model maps a `TokenBatch` to one logit a row, shape (rows,), and gives a row the same logit in any batch.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from training.config import ModelConfig
from training.models.lstm import LSTMClassifier

REGISTRY: dict[str, Callable[[ModelConfig, int], nn.Module]] = {
    "lstm": LSTMClassifier,
}


def make(config: ModelConfig, vocabulary_size: int) -> nn.Module:
    """A model with fresh weights, drawn from torch's current seed."""
    return REGISTRY[config.kind](config, vocabulary_size)
