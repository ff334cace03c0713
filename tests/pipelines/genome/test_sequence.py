from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.genome import sequence

PAIRS = dict(zip("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN", strict=True))
PAIRS |= {letter.lower(): other.lower() for letter, other in PAIRS.items()}
iupac = st.text(alphabet="".join(PAIRS), max_size=60)


def as_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


@given(iupac)
def test_reverse_complement_equals_a_letter_by_letter_lookup(text: str) -> None:
    expected = "".join(PAIRS[letter] for letter in reversed(text))
    assert sequence.reverse_complement(as_bytes(text)).tobytes().decode() == expected


@given(iupac)
def test_reverse_complement_twice_is_the_sequence(text: str) -> None:
    twice = sequence.reverse_complement(sequence.reverse_complement(as_bytes(text)))
    assert twice.tobytes().decode() == text


def test_base_codes_ignore_case_and_mark_every_other_letter() -> None:
    assert sequence.base_codes(as_bytes("ACGTacgtUuNR-")).tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 3, 3, 4, 4, 4]


@given(st.text(alphabet="ACNn", max_size=40), st.integers(1, 5))
def test_runs_of_n_equal_a_plain_scan(text: str, min_length: int) -> None:
    expected, start = [], None
    for position, letter in enumerate([*text, "A"]):
        if letter in "Nn" and start is None:
            start = position
        elif letter not in "Nn" and start is not None:
            if position - start >= min_length:
                expected.append([start, position])
            start = None
    assert sequence.runs_of_n(as_bytes(text), min_length).tolist() == expected


def test_lower_case_letters_are_soft_masked() -> None:
    assert sequence.is_soft_masked(as_bytes("azAZnN-[`{")).tolist() == [True, True, *[False] * 2, True, *[False] * 5]


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=300), min_size=1, max_size=6))
def test_true_counts_are_those_of_each_segment(segments: list[list[bool]]) -> None:
    flags = np.array([flag for segment in segments for flag in segment])
    lengths = np.array([len(segment) for segment in segments])
    assert sequence.true_counts(flags, lengths).tolist() == [sum(segment) for segment in segments]
