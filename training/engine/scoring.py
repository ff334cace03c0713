"""Probabilities of sequences under a model, in batches of similar length. They do not depend on the batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.batch import collate
from training.data.step_plan import Rows, scoring_batches
from training.engine import threads

# Padded tokens in a batch: on a CPU what its caches hold, on a GPU enough to keep it busy.
CPU_TOKENS, GPU_TOKENS = 16_384, 262_144


def default_token_budget(device: torch.device) -> int:
    """Padded tokens in a batch on a device."""
    return CPU_TOKENS if device.type == "cpu" else GPU_TOKENS


def probabilities(
    model: nn.Module,
    tokens: NDArray[Any],
    counts: NDArray[np.int64],
    token_budget: int,
    device: torch.device | None = None,
    rows: Rows | None = None,
    advance: Callable[[float], None] = lambda amount: None,
) -> NDArray[np.float64]:
    """The probability of being a gene.

    Args:
        model: maps a TokenBatch to logits.
        tokens: ids of all sequences end to end, shape (tokens,).
        counts: tokens of each sequence, shape (sequences,).
        token_budget: maximum number of tokens in a batch, with padding.
        device: where the model is (default: CPU).
        rows: which sequences to score (default: all).
        advance: called with the number of sequences of each batch.

    Returns:
        Shape (rows,), in the order of `rows`.
    """
    selected = np.arange(len(counts)) if rows is None else rows
    offsets = np.concatenate([[0], np.cumsum(counts)])
    labels = np.zeros(len(counts), np.float32)
    scores = np.empty(len(selected))
    training = model.training
    model.eval()
    with torch.inference_mode(), threads.limited_for(model):
        for positions in scoring_batches(counts[selected], token_budget):
            batch = collate(tokens, offsets, labels, selected[positions])
            logits = model(batch.to(device) if device else batch)
            scores[positions] = torch.sigmoid(logits.double()).cpu().numpy()
            advance(len(positions))
    model.train(training)
    return scores
