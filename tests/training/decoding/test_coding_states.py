"""What an intron remembers of a codon."""

from __future__ import annotations

import itertools

import pytest

from pipelines.gene_models.genetic_code import NUMBERS, codon_number, genetic_code
from training.decoding.coding_states import coding_states


def test_the_standard_code_needs_two_and_three_cases() -> None:
    levels = [coding_states(genetic_code(1), is_reverse=is_reverse).level.tolist() for is_reverse in (False, True)]
    assert levels == [[0, 1, 1, 2, 2, 2], [0, 1, 1, 1, 2, 2]]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("is_reverse", [False, True])
def test_a_split_codon_is_refused_exactly_where_it_stops(number: int, is_reverse: bool) -> None:
    code = genetic_code(number)
    states = coding_states(code, is_reverse=is_reverse)
    for x, y, z in itertools.product(range(4), repeat=3):
        bases = (3 - z, 3 - y, 3 - x) if is_reverse else (x, y, z)
        may_be_inside = chr(code.amino_acids[codon_number("".join("ACGT"[base] for base in bases))]) != "*"
        assert states.may_follow[states.after_one[x], 4 * y + z] == may_be_inside
        assert all(states.may_follow[states.after_two[4 * x + y], 4 * z + w] == may_be_inside for w in range(4))
        assert states.is_inner[16 * x + 4 * y + z] == may_be_inside
