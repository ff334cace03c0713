"""The learning rate of every step: a linear warm-up, then constant, exponential or cosine decay. A pure function."""

from __future__ import annotations

import math

from training.config import TrainingConfig

COSINE_FLOOR = 0.01


def learning_rate(step: int, steps_per_epoch: int, config: TrainingConfig) -> float:
    """Learning rate of a step.

    Args:
        step: from 0, over all epochs.
        steps_per_epoch: optimizer steps in an epoch.
        config: over the `warmup` share of all steps the rate rises from `initial_rate` to `learning_rate`; then
            `schedule` decides: `constant`, `exponential` (times `gamma` per epoch, continuously) or `cosine` (half a
            wave, down to 1 %).
    """
    steps = config.epochs * steps_per_epoch
    warmup = round(config.warmup * steps)
    if step < warmup:
        return config.initial_rate + (config.learning_rate - config.initial_rate) * (step + 1) / warmup
    if config.schedule == "exponential":
        return float(config.learning_rate * config.gamma ** ((step - warmup) / steps_per_epoch))
    if config.schedule == "cosine":
        progress = (step - warmup) / max(1, steps - warmup)
        return config.learning_rate * (COSINE_FLOOR + (1 - COSINE_FLOOR) * 0.5 * (1 + math.cos(math.pi * progress)))
    return config.learning_rate
