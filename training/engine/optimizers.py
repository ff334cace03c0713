"""The optimizers by name, made from a configuration."""

from __future__ import annotations

from torch import nn, optim

from training.config import TrainingConfig


def make(model: nn.Module, config: TrainingConfig) -> optim.Optimizer:
    """AdamW, Adam or SGD with momentum over all weights of a model.

    Weight decay is decoupled for AdamW, and an L2 term of the loss for the others.
    """
    weights, rate, decay = list(model.parameters()), config.learning_rate, config.weight_decay
    # Where fp16 has to skip a step, a fused optimizer does so on the GPU, and the host need not wait to learn of it.
    fused = all(weight.is_cuda for weight in weights) or None
    if config.optimizer == "sgd":
        return optim.SGD(weights, lr=rate, momentum=config.momentum, weight_decay=decay, fused=fused)
    if config.optimizer == "adam":
        return optim.Adam(weights, lr=rate, weight_decay=decay, fused=fused)
    return optim.AdamW(weights, lr=rate, weight_decay=decay, fused=fused)
