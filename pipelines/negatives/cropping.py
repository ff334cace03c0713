"""Windows out of genes: how long and where. Pure and vectorised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.config import CropConfig
from pipelines.genome.intervals import Intervals

SHORTEST = 30


def lengths(genes: Intervals, crop: CropConfig) -> NDArray[np.int64]:
    """Bases that a crop keeps of each gene at most, shape (genes,).

    A gene too short to lose its margins and still show `SHORTEST` bases keeps smaller margins.
    """
    whole: NDArray[np.int64] = genes[:, 1] - genes[:, 0]
    if crop.length is None:
        return whole
    inner = np.maximum(whole - 2 * crop.margin, np.minimum(whole, SHORTEST))
    return np.minimum(inner, crop.length)


def cut(genes: Intervals, wanted: NDArray[np.int64], crop: CropConfig, generator: np.random.Generator) -> Intervals:
    """A window of the wanted length out of each gene, at a random offset or in its centre, shape (genes, 2)."""
    slack = (genes[:, 1] - genes[:, 0]) - wanted
    margin = np.minimum(crop.margin if crop.length is not None else 0, slack // 2)
    drawn = generator.integers(0, slack - 2 * margin + 1)
    offset = margin + (drawn if crop.position == "random" else (slack - 2 * margin) // 2)
    starts = genes[:, 0] + offset
    return np.stack([starts, starts + wanted], axis=1)
