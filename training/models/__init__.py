"""Models by name. A new one is a file beside `recurrent.py` with a body, and a line in `BODIES`.

Every model maps a `TokenBatch` to one logit a row, shape (rows,), and gives a row the same logit in any batch. Its token vectors are the parameter `embedding.weight`, shape
(vocabulary, embedding).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from pipelines.tokens.tokenizer import Tokenizer
from training.config import ModelConfig
from training.models import embedding_file
from training.models.body import Body
from training.models.initial_vectors import compositional
from training.models.recogniser import Recogniser
from training.models.recurrent import Recurrent
from training.models.transformer import Transformer

BODIES: dict[str, Callable[[ModelConfig, int], Body]] = {
    "lstm": Recurrent,
    "gru": Recurrent,
    "transformer": Transformer,
}


def make(config: ModelConfig, vocabulary_size: int) -> Recogniser:
    """A model of the right shapes, its weights drawn from torch's current seed."""
    return Recogniser(config, vocabulary_size, BODIES[config.kind])


def fresh(config: ModelConfig, tokenizer: Tokenizer, seed: int) -> Recogniser:
    """A model to train: all weights drawn from `seed`, k-mer vectors as `training.embedding` says or as `embedding_file` holds them.

    Sets torch's seed.

    Raises:
        BundleError: the embedding file is missing or damaged, or of another tokenizer or size.
    """
    torch.manual_seed(seed)
    model = make(config, tokenizer.vocabulary_size)
    if config.embedding_file:
        vectors = embedding_file.load(Path(config.embedding_file), tokenizer, config.embedding)
    else:
        vectors = compositional(tokenizer.vocabulary, config.embedding, seed)
    with torch.no_grad():
        model.get_parameter("embedding.weight").copy_(vectors)
    return model
