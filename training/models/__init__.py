"""Models by name. A new one is a file beside `lstm.py` and a line in `REGISTRY`.

Every model maps a `TokenBatch` to one logit a row, shape (rows,), and gives a row the same logit in any batch. Its token vectors are the parameter `embedding.weight`, shape
(vocabulary, embedding).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from pipelines.tokenizer import Tokenizer
from training.config import ModelConfig
from training.embedding import compositional
from training.models.lstm import LSTMClassifier

REGISTRY: dict[str, Callable[[ModelConfig, int], nn.Module]] = {
    "lstm": LSTMClassifier,
}


def make(config: ModelConfig, vocabulary_size: int) -> nn.Module:
    """A model of the right shapes, its weights drawn from torch's current seed."""
    return REGISTRY[config.kind](config, vocabulary_size)


def fresh(config: ModelConfig, tokenizer: Tokenizer, seed: int) -> nn.Module:
    """A model to train: all weights drawn from `seed`, k-mer vectors as `training.embedding` says.

    Sets torch's seed.
    """
    torch.manual_seed(seed)
    model = make(config, tokenizer.vocabulary_size)
    vectors = compositional(tokenizer.vocabulary, config.embedding, seed)
    with torch.no_grad():
        model.get_parameter("embedding.weight").copy_(vectors)
    return model
