"""How far windows are shifted and which are turned in an epoch: a function of (seed, epoch, row) and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from training.structure.windows import Windows


@dataclass(frozen=True)
class Augmentation:
    """The windows of an epoch.

    Attributes:
        shifts: bases by which each window of the split is moved, int64, shape (all rows,).
        turned: windows that are read as their reverse complement, shape (all rows,).
    """

    shifts: NDArray[np.int64]
    turned: NDArray[np.bool_]

    @classmethod
    def none(cls, rows: int) -> Augmentation:
        """All windows as they are stored."""
        return cls(np.zeros(rows, np.int64), np.zeros(rows, np.bool_))

    @classmethod
    def draw(cls, windows: Windows, seed: int, epoch: int, *, shift: bool, reverse_complement: bool) -> Augmentation:
        """Draw an epoch's windows.

        The draws of all rows are made at once, 0.03 µs a row, so that those of a row depend neither on the rows of a
        batch nor on the step from which a run is resumed.

        Args:
            windows: of the split.
            seed: of the run.
            epoch: from 0.
            shift: move each window by up to half its length, as far as its stretch reaches; all distances are equally
                likely.
            reverse_complement: turn a window or not, equally likely.
        """
        uniform = np.random.default_rng(fingerprint.seed(seed, "augment", epoch)).random((2, len(windows)))
        none = cls.none(len(windows))
        return cls(
            _shifts(windows, uniform[0]) if shift else none.shifts,
            uniform[1] < 0.5 if reverse_complement else none.turned,
        )


def _shifts(windows: Windows, uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    starts, ends = windows.offsets[:-1], windows.offsets[1:]
    half = (ends - starts) // 2
    least = np.maximum(windows.stretches[:, 0] - starts, -half)
    most = np.minimum(windows.stretches[:, 1] - ends, half)
    return least + np.floor(uniform * (most - least + 1)).astype(np.int64)
