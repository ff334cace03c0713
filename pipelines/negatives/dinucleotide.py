"""A shuffle of a sequence that keeps its first and last letter and every count of two neighbouring letters.

Every such sequence is equally likely: the letters are walked as an Eulerian path whose last exits form a random tree
(Altschul and Erickson 1985, doi:10.1093/oxfordjournals.molbev.a040370). Case is masking, not sequence: it stays where
it lies, and any IUPAC code is a letter of its own. 5 to 9 Mb/s.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.sequence import Bytes

_CASE = np.uint8(0x20)


def shuffle(sequence: Bytes, generator: np.random.Generator) -> Bytes:
    """A shuffle of ASCII letters, shape (length,); the case of every position stays."""
    if len(sequence) < 3:
        return sequence.copy()
    names, codes = np.unique(sequence & ~_CASE, return_inverse=True)
    exits = _exits(codes, len(names), generator)
    following = [iter(letters.tolist()).__next__ for letters in exits]
    letter = int(codes[0])
    walked = [letter]
    for _ in range(len(codes) - 1):
        letter = following[letter]()
        walked.append(letter)
    return names[walked] | (sequence & _CASE)


def _exits(codes: NDArray[np.int64], letters: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """For each letter, the letters that follow it, in the order in which the walk takes them."""
    order = np.argsort(codes[:-1], kind="stable")
    bounds = np.searchsorted(codes[:-1][order], np.arange(letters + 1))
    followers = codes[1:][order]
    exits = [followers[first:last] for first, last in itertools.pairwise(bounds)]
    last = int(codes[-1])
    chosen = _last_exits(exits, last, generator)
    for letter, taken in enumerate(exits):
        rest = np.delete(taken, chosen[letter]) if letter != last and len(taken) else taken
        shuffled = generator.permutation(rest)
        exits[letter] = np.append(shuffled, taken[chosen[letter]]) if len(rest) < len(taken) else shuffled
    return exits


def _last_exits(exits: list[NDArray[np.int64]], last: int, generator: np.random.Generator) -> list[int]:
    """For each letter, which of its exits is taken last, so that all of them lead to the last letter.

    A random tree by loop-erased walks (Wilson 1996, doi:10.1145/237814.237880); an exit to the letter itself is in none.
    """
    away = [np.flatnonzero(taken != letter) for letter, taken in enumerate(exits)]
    chosen = [0] * len(exits)
    in_tree = {last}
    for start in range(len(exits)):
        letter = start
        while letter not in in_tree:
            chosen[letter] = int(away[letter][generator.integers(len(away[letter]))])
            letter = int(exits[letter][chosen[letter]])
        letter = start
        while letter not in in_tree:
            in_tree.add(letter)
            letter = int(exits[letter][chosen[letter]])
    return chosen
