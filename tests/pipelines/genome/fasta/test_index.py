from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyfaidx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.genome.fasta import index as fasta_index
from tests.hypothesis_profiles import examples

BLOCK_SIZES = [7, 64, 1 << 22]


def scan(path: Path) -> fasta_index.Index:
    with path.open("rb") as stream:
        return fasta_index.scan(stream.fileno(), path)


@examples(150)
@given(
    st.lists(st.text("ACGTNnacgtRY", min_size=1, max_size=90), min_size=1, max_size=4),
    st.integers(1, 40),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(0, 1),
    st.sampled_from(BLOCK_SIZES),
)
def test_the_index_is_that_of_pyfaidx_and_the_runs_those_of_a_regular_expression(
    sequences: list[str], width: int, line_end: str, blank: int, block: int
) -> None:
    lines = []
    for number, text in enumerate(sequences):
        lines += [f">s{number} >not this", *(text[first : first + width] for first in range(0, len(text), width))]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fasta_index, "BLOCK", block)
        path = Path(folder, "a.fa")
        path.write_bytes((line_end.join(lines) + line_end * blank).encode())
        index = scan(path)
        oracle = pyfaidx.Faidx(str(path)).index
    assert [(record.name, record.length, record.offset) for record in index.records] == [
        (name, record.rlen, record.offset) for name, record in oracle.items()
    ]
    for record, expected_record, text in zip(index.records, oracle.values(), sequences, strict=True):
        if len(text) > width:
            assert (record.letters, record.width) == (expected_record.lenc, expected_record.lenb)
    expected = [
        (number, *match.span()) for number, text in enumerate(sequences) for match in re.finditer("[Nn]+", text)
    ]
    assert [tuple(row) for row in index.runs_of_n.tolist()] == expected


@examples(150)
@given(st.lists(st.text("ACGN", max_size=9), min_size=1, max_size=6), st.sampled_from(BLOCK_SIZES))
def test_lines_are_even_or_refused(lines: list[str], block: int) -> None:
    while len(lines) > 1 and not lines[-1]:
        lines = lines[:-1]
    even = all(len(line) == len(lines[0]) > 0 for line in lines[:-1]) and len(lines[-1]) <= len(lines[0])
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fasta_index, "BLOCK", block)
        path = Path(folder, "a.fa")
        path.write_text(">s\n" + "\n".join(lines) + "\n")
        if even:
            assert scan(path).records[0].length == len("".join(lines))
        else:
            with pytest.raises(InputError, match="unequal length"):
                scan(path)


def test_sequences_without_letters_have_no_length_and_no_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.fa"
    path.write_text(">a\n>b\nNN\n>c\n\n")
    index = scan(path)
    assert [record.length for record in index.records] == [0, 2, 0]
    assert np.array_equal(index.runs_of_n, [[1, 0, 2]])


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (">sp|P1 a protein\nMKVLAEQ\n", "'L' is a letter of proteins"),
        (">a\nACGT\n>b\nmkvlaeq\n", "sequence 'b': 'l' is a letter of proteins"),
        (">a\nACGT*\n", "'\\*' is a letter of proteins"),
        (">a\nHello1\n", "'e' is a letter of proteins"),
        (">a\n0123\n", "'0' is no nucleotide"),
        (">a\n" + "A" * (1 << 22) + "E\n", "'E' is a letter of proteins"),
    ],
)
def test_letters_that_are_no_nucleotides_are_named_with_their_sequence(tmp_path: Path, text: str, letter: str) -> None:
    path = tmp_path / "p.fa"
    path.write_text(text)
    with pytest.raises(InputError, match=letter):
        scan(path)


@pytest.mark.parametrize("letters", ["acguACGU", "RYSWKMBDHVNryswkmbdhvn", "NNNNNNNN", "ACGTXXXX", "AC--GT.."])
def test_rna_ambiguity_codes_masks_and_gaps_are_accepted(tmp_path: Path, letters: str) -> None:
    path = tmp_path / "p.fa"
    path.write_text(f">a\n{letters}\n")
    assert [record.length for record in scan(path).records] == [len(letters)]
