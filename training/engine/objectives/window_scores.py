"""What a model gives for windows that lie side by side: scores for the decoder, and the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.tokens.tokenizer import Tokenizer
from training.data.step_plan import Rows, micro_batches
from training.decoding.scores import Scores
from training.engine.process import threads
from training.structure.augmentation import Augmentation
from training.structure.batch import collate
from training.structure.loss import LossWeights, losses
from training.structure.windows import Windows

TRAIN_BASES = 1 << 22
"""Bases of a stretch of train that are given out at once."""


@dataclass(frozen=True)
class PieceScores:
    """What a model gives for some rows side by side.

    Attributes:
        scores: of every base.
        codes: base codes 0 to 4, shape (bases,).
        packed: states of the annotation, shape (bases,).
        loss: sum over the rows.
        is_finite: whether every score is a number.
    """

    scores: Scores
    codes: NDArray[np.uint8]
    packed: NDArray[np.uint8]
    loss: float
    is_finite: bool


def piece_scores(
    model: nn.Module,
    windows: Windows,
    centres: NDArray[np.uint8],
    rows: Rows,
    weights: LossWeights,
    token_budget: int,
    device: torch.device,
) -> PieceScores:
    """Score rows that lie side by side, as they are stored: on the forward strand and without a shift.

    Args:
        model: maps a batch to `Outputs`.
        windows: of the split.
        centres: of the tokenizer, from `centre_codes`.
        rows: row numbers, ascending and of one stretch.
        weights: of the loss.
        token_budget: most padded tokens in a batch.
        device: where the model is.
    """
    lengths = windows.offsets[rows + 1] - windows.offsets[rows]
    first, end = int(windows.offsets[rows[0]]), int(windows.offsets[rows[-1] + 1])
    log_states = np.empty((end - first, 2, 8), np.float32)
    site_logits = np.empty((end - first, 2, 4), np.float32)
    as_stored = Augmentation.none(len(windows))
    loss = 0.0
    training = model.training
    model.eval()
    with torch.inference_mode(), threads.limited_for(model):
        for part in micro_batches(np.arange(len(rows)), lengths, token_budget):
            batch = collate(windows, rows[part], as_stored.shifts[rows[part]], as_stored.turned[rows[part]]).to(device)
            outputs = model(batch)
            loss += float(losses(outputs, batch, weights).double().sum())
            states = torch.log_softmax(outputs.states.float(), -1).cpu().numpy()
            sites = outputs.sites.float().cpu().numpy()
            for number, row in enumerate(rows[part]):
                place = slice(int(windows.offsets[row]) - first, int(windows.offsets[row + 1]) - first)
                log_states[place] = states[number, : place.stop - place.start]
                site_logits[place] = sites[number, : place.stop - place.start]
    model.train(training)
    is_finite = bool(np.isfinite(site_logits).all() and not np.isnan(log_states).any())
    return PieceScores(
        Scores(log_states, site_logits), centres[windows.tokens[first:end]], windows.states[first:end], loss, is_finite
    )


def centre_codes(tokenizer: Tokenizer) -> NDArray[np.uint8]:
    """The code of the base that each token is centred on, 4 where it is not known; shape (ids,)."""
    return np.ascontiguousarray(tokenizer.letters[:, tokenizer.k // 2])


def labelled_stretches(dataset: TokenDataset) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """States and base codes of all stretches of a split, long ones in pieces, each of shape (bases,)."""
    windows, centres = Windows.of(dataset), centre_codes(dataset.tokenizer)
    for start, end in np.unique(windows.stretches, axis=0).tolist():
        for first in range(start, end, TRAIN_BASES):
            piece = slice(first, min(first + TRAIN_BASES, end))
            yield np.asarray(windows.states[piece]), centres[windows.tokens[piece]]
