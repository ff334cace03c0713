from __future__ import annotations

import pytest

from pipelines.inputs import alphabet


@pytest.mark.parametrize("letters", [b"ACGTacgt", b"ACGU", b"RYSWKMBDHVN", b"NNNNXXxx", b"AC-GT.A", b"AC\nGT\r\n", b""])
def test_nucleotides_gaps_and_masks_are_accepted(letters: bytes) -> None:
    assert alphabet.foreign_letter(letters) is None


@pytest.mark.parametrize(
    ("letters", "letter"),
    [
        (b"MKVLAE", "L"),
        (b"acgte", "e"),
        (b"ACG*", "*"),
        (b"AC1T", "1"),
        (b"AC\xc3", "\xc3"),
        (b"A" * (3 << 20) + b"Q", "Q"),
    ],
)
def test_the_first_other_letter_is_named(letters: bytes, letter: str) -> None:
    assert alphabet.foreign_letter(letters) == letter


def test_letters_of_proteins_are_described() -> None:
    assert alphabet.describe("e") == "'e' is a letter of proteins"
    assert alphabet.describe("\x00") == "'\\x00' is no nucleotide"
