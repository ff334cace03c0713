"""Models by name. To add one, write a `Body` in a file here and its line in `training/model_registry.py`.

Every model maps a `TokenBatch` to one logit a row, shape (rows,), or to several, shape (rows, outputs), and gives a row
the same logits in any batch. Its token vectors are the parameter `embedding.weight`, shape (vocabulary, embedding).
Each member of an ensemble is such a model.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from pipelines import fingerprint
from pipelines.tokens.tokenizer import Tokenizer
from training import model_registry
from training.config import ModelConfig
from training.cost.shape import Shape
from training.cost.stage import Stage

# Importing the built-in bodies takes 70 MB, which every process does, so that all need the same memory before a model.
from training.models import cnn, embedding_file, recurrent, transformer  # noqa: F401
from training.models.body import Body
from training.models.ensemble import Ensemble, Member, members_of
from training.models.initial_vectors import compositional
from training.models.paired import equivariant
from training.models.paired.equivariant import EquivariantRecogniser
from training.models.recogniser import Recogniser


def body_of(config: ModelConfig) -> type[Body]:
    """The class of the body that `model.kind` names.

    Raises:
        UsageError: no such kind is registered.
    """
    body: type[Body] = model_registry.get(config.kind).load_body()
    return body


AnyRecogniser = Member | Ensemble


def check(config: ModelConfig) -> None:
    """See that a model's keys fit its treatment of strands.

    Raises:
        UsageError: they do not; the message names the key.
    """
    if config.strands == "equivariant":
        equivariant.check(config)


def make(config: ModelConfig, vocabulary_size: int, complements: NDArray[Any] | None = None) -> AnyRecogniser:
    """A model of the configured sizes, its weights drawn from torch's current seed.

    Args:
        config: every size.
        vocabulary_size: number of token ids.
        complements: the id of each token's reverse complement, shape (ids,); None if weights are loaded.

    Raises:
        UsageError: no such kind is registered, or keys that `model.strands: equivariant` rules out.
    """

    def make_member() -> Member:
        return _class_of(config)(config, vocabulary_size, body_of(config), complements)

    return make_member() if config.ensemble == 1 else Ensemble(config, make_member)


def _class_of(config: ModelConfig) -> type[Member]:
    return EquivariantRecogniser if config.strands == "equivariant" else Recogniser


def fresh(config: ModelConfig, tokenizer: Tokenizer, seed: int) -> AnyRecogniser:
    """A model to train: all weights drawn from `seed`, token vectors composed of bases or read from `embedding_file`.

    Sets torch's seed.

    Raises:
        BundleError: the embedding file is missing or damaged, or has another tokenizer or size.
    """
    torch.manual_seed(seed)
    model = make(config, tokenizer.vocabulary_size, tokenizer.reverse_complements)
    set_token_vectors(model, config, tokenizer, seed)
    return model


def set_token_vectors(model: nn.Module, config: ModelConfig, tokenizer: Tokenizer, seed: int) -> None:
    """Give a model the token vectors that training begins with: composed of bases, or those of `embedding_file`.

    The members of an ensemble get vectors of their own, or all those of the file.

    Raises:
        BundleError: the embedding file is missing or damaged, or has another tokenizer or size.
    """
    stored = None
    if config.embedding_file:
        stored = embedding_file.load(config.embedding_file, tokenizer, config.embedding)
    for number, member in enumerate(members_of(model)):
        # The first member begins as the only one would.
        member_seed = fingerprint.seed(seed, "member", number) if number else seed
        vectors = compositional(tokenizer.vocabulary, config.embedding, member_seed) if stored is None else stored
        with torch.no_grad():
            member.get_parameter(embedding_file.TOKEN_VECTORS).copy_(vectors)


def memory_stages(config: ModelConfig, vocabulary_size: int, shape: Shape) -> list[Stage]:
    """What each part of a model saves and needs in memory for a batch of a shape, in forward order.

    Of an ensemble, those of one member: `training.models.ensemble.memory_stages`.
    """
    return _class_of(config).memory_stages(config, vocabulary_size, shape, body_of(config))
