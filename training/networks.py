"""The network of each task: `models` for recognition, `structure` for the states of bases.

What a process does not train it does not import, so that recognition needs no more memory for it.
"""

from __future__ import annotations

from torch import nn

from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.config import ModelConfig
from training.cost.shape import Shape
from training.cost.stage import Stage
from training.tasks import Task


def check(task: Task, config: ModelConfig) -> None:
    """Refuse a model that has no meaning for a task, before anything is built.

    Raises:
        UsageError: a key that the task does not read, or sizes that do not fit together.
    """
    task.require_model(config)
    if task.is_structure:
        from training import structure

        structure.check(config)
    else:
        models.check(config)


def make(task: Task, config: ModelConfig, vocabulary_size: int) -> nn.Module:
    """A network of the configured sizes, its weights drawn from torch's current seed.

    Raises:
        UsageError: a key of the model that has no meaning for the task.
    """
    check(task, config)
    if task.is_structure:
        from training import structure

        return structure.make(config, vocabulary_size, utr=task.utr)
    return models.make(config, vocabulary_size)


def fresh(task: Task, config: ModelConfig, tokenizer: Tokenizer, seed: int) -> nn.Module:
    """A network to train: weights drawn from `seed`, token vectors composed of bases or read from `embedding_file`.

    Raises:
        BundleError: the embedding file is missing or damaged, or has another tokenizer or size.
        UsageError: a key of the model that has no meaning for the task.
    """
    check(task, config)
    if task.is_structure:
        from training import structure

        return structure.fresh(config, tokenizer, seed, utr=task.utr)
    return models.fresh(config, tokenizer, seed)


def memory_stages(task: Task, config: ModelConfig, vocabulary_size: int, shape: Shape) -> list[Stage]:
    """What each part of a network saves and needs in memory for a batch of a shape, in forward order."""
    if task.is_structure:
        from training import structure

        return structure.memory_stages(config, vocabulary_size, shape)
    return models.memory_stages(config, vocabulary_size, shape)
