"""Windows cut out of genes: how long they are and where they lie. Pure and vectorised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.config import CropConfig
from pipelines.genome.intervals import Intervals

MIN_LENGTH = 30


def window_lengths(genes: Intervals, crop: CropConfig) -> NDArray[np.int64]:
    """Return the most bases that a crop keeps of each gene, shape (genes,).

    A gene too short to lose its margins and still show `MIN_LENGTH` bases keeps smaller margins.
    """
    gene_lengths: NDArray[np.int64] = genes[:, 1] - genes[:, 0]
    if crop.length is None:
        return gene_lengths
    inner = np.maximum(gene_lengths - 2 * crop.margin, np.minimum(gene_lengths, MIN_LENGTH))
    return np.minimum(inner, crop.length)


def cut_windows(
    genes: Intervals, lengths: NDArray[np.int64], crop: CropConfig, generator: np.random.Generator
) -> Intervals:
    """Cut a window of the given length out of each gene, at a random offset or in its centre, shape (genes, 2)."""
    slack = (genes[:, 1] - genes[:, 0]) - lengths
    margin = np.minimum(crop.margin if crop.length is not None else 0, slack // 2)
    # Drawn for centred windows too: whatever is drawn next stays the same in both positions.
    drawn = generator.integers(0, slack - 2 * margin + 1)
    offset = margin + (drawn if crop.position == "random" else (slack - 2 * margin) // 2)
    starts = genes[:, 0] + offset
    return np.stack([starts, starts + lengths], axis=1)
