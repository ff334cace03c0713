"""The probabilities of states along a stretch, as a picture shows them: the mean of each of its columns.

They are read from the files of scores, piece by piece, so that a long stretch takes no more memory than a short one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.structure import states
from training.annotate import scores
from training.annotate.score_tasks import score_path
from training.annotate.scores import LOG_PROBABILITIES, Packed
from training.annotate.sequence_scores import SequenceScores

CLASSES = {
    "CDS": (states.CDS_0, states.CDS_1, states.CDS_2),
    "intron": (states.INTRON_0, states.INTRON_1, states.INTRON_2),
    "UTR": (states.UTR,),
    "intergenic": (states.INTERGENIC,),
}
"""What a picture tells apart, and the states of each."""
_PROBABILITIES = np.exp(LOG_PROBABILITIES)


def column_edges(start: int, end: int, columns: int) -> NDArray[np.int64]:
    """The first base of each column of a stretch, then its end; columns of at least one base, at most `columns`."""
    columns = min(columns, end - start)
    return start + np.arange(columns + 1) * (end - start) // columns


def of_stretch(located: SequenceScores, folder: Path, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean probability of each class of `CLASSES` in every column.

    Args:
        located: where the scores of the sequence lie.
        folder: directory of the scores.
        edges: of the columns, shape (columns + 1,), rising.

    Returns:
        Shape (2, 4, columns): strands, classes; the classes of a column add up to 1.

    Raises:
        DatasetError: scores are missing or damaged.
    """
    sums = np.zeros((2, len(CLASSES), len(edges) - 1))
    first, last = int(edges[0]), int(edges[-1])
    for task, number, start, end in located.places:
        if start >= last or end <= first:
            continue
        packed = scores.read(score_path(folder, task), number, end - start)
        low, high = max(start, first), min(end, last)
        # The columns that begin in the piece, and the one before.
        inner = np.flatnonzero((edges[:-1] < high) & (edges[1:] > low))
        starts = np.maximum(edges[inner], low) - low
        sums[..., inner] += np.add.reduceat(_classes(packed[..., low - start : high - start]), starts, axis=2)
    means: NDArray[np.float64] = sums / np.maximum(sums.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return means


def _classes(packed: Packed) -> NDArray[np.float64]:
    """The probabilities of classes, shape (2, 4, bases)."""
    of_states = _PROBABILITIES[packed[:, : states.STATES]].astype(np.float64)
    return np.stack([of_states[:, list(members)].sum(axis=1) for members in CLASSES.values()], axis=1)
