"""The loss of single rows under a model's logits, as recognition and classification have them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def of_labels(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """The cross-entropy of two labels.

    Args:
        logits: shape (rows,) or (members, rows).
        labels: 0 or 1 in float32, shape (rows,).
        smoothing: share of each label that goes to both alike.

    Returns:
        Shape as `logits`.
    """
    targets = labels * (1 - smoothing) + smoothing / 2 if smoothing else labels
    return binary_cross_entropy_with_logits(logits, targets.expand_as(logits), reduction="none")


def of_classes(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """The cross-entropy of a softmax.

    Args:
        logits: shape (rows, classes) or (members, rows, classes).
        labels: numbers of classes, shape (rows,).
        smoothing: share of each label that goes to all classes alike.

    Returns:
        Shape as `logits` without the last axis.
    """
    log_shares = torch.log_softmax(logits, -1)
    numbers = labels.long().expand(log_shares.shape[:-1])
    losses = -log_shares.gather(-1, numbers[..., None]).squeeze(-1)
    return (1 - smoothing) * losses - smoothing * log_shares.mean(-1) if smoothing else losses
