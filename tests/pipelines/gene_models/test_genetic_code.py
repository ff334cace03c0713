from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UsageError
from pipelines.gene_models import genetic_code
from pipelines.gene_models.genetic_code import NUMBERS

IUPAC = dict(
    zip("ACGTRYSWKMBDHVN", "A C G T AG CT CG AT GT AC CGT AGT ACT ACG ACGT".split(), strict=True)  # noqa: SIM905
)


def ascii_of(letters: str) -> np.ndarray:
    return np.frombuffer(letters.encode(), np.uint8)


def test_every_table_is_that_of_biopython() -> None:
    tables = pytest.importorskip("Bio.Data.CodonTable", reason="Biopython is not installed")
    assert set(NUMBERS) == set(tables.unambiguous_dna_by_id)
    for number, table in tables.unambiguous_dna_by_id.items():
        code = genetic_code.genetic_code(number)
        assert code.starts == tuple(sorted(table.start_codons)), number
        for letters in map("".join, itertools.product("ACGT", repeat=3)):
            at = genetic_code.codon_number(letters)
            assert code.is_stop[at] == (letters in table.stop_codons), (number, letters)
            assert chr(code.amino_acids[at]) == table.forward_table.get(letters, "*"), (number, letters)


@pytest.mark.parametrize(
    ("number", "letters", "protein"),
    [
        (1, "ATGTGGTGACTGTAA", "MW*L*"),
        (4, "ATGTGATAG", "MW*"),
        (12, "ATGCTGTAA", "MS*"),
        (26, "ATGCTGTAA", "MA*"),
        (2, "ATAAGATGA", "M*W"),
        (6, "TAATAGTGA", "QQ*"),
        (27, "TAATGA", "QW"),
    ],
)
def test_codons_that_differ_are_read_by_their_table(number: int, letters: str, protein: str) -> None:
    assert genetic_code.genetic_code(number).translate(ascii_of(letters)) == protein


@given(st.text("ACGTNRYSWKMBDHVacgtn", max_size=40), st.sampled_from(NUMBERS))
def test_translation_equals_a_loop_over_codons_and_what_they_stand_for(letters: str, number: int) -> None:
    code = genetic_code.genetic_code(number)
    expected = ""
    for start in range(0, len(letters) - 2, 3):
        bases = [IUPAC[letter] for letter in letters[start : start + 3].upper()]
        numbers = [genetic_code.codon_number("".join(codon)) for codon in itertools.product(*bases)]
        meanings = {chr(code.amino_acids[number]) for number in numbers}
        if len(meanings) > 1:
            meanings = {{"DN": "B", "EQ": "Z"}.get("".join(sorted(meanings)), "X")}
        expected += meanings.pop()
    assert code.translate(ascii_of(letters)) == expected


def test_a_codon_with_several_bases_stops_if_each_of_them_does() -> None:
    code = genetic_code.genetic_code(1)
    flags = [bool(code.is_stop[genetic_code.codon_number(codon)]) for codon in ("TAR", "TRA", "TAN", "NNN")]
    assert flags == [True, True, False, False]


def test_a_protein_begins_with_methionine_whatever_its_start_codon() -> None:
    code = genetic_code.genetic_code(12)
    assert code.protein(ascii_of("CTGCTGTAA"), has_start=True, has_stop=True) == "MS"
    assert code.protein(ascii_of("CTGCTGTA"), has_start=False, has_stop=False) == "SS"


def test_start_codons_can_be_chosen() -> None:
    code = genetic_code.genetic_code(1).with_starts(["aug", "GTG"])
    assert code.starts == ("ATG", "GTG")
    assert genetic_code.genetic_code(1).starts == ("ATG", "CTG", "TTG")


@given(st.sets(st.text("ACGT", min_size=3, max_size=3).filter(lambda codon: codon not in ("TAA", "TAG", "TGA"))))
def test_a_codon_of_base_sets_starts_if_each_codon_that_it_stands_for_does(starts: set[str]) -> None:
    code = genetic_code.code_with_starts(1, tuple(starts or {"ATG"}))
    expected = np.zeros(4096, np.bool_)
    for letters in itertools.product(IUPAC, repeat=3):
        codons = map("".join, itertools.product(*(IUPAC[letter] for letter in letters)))
        expected[genetic_code.codon_number("".join(letters))] = set(codons) <= set(code.starts)
    np.testing.assert_array_equal(code.is_start, expected)


@pytest.mark.parametrize(("codon", "reason"), [("AT", "not three"), ("ATN", "not three"), ("TGA", "a stop in genetic")])
def test_a_start_codon_that_is_none_is_refused(codon: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        genetic_code.genetic_code(1).with_starts([codon])


def test_an_unknown_table_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"genetic code 7: not a table of NCBI: choose one of 1, 2, 3"):
        genetic_code.genetic_code(7)
