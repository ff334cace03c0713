"""A shuffle of a sequence that keeps its first and last letter and every count of two neighbouring letters.

Every such sequence is equally likely: the letters are walked as an Eulerian path whose last exits form a random tree
(Altschul and Erickson 1985, doi:10.1093/oxfordjournals.molbev.a040370). Case is masking, not sequence: it stays at its
position, and any IUPAC code is a letter of its own. 5 to 9 Mb/s.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.sequence import Bytes

_CASE = np.uint8(0x20)


def shuffle(sequence: Bytes, generator: np.random.Generator) -> Bytes:
    """Shuffle ASCII letters, shape (length,); the case of every position stays."""
    if len(sequence) < 3:
        return sequence.copy()
    alphabet, codes = np.unique(sequence & ~_CASE, return_inverse=True)
    exits = _draw_exits(codes, len(alphabet), generator)
    take_exit = [iter(letters.tolist()).__next__ for letters in exits]
    letter = int(codes[0])
    path = [letter]
    for _ in range(len(codes) - 1):
        letter = take_exit[letter]()
        path.append(letter)
    return alphabet[path] | (sequence & _CASE)


def _draw_exits(codes: NDArray[np.int64], letters: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """Draw, for each letter, the order in which the path takes the letters that follow it."""
    order = np.argsort(codes[:-1], kind="stable")
    bounds = np.searchsorted(codes[:-1][order], np.arange(letters + 1))
    followers = codes[1:][order]
    exits = [followers[start:end] for start, end in itertools.pairwise(bounds)]
    last_letter = int(codes[-1])
    last_exits = _draw_last_exits(exits, last_letter, generator)
    for letter, following in enumerate(exits):
        # The path ends at the last letter, so none of its exits has to be the last one taken.
        is_fixed = letter != last_letter and len(following) > 0
        rest = np.delete(following, last_exits[letter]) if is_fixed else following
        shuffled = generator.permutation(rest)
        exits[letter] = np.append(shuffled, following[last_exits[letter]]) if is_fixed else shuffled
    return exits


def _draw_last_exits(exits: list[NDArray[np.int64]], last_letter: int, generator: np.random.Generator) -> list[int]:
    """Draw, for each letter, the exit taken last, so that all of them lead to the last letter.

    They form a random tree by loop-erased walks (Wilson 1996, doi:10.1145/237814.237880), in which no exit leads to the
    letter itself.
    """
    leaving = [np.flatnonzero(following != letter) for letter, following in enumerate(exits)]
    chosen = [0] * len(exits)
    in_tree = {last_letter}
    for start in range(len(exits)):
        letter = start
        while letter not in in_tree:
            chosen[letter] = int(leaving[letter][generator.integers(len(leaving[letter]))])
            letter = int(exits[letter][chosen[letter]])
        letter = start
        while letter not in in_tree:
            in_tree.add(letter)
            letter = int(exits[letter][chosen[letter]])
    return chosen
