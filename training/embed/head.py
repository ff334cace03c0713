"""A log-linear head on frozen token vectors, which names a hidden k-mer from the visible tokens around it.

log P(k-mer | tokens) = bias + the sum over slots of (vector of the token there) · (weights of that slot and k-mer),
with weights of rank 128 at most. The vectors are centred, scaled and never changed: the head cannot know what they do
not contain. One pass over the positions, on one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines import fingerprint
from pipelines.tokens.vocabulary import SPECIALS
from training import eager_optimizers

# Keeps the head affordable for 4,096 k-mers: full weights would be slots x dimension x k-mers.
RANK = 128
BATCH = 1024
LEARNING_RATE = 3e-3
# Numbers in memory for the positions that are scored at a time: 128 MB.
_NUMBERS_AT_ONCE = 1 << 25


@dataclass(frozen=True)
class Head:
    """A fitted head.

    Attributes:
        vectors: standardised vectors of all ids, specials zero, shape (ids, dimension).
        weights: shape (slots x dimension, rank), and shape (rank, ids).
        bias: shape (ids,).
    """

    vectors: Tensor
    weights: tuple[Tensor, Tensor]
    bias: Tensor

    def predict(self, contexts: NDArray[Any]) -> NDArray[np.int64]:
        """Predict the likeliest id at each position.

        Args:
            contexts: ids of the visible tokens, shape (positions, slots).

        Returns:
            Shape (positions,).
        """
        predictions = [np.empty(0, np.int64)]
        at_once = max(1, _NUMBERS_AT_ONCE // (contexts.shape[1] * self.vectors.shape[1] + len(self.vectors)))
        with torch.no_grad():
            for first in range(0, len(contexts), at_once):
                visible = self.vectors[torch.from_numpy(contexts[first : first + at_once].astype(np.int64))]
                logits = visible.flatten(1) @ self.weights[0] @ self.weights[1] + self.bias
                predictions.append(logits.argmax(dim=1).numpy())
        return np.concatenate(predictions)


def fit(
    vectors: Tensor, contexts: NDArray[Any], hidden: NDArray[Any], seed: int, on_step: Callable[[], object]
) -> Head:
    """Fit a head by cross entropy.

    Args:
        vectors: of all ids, shape (ids, dimension).
        contexts: ids of the visible tokens, shape (positions, slots).
        hidden: the id at each position, shape (positions,).
        seed: seed of the weights and of the order of positions.
        on_step: called after every step.
    """
    frozen = standardise(vectors)
    generator = torch.Generator().manual_seed(fingerprint.seed(seed, "head"))
    slots, rank = contexts.shape[1], min(RANK, len(vectors))
    inner = torch.zeros(slots * frozen.shape[1], rank, requires_grad=True)
    outer = (torch.randn(rank, len(vectors), generator=generator) * rank**-0.5).requires_grad_()
    counts = torch.bincount(torch.from_numpy(hidden.astype(np.int64)), minlength=len(vectors)) + 0.5
    bias = torch.log(counts / counts.sum()).requires_grad_()
    optimizer = eager_optimizers.Adam([inner, outer, bias], lr=LEARNING_RATE)
    order = torch.randperm(len(hidden), generator=generator)
    batches = order.split(BATCH)
    for number, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 - number / len(batches))
        tokens = torch.from_numpy(contexts[batch.numpy()].astype(np.int64))
        logits = frozen[tokens].flatten(1) @ inner @ outer + bias
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(hidden[batch.numpy()].astype(np.int64)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        on_step()
    return Head(frozen, (inner.detach(), outer.detach()), bias.detach())


def standardise(vectors: Tensor) -> Tensor:
    """Centre vectors and scale them to unit variance over all numbers; specials become zero. Shape as given."""
    kmers = vectors[len(SPECIALS) :]
    scaled = (vectors - kmers.mean(dim=0)) / kmers.std().clamp_min(1e-9)
    scaled[: len(SPECIALS)] = 0
    return scaled
