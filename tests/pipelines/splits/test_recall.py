"""Pairs of 512 bases in the sketches of a large dataset: which are joined, counted as leakage, or kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipelines.genome import sequence
from pipelines.splits import families, leakage, sketch, sketch_files
from pipelines.splits.leakage import Leakage
from pipelines.splits.sketch_files import SketchFiles

PAIRS, UNRELATED, COPIES = 1_000, 4_000, 2_000
BASES = np.frombuffer(b"ACGT", np.uint8)


@dataclass(frozen=True)
class Planted:
    """Sketches of identical pairs, 95 % identical pairs, unrelated intervals and copies of a repeat, in that order."""

    files: SketchFiles
    intervals: int

    def first(self, kind: int) -> slice:
        """The first intervals of the pairs of a kind."""
        return slice(2 * PAIRS * kind, 2 * PAIRS * kind + PAIRS)


def mutated(generator: np.random.Generator, letters: np.ndarray, exchanged: int) -> np.ndarray:
    places = np.argsort(generator.random(letters.shape), axis=1)[:, :exchanged]
    rows, codes = np.arange(len(letters))[:, None], sequence.base_codes(letters.reshape(-1)).reshape(letters.shape)
    codes[rows, places] = (codes[rows, places] + generator.integers(1, 4, places.shape)) % 4
    return BASES[codes]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    generator = np.random.default_rng(0)
    first = generator.choice(BASES, (2 * PAIRS, 512))
    second = np.concatenate([first[:PAIRS], mutated(generator, first[PAIRS:], 26)])
    second[::2] = [sequence.reverse_complement(letters) for letters in second[::2]]
    rest = generator.choice(BASES, (UNRELATED + COPIES, 512))
    rest[UNRELATED:, 100:400] = mutated(generator, np.tile(generator.choice(BASES, 300), (COPIES, 1)), 15)
    letters = np.concatenate([first[:PAIRS], second[:PAIRS], first[PAIRS:], second[PAIRS:], rest])
    folder = tmp_path_factory.mktemp("sketches")
    codes, lengths = sequence.base_codes(letters.reshape(-1)), np.full(len(letters), 512)
    sketch_files.write(folder, 0, sketch.sketch(codes, lengths, np.arange(len(letters)), sketch.MAX_SPACING))
    return Planted(SketchFiles(folder, 1), len(letters))


def test_families_join_pairs_and_little_else(planted: Planted, tmp_path: Path) -> None:
    family = families.similar_groups(planted.files, tmp_path / "work", planted.intervals, 1, 0.9)
    identical, alike = (family[: 2 * PAIRS].reshape(2, PAIRS), family[2 * PAIRS : 4 * PAIRS].reshape(2, PAIRS))
    assert (identical[0] == identical[1]).mean() == 1
    assert (alike[0] == alike[1]).mean() >= 0.99
    sizes = np.bincount(family)
    pairs = (sizes * (sizes - 1) // 2).sum() - 2 * PAIRS
    assert pairs / (planted.intervals * (planted.intervals - 1) / 2) < 0.0001
    assert (sizes[family[4 * PAIRS : 4 * PAIRS + UNRELATED]] == 1).all()


@pytest.mark.parametrize(("kind", "least"), [(0, 1.0), (1, 0.99)])
def test_leakage_counts_the_same_pairs(planted: Planted, tmp_path: Path, kind: int, least: float) -> None:
    is_test = np.zeros(planted.intervals, np.bool_)
    is_test[planted.first(kind)] = True
    found = leakage.measure(planted.files, tmp_path / "work", is_test, ~is_test, 1)
    assert found.similar >= least * PAIRS
    assert (found.near == PAIRS) is (kind == 0)


def test_unrelated_intervals_are_no_leakage(planted: Planted, tmp_path: Path) -> None:
    is_test = np.arange(planted.intervals) >= 4 * PAIRS + UNRELATED // 2
    is_test[4 * PAIRS + UNRELATED :] = False
    found = leakage.measure(planted.files, tmp_path / "work", is_test, ~is_test, 1)
    assert found == Leakage(UNRELATED // 2, 0, 0)
