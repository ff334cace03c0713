from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.negatives import dinucleotide


def pairs(letters: bytes) -> Counter[bytes]:
    return Counter(letters[start : start + 2] for start in range(len(letters) - 1))


def shuffled(letters: bytes, seed: int) -> bytes:
    return dinucleotide.shuffle(np.frombuffer(letters, np.uint8), np.random.default_rng(seed)).tobytes()


@given(st.text("ACGTNRYacgtn", max_size=80).map(str.encode), st.integers(0, 1000))
def test_dinucleotides_ends_and_the_case_of_every_position_stay(letters: bytes, seed: int) -> None:
    result = shuffled(letters, seed)
    assert pairs(result.upper()) == pairs(letters.upper())
    assert result[:1] == letters[:1]
    assert result[-1:] == letters[-1:]
    assert [chr(letter).islower() for letter in result] == [chr(letter).islower() for letter in letters]


def test_every_sequence_of_the_same_dinucleotides_is_equally_likely() -> None:
    letters = b"ACAGATCA"
    possible = {
        text
        for middle in permutations(letters[1:-1])
        if pairs(text := letters[:1] + bytes(middle) + letters[-1:]) == pairs(letters)
    }
    draws = 400 * len(possible)
    seen = Counter(shuffled(letters, seed) for seed in range(draws))
    assert set(seen) == possible
    chi_square = sum((count - 400) ** 2 / 400 for count in seen.values())
    assert chi_square < len(possible) + 5 * (2 * len(possible)) ** 0.5


def test_long_runs_of_one_letter_or_two_are_no_obstacle() -> None:
    letters = b"N" * 100_000 + b"AC" * 10_000 + b"G"
    assert pairs(shuffled(letters, 0)) == pairs(letters)
