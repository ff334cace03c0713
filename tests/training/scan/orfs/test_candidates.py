from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.gene_models import genetic_code
from pipelines.genome import sequence
from training.scan.grid import Grid
from training.scan.orfs import candidates
from training.scan.orfs.candidates import Along, Candidates
from training.scan.orfs.settings import FrameSettings
from training.scan.scores import NO_SCORE

GRID = Grid(40, 10)


def array(letters: str) -> np.ndarray:
    return np.frombuffer(letters.encode(), np.uint8)


def find(letters: str, plus: list[int], settings: FrameSettings) -> Candidates:
    """The candidates of a sequence with these scores of its bins, in hundredths, on +; on - all are 0."""
    bins = GRID.bins(len(letters))
    scores = np.zeros((2, bins), np.uint16)
    scores[0, : len(plus)] = np.array(plus[:bins]) * 100
    return candidates.find(array(letters), scores, GRID, settings)


def spans(found: Candidates) -> list[tuple[int, int, str, bool, bool, int]]:
    columns = (found.starts, found.ends, found.is_reverse, found.is_cut_start, found.is_cut_stop, found.phases)
    return [
        (start, end, "-" if reverse else "+", cut_start, cut_stop, phase)
        for start, end, reverse, cut_start, cut_stop, phase in zip(*(one.tolist() for one in columns), strict=True)
    ]


GENE = "TAATTAACTAG" + "ATG" + "GCC" * 20 + "ATG" + "GCC" * 20 + "TAA" + "CTAACTAACTA"


def test_a_frame_is_read_from_its_first_start_codon() -> None:
    found = spans(find(GENE, [100] * 20, FrameSettings(shortest=60)))
    assert (11, 140, "+", False, False, 0) in found


def test_it_is_read_from_a_later_one_where_the_scores_say_so_clearly() -> None:
    silent = [0] * 8
    assert (74, 140, "+", False, False, 0) in spans(
        find(GENE, silent + [100] * 12, FrameSettings(shortest=60, start_margin=10))
    )
    assert (11, 140, "+", False, False, 0) in spans(
        find(GENE, silent + [100] * 12, FrameSettings(shortest=60, start_margin=30))
    )


def test_a_frame_that_the_end_of_the_sequence_cuts_is_read_from_there_if_the_scores_are_high() -> None:
    letters = "CC" + "GCC" * 20 + "ATG" + "GCC" * 20 + "TAA"
    high = find(letters, [100] * 20, FrameSettings(shortest=60))
    assert (0, 128, "+", True, False, 2) in spans(high)
    low = find(letters, [0] * 20, FrameSettings(shortest=60))
    assert (62, 128, "+", False, False, 0) in spans(low)


def test_a_frame_without_a_stop_reaches_to_a_gap() -> None:
    letters = "TAGATG" + "GCC" * 20 + "GC" + "N" * 10 + "ACGT"
    assert (3, 68, "+", False, True, 0) in spans(find(letters, [100] * 9, FrameSettings(shortest=60)))


def test_both_strands_give_the_same_frames_of_a_sequence_and_its_reverse_complement() -> None:
    generator = np.random.default_rng(1)
    letters = generator.choice(np.frombuffer(b"ACGT", np.uint8), 3_000)
    scores = generator.integers(0, 10_000, (2, 300)).astype(np.uint16)
    settings = FrameSettings(shortest=30)
    found = candidates.find(letters, scores, GRID, settings)
    turned = candidates.find(sequence.reverse_complement(letters), scores[::-1, ::-1], GRID, settings)
    length = len(letters)
    assert len(found.starts) > 40
    assert {span[:3] for span in spans(found)} == {
        (length - end, length - start, "+" if strand == "-" else "-") for start, end, strand, *_ in spans(turned)
    }


@given(st.lists(st.one_of(st.integers(0, 100), st.just(None)), min_size=1, max_size=8), st.integers(1, 10), st.data())
def test_means_are_those_of_the_scores_of_all_bases(bins: list[int | None], last: int, data: st.DataObject) -> None:
    length = 10 * (len(bins) - 1) + last
    scores = np.array([int(NO_SCORE) if score is None else score * 100 for score in bins], np.uint16)
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    of_bases = [(bins[base // 10] or 0) / 100 for base in range(start, end)]
    mean = Along(scores, length, GRID).means(np.array([start]), np.array([end]))
    assert mean[0] == pytest.approx(sum(of_bases) / len(of_bases), abs=1e-9)


def test_chance_stops_follow_from_the_bases_and_the_code() -> None:
    even, code = array("ACGT" * 100), genetic_code.genetic_code
    assert candidates.expected_stop_share(even, code(1)) == pytest.approx(3 / 64)
    assert candidates.expected_stop_share(even, code(4)) == pytest.approx(2 / 64)
    rich = candidates.expected_stop_share(array("GC" * 500), code(1))
    assert 0 < rich < 1e-6
    assert math.isfinite(FrameSettings().weights.scores(np.ones(1), np.array([rich * 0]))[0])
