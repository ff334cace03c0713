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


def window_sites(genes: Intervals, crop: CropConfig) -> tuple[Intervals, NDArray[np.int64]]:
    """Return where the windows of each gene may lie, and the gene of each.

    A gene is cut into equal parts, as many as hold a window of `crop.length` up to `crop.per_gene`; each has a margin
    beyond its own bases, which `cut_windows` keeps clear. A gene with one window is a part of its own.

    Args:
        genes: shape (genes, 2).
        crop: how long a window is, and how many a gene has.

    Returns:
        Start and end of each part, those of a gene in order, shape (windows, 2); the index of its gene, shape
        (windows,).
    """
    counts = window_counts(genes, crop)
    gene = np.repeat(np.arange(len(genes)), counts)
    sites = genes[gene].copy()
    turn = np.arange(len(gene)) - np.repeat(np.cumsum(counts) - counts, counts)
    parts = counts[gene]
    inner = sites[:, 1] - sites[:, 0] - 2 * crop.margin
    several = parts > 1
    cuts = [sites[:, 0] + crop.margin + inner * (turn + side) // parts for side in (0, 1)]
    sites[several, 0] = (cuts[0] - crop.margin)[several]
    sites[several, 1] = (cuts[1] + crop.margin)[several]
    return sites, gene


def window_counts(genes: Intervals, crop: CropConfig) -> NDArray[np.int64]:
    """Return how many windows each gene gives, shape (genes,)."""
    if crop.length is None:
        return np.ones(len(genes), np.int64)
    inner = genes[:, 1] - genes[:, 0] - 2 * crop.margin
    return np.clip(inner // crop.length, 1, crop.per_gene)


def clear_of_margins(stretches: Intervals, sites: Intervals, crop: CropConfig) -> Intervals:
    """Return stretches of sites as they are, or without the site's margins if they are too short to keep their own.

    A window that is cut out of them then shares no base with one of another site of its gene. Shapes (n, 2).
    """
    is_short = stretches[:, 1] - stretches[:, 0] < MIN_LENGTH + 2 * crop.margin
    low, high = sites[:, 0] + crop.margin, sites[:, 1] - crop.margin
    clipped = np.stack([np.clip(stretches[:, side], low, high) for side in (0, 1)], axis=1)
    return np.where(is_short[:, None], clipped, stretches)


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
