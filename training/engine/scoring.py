"""Probabilities of sequences under a model, in batches of similar length. They do not depend on the batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.ahead import made_ahead
from training.data.batch import TokenBatch, collate
from training.data.step_plan import Rows, scoring_batches
from training.engine.process import threads

# Padded tokens in a batch: on a CPU what its caches hold, on a GPU enough to keep it busy.
CPU_TOKENS, GPU_TOKENS = 16_384, 262_144
BATCHES_AHEAD = 2


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
    """The probability of being a gene, or of each class.

    Args:
        model: maps a TokenBatch to logits: one a row for genes, one of each class for classes.
        tokens: ids of all sequences end to end, shape (tokens,).
        counts: tokens of each sequence, shape (sequences,).
        token_budget: maximum number of tokens in a batch, with padding.
        device: where the model is (default: CPU).
        rows: which sequences to score (default: all).
        advance: called with the number of sequences of each batch, on a GPU of all at the end.

    Returns:
        Shape (rows,), or (rows, classes), in the order of `rows`.
    """
    selected = np.arange(len(counts)) if rows is None else rows
    offsets = np.concatenate([[0], np.cumsum(counts)])
    labels = np.zeros(len(counts), np.float32)
    scores = np.empty(shape_of_scores(model, len(selected)))
    training = model.training
    model.eval()
    with torch.inference_mode(), threads.limited_for(model):

        def batches_of(parts: list[Rows]) -> Iterator[TokenBatch]:
            return (collate(tokens, offsets, labels, selected[positions]) for positions in parts)

        if device is not None and device.type == "cuda":
            parts, values = _scored_on_gpu(model, counts[selected], batches_of, token_budget, device)
            scores[np.concatenate(parts)] = values
            advance(len(selected))
        else:
            parts = scoring_batches(counts[selected], token_budget)
            for positions, batch in zip(parts, batches_of(parts), strict=True):
                logits = model(batch.to(device) if device else batch)
                scores[positions] = _shares(logits).cpu().numpy()
                advance(len(positions))
    model.train(training)
    return scores


def shape_of_scores(model: nn.Module, rows: int) -> tuple[int, ...]:
    """The shape of the probabilities of some rows: one each, or one of each class."""
    logits = getattr(getattr(model, "config", None), "logits", 1)
    return (rows,) if logits == 1 else (rows, logits)


def _shares(logits: Tensor) -> Tensor:
    """Probabilities from logits, float64, of the same shape."""
    return torch.sigmoid(logits.double()) if logits.ndim == 1 else torch.softmax(logits.double(), 1)


def _scored_on_gpu(
    model: nn.Module,
    counts: NDArray[np.int64],
    batches_of: Callable[[list[Rows]], Iterable[TokenBatch]],
    token_budget: int,
    device: torch.device,
) -> tuple[list[Rows], NDArray[np.float64]]:
    """Positions of the rows of each batch, and the probabilities of all rows in that order.

    Batches are made and pinned while others are computed, and the device is waited for once, at the end. Where its
    memory is not enough, batches of half as many tokens are tried.

    Args:
        model: in evaluation mode, on `device`.
        counts: tokens of each row, shape (rows,).
        batches_of: makes the batches of rows.
        token_budget: maximum number of tokens in a batch, with padding.
        device: where to compute.
    """
    if not len(counts):
        return [np.empty(0, np.int64)], np.empty(shape_of_scores(model, 0))
    while True:
        parts = scoring_batches(counts, token_budget)
        pinned = (batch.pin_memory() if device.type == "cuda" else batch for batch in batches_of(parts))
        try:
            with made_ahead(pinned, BATCHES_AHEAD) as prepared:
                computed = [_shares(model(batch.to(device))) for batch in prepared]
            return parts, torch.cat(computed).cpu().numpy()
        except torch.OutOfMemoryError:
            if token_budget <= int(counts.max()):
                raise
        token_budget //= 2
