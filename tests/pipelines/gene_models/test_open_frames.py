from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.gene_models import genetic_code, open_frames
from pipelines.genome import sequence


def found(letters: str, strand: str, number: int, shortest: int) -> set[tuple[object, ...]]:
    frames = open_frames.find(array(letters), strand, code_of(number), shortest)
    return {
        (
            int(frames.ends[index]),
            bool(frames.is_cut_stop[index]),
            int(frames.cut_starts[index]),
            int(frames.phases[index]),
            tuple(frames.starts[frames.first_starts[index] : frames.first_starts[index + 1]].tolist()),
        )
        for index in range(len(frames))
    }


def array(letters: str) -> np.ndarray:
    return np.frombuffer(letters.encode(), np.uint8)


def code_of(number: int) -> genetic_code.GeneticCode:
    code = genetic_code.genetic_code(number)
    return code.with_starts(["ATG"]) if number == 1 else code


def expected(letters: str, strand: str, number: int, shortest: int) -> set[tuple[object, ...]]:
    """Every codon in turn, frame by frame between the gaps."""
    code = code_of(number)
    read = sequence.reverse_complement(array(letters)).tobytes().decode() if strand == "-" else letters
    gaps = open_frames.GAP
    frames = set()
    first = 0
    while first < len(read):
        if read[first : first + gaps].upper() == "N" * gaps:
            while first < len(read) and read[first] in "Nn":
                first += 1
            continue
        last = first
        while last < len(read) and read[last : last + gaps].upper() != "N" * gaps:
            last += 1
        for phase in range(3):
            cut, starts, codons, position = first, [], 0, first + phase
            while position + 3 <= last:
                codon = genetic_code.codon_number(read[position : position + 3])
                codons += 1
                if code.is_start[codon]:
                    starts.append(position)
                if code.is_stop[codon]:
                    frames.add((position + 3, False, cut, phase if cut >= 0 else 0, tuple(starts)))
                    cut, starts, codons = -1, [], 0
                position += 3
            if codons:
                frames.add((last, True, cut, phase if cut >= 0 else 0, tuple(starts)))
        first = last
    return {
        frame
        for frame in frames
        if (frame[2] >= 0 or frame[4]) and frame[0] - (frame[2] if frame[2] >= 0 else frame[4][0]) >= shortest
    }


SEQUENCES = st.lists(
    st.sampled_from(["ATG", "TAA", "TGA", "A", "C", "G", "T", "N", "atg", "R", "N" * 10, "CAT", "TTA"]), max_size=40
).map("".join)


@given(SEQUENCES, st.sampled_from("+-"), st.sampled_from([1, 4, 12]), st.integers(0, 20))
def test_frames_equal_those_of_a_loop_over_codons(letters: str, strand: str, number: int, shortest: int) -> None:
    assert found(letters, strand, number, shortest) == expected(letters, strand, number, shortest)


def test_codons_across_blocks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = "GATG" + "GCA" * 9 + "TAA" + "CCATGCATTTAG" * 3
    whole = found(letters, "+", 1, 0), found(letters, "-", 1, 0)
    for size in (1, 2, 3, 7):
        monkeypatch.setattr(open_frames, "_BLOCK", size)
        assert (found(letters, "+", 1, 0), found(letters, "-", 1, 0)) == whole


def test_positions_of_the_reverse_strand_count_from_the_other_end() -> None:
    frames = open_frames.find(array("CCTTAGGCCAT"), "-", code_of(1), 9)
    index = frames.ends.tolist().index(9)
    start, end = frames.forward(frames.starts[[frames.first_starts[index]]], frames.ends[[index]])
    assert (start.tolist(), end.tolist()) == ([2], [11])
