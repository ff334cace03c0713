"""The compiled part of `shuffle`: a Fisher–Yates shuffle from random words that are drawn already."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


def _swap(
    values: NDArray[np.uint64], last: int, words: NDArray[np.uint64], half: Any, chosen: NDArray[np.uint32]
) -> tuple[int, int, int]:
    """Swap the values from the last one down, for as long as there are words.

    Each word is two draws of 32 bits, the lower first. A draw is masked to the bits of `last`, and drawn again if it is
    larger than `last`.

    Args:
        values: shape (values,), changed in place.
        last: where the value lies that is next to be swapped.
        words: random, shape (words,).
        half: what is left of the word before, or -1.
        chosen: room for two draws a word and one more.

    Returns:
        The next `last`, the words used, and what is left of the last word or -1.
    """
    mask = 0
    while mask < last:
        mask = 2 * mask + 1
    count, word, position = 0, 0, last
    draw: Any = 0
    while position > 0 and (half >= 0 or word < len(words)):
        if half >= 0:
            draw, half = half & mask, -1
        else:
            draw, half = np.int64(words[word] & np.uint64(0xFFFFFFFF)) & mask, np.int64(words[word] >> np.uint64(32))
            word += 1
        if draw <= position:
            chosen[count] = draw
            count += 1
            position -= 1
            if mask >> 1 >= position:
                mask >>= 1
    for number in range(count):
        other = chosen[number]
        values[last - number], values[other] = values[other], values[last - number]
    return position, word, half


def _compiled() -> Any:
    try:
        return numba.njit(cache=True, nogil=True)(_swap)
    except RuntimeError:
        # Nowhere to keep the compiled code.
        return numba.njit(nogil=True)(_swap)


swap = _compiled()
