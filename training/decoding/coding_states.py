"""What an intron has to remember of the codon that it interrupts, on one strand, by the forward coordinate.

Of the bases of an open codon that count which decide whether it can become a stop: with the standard code, two cases
after one base and three after two on the forward strand, three and two on the reverse one, which is read backwards.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.gene_models.genetic_code import CODON, GeneticCode, codon_number

_BASES = "ACGT"
_COMPLEMENT = 3
Codon = tuple[int, int, int]
WHOLE = 0
"""The state between two codons."""
_CODONS: list[Codon] = list(itertools.product(range(4), range(4), range(4)))


@dataclass(frozen=True)
class CodingStates:
    """The states of one strand. A base is 0 to 3 for A, C, G and T, a codon 16 x + 4 y + z by the forward coordinate.

    Attributes:
        level: bases read of the open codon, shape (states,).
        after_one: state after one base of a codon, shape (4,).
        after_two: state after two bases x and y, shape (16,) by 4 x + y.
        may_follow: whether bases x and y, of which the first as many as complete the codon count, make it one that may
            be inside a coding sequence; shape (states, 16).
        cut: by level, the state of a codon whose bases read so far are unknown.
        is_first, is_inner, is_last: whether a codon begins a coding sequence, may be inside one, or ends one, in the
            order in which this strand's codons are read; shape (64,).
    """

    level: NDArray[np.int64]
    after_one: NDArray[np.int64]
    after_two: NDArray[np.int64]
    may_follow: NDArray[np.bool_]
    cut: tuple[int, int, int]
    is_first: NDArray[np.bool_]
    is_inner: NDArray[np.bool_]
    is_last: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.level)


def coding_states(code: GeneticCode, *, is_reverse: bool) -> CodingStates:
    """The states of one strand.

    Args:
        code: its start codons begin a gene and its stop codons end one; a stop codon that may also stand for an amino
            acid may also be inside.
        is_reverse: whether it is the reverse strand, which is read from its last codon on.
    """
    starts = _codons(code.is_start, is_reverse)
    stops = _codons(code.is_stop, is_reverse)
    inner = _codons(code.amino_acids != ord("*"), is_reverse)
    first, last = (stops, starts) if is_reverse else (starts, stops)
    # Equal futures are one state. Of a codon with unknown bases (-1) all may follow.
    level: list[int] = [0]
    states: dict[tuple[int, ...], int] = {}
    cut = [WHOLE]
    for length in (1, 2):
        futures: dict[tuple[bool, ...], int] = {}
        for prefix in [(-1,) * length, *itertools.product(range(4), repeat=length)]:
            future = tuple(
                -1 in prefix or (*prefix, *following)[:CODON] in inner
                for following in itertools.product(range(4), repeat=2)
            )
            if future not in futures:
                futures[future] = len(level)
                level.append(length)
            states[prefix] = futures[future]
        cut.append(states[(-1,) * length])
    may_follow = np.ones((len(level), 16), np.bool_)
    for prefix, state in states.items():
        for x, y in itertools.product(range(4), repeat=2):
            may_follow[state, 4 * x + y] = -1 in prefix or (*prefix, x, y)[:CODON] in inner
    return CodingStates(
        level=np.array(level),
        after_one=np.array([states[prefix] for prefix in itertools.product(range(4), repeat=1)]),
        after_two=np.array([states[prefix] for prefix in itertools.product(range(4), repeat=2)]),
        may_follow=may_follow,
        cut=(cut[0], cut[1], cut[2]),
        is_first=np.array([codon in first for codon in _CODONS]),
        is_inner=np.array([codon in inner for codon in _CODONS]),
        is_last=np.array([codon in last for codon in _CODONS]),
    )


def _codons(flags: NDArray[np.bool_], is_reverse: bool) -> set[Codon]:
    """The codons of A, C, G and T with a flag, by the forward coordinate."""
    codons = {codon for codon in _CODONS if flags[codon_number("".join(_BASES[base] for base in codon))]}
    if not is_reverse:
        return codons
    return {(_COMPLEMENT - z, _COMPLEMENT - y, _COMPLEMENT - x) for x, y, z in codons}
