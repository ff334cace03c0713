"""Initial vectors of k-mers: k-mers that share bases start out alike.

A k-mer's vector is the sum of one random vector for each (position, base), scaled to unit variance; a partial k-mer has
fewer positions. Every vector is free to move in training; but what is learnt from frequent k-mers holds for similar
rare k-mers from the first step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pipelines import fingerprint

BASES = "ACGT"
OWN_SHARE = 0.1
"""Share of a vector's variance that is the k-mer's own rather than that of its bases."""


def compositional(vocabulary: Sequence[str], size: int, seed: int) -> Tensor:
    """Vectors for a vocabulary.

    Args:
        vocabulary: tokens in the order of their ids; `<pad>` gets zeros, other special tokens get vectors of their own.
        size: of a vector.
        seed: of the draws.

    Returns:
        float32, shape (tokens, size), about unit variance in each column.
    """
    generator = np.random.default_rng(fingerprint.seed(seed, "embedding"))
    vectors = generator.standard_normal((len(vocabulary), size)) * np.sqrt(OWN_SHARE)
    kmers = [number for number, token in enumerate(vocabulary) if set(token) <= set(BASES)]
    widths = np.array([len(vocabulary[number]) for number in kmers])
    k = int(widths.max())
    parts = generator.standard_normal((k, len(BASES), size)) * np.sqrt((1 - OWN_SHARE) / k)
    for width in np.unique(widths):
        ids = np.array(kmers)[widths == width]
        letters = np.array([[BASES.index(base) for base in vocabulary[number]] for number in ids])
        vectors[ids] += parts[np.arange(width), letters].sum(axis=1) * np.sqrt(k / width)
    special = [number for number, token in enumerate(vocabulary) if token.startswith("<")]
    vectors[special] /= np.sqrt(OWN_SHARE)
    vectors[[number for number in special if vocabulary[number] == "<pad>"]] = 0
    return torch.from_numpy(vectors.astype(np.float32))
