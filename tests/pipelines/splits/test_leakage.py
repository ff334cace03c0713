from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipelines.splits import leakage, similar
from pipelines.splits.leakage import Leakage
from tests.pipelines.splits import sketched
from tests.pipelines.splits.sketched import mutated, random_text, reverse


def measured(folder: Path, text: str, others: Sequence[str], genomes: int = 1) -> Leakage:
    """The leakage of one sequence to evaluate, the first, in others."""
    files = sketched.write(folder / "sketches", [text, *others])
    is_evaluated = np.arange(len(others) + 1) == 0
    return leakage.measure(files, folder / "work", is_evaluated, ~is_evaluated, genomes)


@pytest.mark.parametrize(
    ("copy", "near", "alike"),
    [
        (lambda text: text, 1, 1),
        (lambda text: reverse(text), 1, 1),
        (lambda text: random_text(99) + text[20:] + random_text(98), 1, 1),
        (lambda text: mutated(text, 100), 1, 1),
        (lambda text: mutated(text, 30), 0, 1),
        (lambda text: mutated(text, 10), 0, 0),
        (lambda text: text[:90] + random_text(97, 210), 0, 1),
        (lambda text: random_text(96), 0, 0),
    ],
    ids=["itself", "other strand", "in a longer one", "99 %", "97 %", "90 %, evenly", "a third", "unrelated"],
)
def test_near_duplicates_and_similar_intervals_are_found_and_others_are_not(
    tmp_path: Path, copy: Callable[[str], str], near: int, alike: int
) -> None:
    others = [random_text(5), copy(random_text(1)), random_text(6)]
    assert measured(tmp_path, random_text(1), others) == Leakage(1, near, alike)


def test_pieces_in_several_intervals_make_no_near_duplicate(tmp_path: Path) -> None:
    text = random_text(1)
    assert measured(tmp_path, text, [text[first : first + 100] for first in range(0, 300, 100)]).near == 0


@pytest.mark.parametrize(("genomes", "copies", "near"), [(1, 0, 1), (1, 1, 0), (2, 1, 1)])
def test_k_mers_that_occur_too_often_in_each_genome_do_not_count_as_shared(
    tmp_path: Path, genomes: int, copies: int, near: int
) -> None:
    text = random_text(1, 60)
    others = [text] * (similar.MAX_OCCURRENCES - 1 + copies)
    assert measured(tmp_path, text, others, genomes).near == near


def test_intervals_without_a_sample_are_not_evaluated(tmp_path: Path) -> None:
    assert measured(tmp_path, "ACGT", [random_text(1)]) == Leakage(0, 0, 0)


def test_intervals_of_another_split_are_neither(tmp_path: Path) -> None:
    files = sketched.write(tmp_path / "sketches", [random_text(1)] * 2 + [random_text(2)])
    is_evaluated, is_other = np.array([True, False, False]), np.array([False, False, True])
    assert leakage.measure(files, tmp_path / "work", is_evaluated, is_other, 1) == Leakage(1, 0, 0)
