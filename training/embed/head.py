"""A log-linear head on frozen token vectors: what hidden k-mer do the visible tokens around it speak for?

log P(k-mer | tokens) = bias + the sum over places of (vector of the token there) · (weights of that place and k-mer), with
the weights of rank 128 at most. The vectors are centred, scaled and never changed: what they do not tell, the head cannot
know. One pass over the positions, on one thread.
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

RANK = 128
BATCH = 1024
RATE = 3e-3
# Numbers that positions bring at once: 128 MB.
_SCORED = 1 << 25


@dataclass(frozen=True)
class Head:
    """A fitted head.

    Attributes:
        vectors: of all ids as the head sees them, specials zero, shape (ids, dimension).
        weights: shape (places x dimension, rank), and shape (rank, ids).
        bias: shape (ids,).
    """

    vectors: Tensor
    weights: tuple[Tensor, Tensor]
    bias: Tensor

    def predict(self, contexts: NDArray[Any]) -> NDArray[np.int64]:
        """The likeliest id at each position.

        Args:
            contexts: ids of the visible tokens, shape (positions, places).
        """
        found = [np.empty(0, np.int64)]
        some = max(1, _SCORED // (contexts.shape[1] * self.vectors.shape[1] + len(self.vectors)))
        with torch.no_grad():
            for first in range(0, len(contexts), some):
                seen = self.vectors[torch.from_numpy(contexts[first : first + some].astype(np.int64))]
                logits = seen.flatten(1) @ self.weights[0] @ self.weights[1] + self.bias
                found.append(logits.argmax(dim=1).numpy())
        return np.concatenate(found)


def fit(vectors: Tensor, contexts: NDArray[Any], hidden: NDArray[Any], seed: int, told: Callable[[], object]) -> Head:
    """Fit a head by cross entropy.

    Args:
        vectors: of all ids, shape (ids, dimension).
        contexts: ids of the visible tokens, shape (positions, places).
        hidden: the id at each position, shape (positions,).
        seed: of the weights and of the order of positions.
        told: called after every step.
    """
    seen = standardised(vectors)
    generator = torch.Generator().manual_seed(fingerprint.seed(seed, "head"))
    places, rank = contexts.shape[1], min(RANK, len(vectors))
    inner = torch.zeros(places * seen.shape[1], rank, requires_grad=True)
    outer = (torch.randn(rank, len(vectors), generator=generator) * rank**-0.5).requires_grad_()
    counts = torch.bincount(torch.from_numpy(hidden.astype(np.int64)), minlength=len(vectors)) + 0.5
    bias = torch.log(counts / counts.sum()).requires_grad_()
    optimizer = torch.optim.Adam([inner, outer, bias], lr=RATE)
    order = torch.randperm(len(hidden), generator=generator)
    batches = order.split(BATCH)
    for number, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - number / len(batches))
        tokens = torch.from_numpy(contexts[batch.numpy()].astype(np.int64))
        logits = seen[tokens].flatten(1) @ inner @ outer + bias
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(hidden[batch.numpy()].astype(np.int64)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        told()
    return Head(seen, (inner.detach(), outer.detach()), bias.detach())


def standardised(vectors: Tensor) -> Tensor:
    """Vectors less their mean, of unit variance over all numbers; those of specials zero. Shape as given."""
    kmers = vectors[len(SPECIALS) :]
    found = (vectors - kmers.mean(dim=0)) / kmers.std().clamp_min(1e-9)
    found[: len(SPECIALS)] = 0
    return found
