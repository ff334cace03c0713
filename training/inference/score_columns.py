"""Probabilities as a column of a table: a number for each row, or a list of one number for each class."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def column(scores: Floats) -> pa.Array:
    """Probabilities of shape (rows,) or (rows, classes) as a column of as many rows."""
    if scores.ndim == 1:
        return pa.array(scores)
    return pa.FixedSizeListArray.from_arrays(pa.array(scores.ravel()), scores.shape[1])


def scores_of(table: pa.Table) -> Floats:
    """The column `probability` of a table that `column` made, in the shape it had."""
    values = table["probability"].combine_chunks()
    if not pa.types.is_fixed_size_list(values.type):
        return values.to_numpy()
    flat: Floats = values.flatten().to_numpy()
    return flat.reshape(len(values), values.type.list_size)
