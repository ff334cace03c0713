"""How long a trial will take on CPUs, estimated before it begins: from trials that have ended, else from its size."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from tuning.trial import Trial

FLOPS_PER_WEIGHT = 6
"""Floating-point operations of a training step for each weight and position: 2 forward, 4 backward (Kaplan et al.
2020)."""
FLOPS_PER_CPU = 1e10
"""Of a core in the matrix products of training, a round figure: a Xeon core of 2.5 GHz reaches 1 to 3 times as many."""
LONG_S = 2 * 3600.0
"""From here on a trial is announced."""


def operations(weights: int, positions: int, epochs: int) -> float:
    """Floating-point operations of a trial.

    Args:
        weights: learnable numbers of the model.
        positions: that its body reads in an epoch.
        epochs: that it is trained for.
    """
    return float(FLOPS_PER_WEIGHT) * weights * positions * epochs


def rate(ended: Iterable[tuple[Trial, float]]) -> float | None:
    """Operations in a second of a typical trial; None if none has ended.

    Args:
        ended: trials with an epoch, and the operations of each.
    """
    rates = [done / trial.seconds for trial, done in ended if trial.seconds > 0]
    return median(rates) if rates else None


def seconds(needed: float, cpus: float, measured: float | None) -> float:
    """Of a trial.

    Args:
        needed: its operations.
        cpus: that it has.
        measured: operations in a second of trials that have ended.
    """
    return needed / (measured or FLOPS_PER_CPU * max(cpus, 1.0))
