"""The network that gives every base of both strands its state, its batches and its loss."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from pipelines.errors import UsageError
from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.config import ModelConfig
from training.cost.shape import Shape
from training.cost.stage import Stage
from training.structure.network import StructureModel

CODON = 3
PAIRED = ("base_channels", "stem", "hidden")
"""Sizes of vectors of which each strand has half."""


def check(config: ModelConfig) -> None:
    """See that a model's sizes make sense base by base.

    Raises:
        UsageError: they do not; the message names the key.
    """
    odd = {key: size for key in PAIRED if (size := getattr(config, key)) % 2}
    problems = {
        "frames": ("1", config.frames > 1, "positions are never read as separate frames in task structure"),
        "absolute_positions": ("false", config.absolute_positions, "a window starts anywhere in a chromosome"),
        "stem": ("64", config.stem == 0, "task structure has no model without a stem"),
        "stem_stride": (
            "3 or 9",
            config.stem_stride % CODON > 0,
            "only a multiple of 3 keeps the bases of a codon together",
        ),
        "bidirectional": ("true", not config.bidirectional, "both strands are read, each in its direction"),
        "stem_width": (
            str(max(config.stem_width + 1, config.stem_stride)),
            config.stem_width < config.stem_stride or (config.stem_width - config.stem_stride) % 2 == 1,
            f"the kernel cannot be centred on the {config.stem_stride} bases of model.stem_stride",
        ),
        "base_width": (str(config.base_width + 1), config.base_width % 2 == 0, "an even kernel has no middle"),
    }
    problems |= {
        key: (str(value + 1), True, "half of the numbers belong to either strand") for key, value in odd.items()
    }
    for key, (value, is_wrong, reason) in problems.items():
        if is_wrong:
            raise UsageError(
                f"model.{key} {str(getattr(config, key)).lower()}: {reason}", f"set it to {value}", key=f"model.{key}"
            )


def make(
    config: ModelConfig, vocabulary_size: int, *, utr: bool = False, complements: NDArray[Any] | None = None
) -> StructureModel:
    """A network of the configured sizes, its weights drawn from torch's current seed.

    Args:
        config: the model section.
        vocabulary_size: number of token ids.
        utr: whether untranslated regions have a state of their own in the labels.
        complements: the id of each token's reverse complement, shape (ids,); None if weights are loaded, which include
            it.

    Raises:
        UsageError: sizes that make no sense base by base, or an unknown kind.
    """
    check(config)
    return StructureModel(config, vocabulary_size, models.body_of(config), utr=utr, complements=complements)


def fresh(config: ModelConfig, tokenizer: Tokenizer, seed: int, *, utr: bool = False) -> StructureModel:
    """A network to train: all weights drawn from `seed`, token vectors as for a recogniser. Sets torch's seed.

    Raises:
        BundleError: the embedding file is missing or damaged, or has another tokenizer or size.
        UsageError: as `make`.
    """
    torch.manual_seed(seed)
    model = make(config, tokenizer.vocabulary_size, utr=utr, complements=tokenizer.reverse_complements)
    models.set_token_vectors(model, config, tokenizer, seed)
    return model


def memory_stages(config: ModelConfig, vocabulary_size: int, shape: Shape) -> list[Stage]:
    """What each part of a network and its loss save and need in memory for a batch of a shape, in forward order."""
    return StructureModel.memory_stages(config, vocabulary_size, shape, models.body_of(config))
