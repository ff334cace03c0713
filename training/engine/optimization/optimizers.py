"""The optimizers by name, made from a configuration."""

from __future__ import annotations

from typing import Any

from torch import nn, optim

from training import eager_optimizers
from training.config import TrainingConfig
from training.engine.optimization import layers

FACTOR = "rate_factor"
"""Of a group of weights: what the learning rate of a step is multiplied by. Absent: 1."""


def make(model: nn.Module, config: TrainingConfig) -> optim.Optimizer:
    """AdamW, Adam or SGD with momentum over all weights of a model.

    Weight decay is decoupled for AdamW, and an L2 term of the loss for the others. With `layer_decay` below 1 every
    layer is a group of its own, the head first.
    """
    weights, rate, decay = list(model.parameters()), config.learning_rate, config.weight_decay
    # Where fp16 has to skip a step, a fused optimizer does so on the GPU, and the host need not wait to learn of it.
    fused = all(weight.is_cuda for weight in weights) or None
    groups: Any = weights if config.layer_decay == 1 else _of_layers(model, config.layer_decay)
    if config.optimizer == "sgd":
        return eager_optimizers.SGD(groups, lr=rate, momentum=config.momentum, weight_decay=decay, fused=fused)
    if config.optimizer == "adam":
        return eager_optimizers.Adam(groups, lr=rate, weight_decay=decay, fused=fused)
    return eager_optimizers.AdamW(groups, lr=rate, weight_decay=decay, fused=fused)


def set_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Set the learning rate of a step, which each group of weights takes times its own factor.

    Args:
        optimizer: as `make` gives it, or as its state was restored.
        rate: of the head, and of all weights without `layer_decay`.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(FACTOR, 1.0)


def _of_layers(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """A group of weights for each layer from the head down, whose rates fall by a factor from one to the next.

    As BEiT fine-tunes (Bao et al. 2021, arXiv:2106.08254), after ULMFiT's discriminative rates (Howard and Ruder 2018,
    arXiv:1801.06146).
    """
    return [
        {"params": weights, FACTOR: decay**distance} for distance, weights in enumerate(layers.from_the_head(model))
    ]
