"""Sketches against sourmash's FracMinHash: other hashes and another sample, the same estimates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.genome import sequence
from pipelines.splits import leakage, sketch
from tests.pipelines.splits import sketched

pytestmark = pytest.mark.full

BASES = np.frombuffer(b"ACGT", np.uint8)
SOURMASH = """
    import json, sys
    import sourmash

    request = json.load(sys.stdin)

    def sketch(text):
        hashes = sourmash.MinHash(n=0, ksize=request["k"], scaled=request["scaled"])
        hashes.add_sequence(text, force=True)
        return hashes

    sketches = [sketch(text) for text in request["sequences"]]
    pairs = [(sketches[first], sketches[second]) for first, second in request["pairs"]]
    json.dump({
        "sizes": [len(hashes) for hashes in sketches],
        "containment": [first.contained_by(second) for first, second in pairs],
        "jaccard": [first.jaccard(second) for first, second in pairs],
    }, sys.stdout)
"""


def random_sequence(length: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(BASES, length)


def mutated(letters: np.ndarray, rate: float, seed: int) -> np.ndarray:
    """The sequence with a share of its bases exchanged for others."""
    generator = np.random.default_rng(seed)
    is_changed = generator.random(len(letters)) < rate
    codes = sequence.base_codes(letters)
    codes[is_changed] = (codes[is_changed] + generator.integers(1, 4, is_changed.sum())) % 4
    return BASES[codes]


def hashes_of(letters: np.ndarray, one_in: int) -> set[int]:
    sketches = sketch.sketch(sequence.base_codes(letters), np.array([len(letters)]), np.array([0]), one_in)
    return set(sketches.hashes.tolist())


def sourmash(
    run: Callable[..., Any], sequences: list[np.ndarray], pairs: list[tuple[int, int]], scaled: int
) -> dict[str, list[float]]:
    texts = [letters.tobytes().decode() for letters in sequences]
    return run(SOURMASH, {"k": sketch.K, "scaled": scaled, "sequences": texts, "pairs": pairs}, "sourmash")


def test_containment_and_similarity_agree_within_the_error_of_sampling(
    run_in_full_environment: Callable[..., Any],
) -> None:
    rates, one_in = (0.0, 0.005, 0.01, 0.03, 0.1), 20
    original = random_sequence(300_000, 0)
    sequences = [original, *(mutated(original, rate, seed) for seed, rate in enumerate(rates, 1))]
    pairs = [(0, number) for number in range(1, len(sequences))]
    reference = sourmash(run_in_full_environment, sequences, pairs, one_in)
    own = [hashes_of(letters, one_in) for letters in sequences]
    # A binomial error of 15,000 samples, six-fold, for neighbouring k-mers are lost together.
    tolerance = 6 * 0.5 / np.sqrt(300_000 / one_in)
    for number, (first, second) in enumerate(pairs):
        shared = len(own[first] & own[second])
        assert shared / len(own[first]) == pytest.approx(reference["containment"][number], abs=tolerance)
        assert shared / len(own[first] | own[second]) == pytest.approx(reference["jaccard"][number], abs=tolerance)
    for hashes, size in zip(own, reference["sizes"], strict=True):
        assert len(hashes) == pytest.approx(size, rel=0.05)


def test_reverse_complements_and_unknown_bases_are_treated_alike(run_in_full_environment: Callable[..., Any]) -> None:
    letters = random_sequence(100_000, 0)
    gapped = letters.copy()
    gapped[::200] = ord("N")
    sequences = [letters, sequence.reverse_complement(letters), gapped]
    reference = sourmash(run_in_full_environment, sequences, [(0, 1), (0, 2)], 10)
    forward, reverse, with_gaps = (hashes_of(bases, 10) for bases in sequences)
    assert forward == reverse
    assert reference["containment"][0] == 1
    assert len(forward & with_gaps) / len(forward) == pytest.approx(reference["containment"][1], abs=0.03)


def test_near_duplicates_are_those_that_share_half_of_all_their_k_mers(
    run_in_full_environment: Callable[..., Any], tmp_path: Path
) -> None:
    rates = np.linspace(0.005, 0.08, 60)
    train = [random_sequence(3_000, seed) for seed in range(len(rates))]
    test = [mutated(letters, rate, seed) for seed, (letters, rate) in enumerate(zip(train, rates, strict=True))]
    pairs = [(len(train) + number, number) for number in range(len(train))]
    containment = np.array(sourmash(run_in_full_environment, [*train, *test], pairs, 1)["containment"])
    lengths, rows = np.full(2 * len(rates), 3_000), np.arange(2 * len(rates))
    codes = sequence.base_codes(np.concatenate([*train, *test]))
    files = sketched.write_sketches(tmp_path / "sketches", sketch.sketch(codes, lengths, rows, 2))
    is_near = np.zeros(len(rates), bool)
    for row in range(len(rates)):
        found = leakage.measure(files, tmp_path / "work", rows == len(rates) + row, rows < len(rates), 1)
        is_near[row] = found.near == 1
    assert is_near[containment > leakage.NEAR + 0.1].all()
    assert not is_near[containment < leakage.NEAR - 0.1].any()
    assert 10 < is_near.sum() < 50
