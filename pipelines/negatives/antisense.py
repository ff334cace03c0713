"""Antisense negatives: a window of a gene read on its other strand, where that strand carries no gene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals

Strands = NDArray[np.int8]


def opposing_features(features: Intervals, strands: Strands, strand: int) -> Intervals:
    """Return the features that lie on the other strand than `strand`, or on an unknown one, merged, shape (m, 2)."""
    return intervals.merge(features[(strands == -strand) | (strands == 0)])


def is_clear(windows: Intervals, strands: Strands, features: Intervals, feature_strands: Strands) -> NDArray[np.bool_]:
    """Return whether the other strand of each window carries no feature, shape (windows,)."""
    clear = np.ones(len(windows), np.bool_)
    for strand in (1, -1):
        on_strand = strands == strand
        clear[on_strand] = ~intervals.overlaps(windows[on_strand], opposing_features(features, feature_strands, strand))
    return clear


def longest_clear_stretches(
    genes: Intervals, strands: Strands, features: Intervals, feature_strands: Strands
) -> Intervals:
    """Return the longest part of each gene whose other strand carries no feature.

    Args:
        genes: shape (genes, 2).
        strands: +1 or -1 of each gene, shape (genes,).
        features: gene-like features, shape (features, 2).
        feature_strands: +1, -1, or 0 where it is unknown, shape (features,).

    Returns:
        Shape (genes, 2); the first of several of the same length, an empty one where there is none.
    """
    clear = genes.copy()
    covered = np.flatnonzero(~is_clear(genes, strands, features, feature_strands))
    opposing = {strand: opposing_features(features, feature_strands, strand) for strand in (1, -1)}
    for gene in covered.tolist():
        start, end = genes[gene].tolist()
        other = opposing[int(strands[gene])]
        overlapping = other[np.searchsorted(other[:, 1], start, side="right") : np.searchsorted(other[:, 0], end)]
        gaps = intervals.gaps(np.clip(overlapping, start, end) - start, end - start)
        longest = gaps[np.argmax(gaps[:, 1] - gaps[:, 0])] if len(gaps) else np.zeros(2, np.int64)
        clear[gene] = start + longest
    return clear
