"""The optimizers by name, made from a configuration."""

from __future__ import annotations

from torch import nn, optim

from training.config import TrainingConfig


def make(model: nn.Module, config: TrainingConfig) -> optim.Optimizer:
    """AdamW, Adam or SGD with momentum over all weights of a model; decay is decoupled for AdamW and an L2 term for the others."""
    weights, rate, decay = model.parameters(), config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return optim.SGD(weights, lr=rate, momentum=config.momentum, weight_decay=decay)
    if config.optimizer == "adam":
        return optim.Adam(weights, lr=rate, weight_decay=decay)
    return optim.AdamW(weights, lr=rate, weight_decay=decay)
