from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.splits import kmer_pairs, sketch, sketch_files
from tests.pipelines.splits import sketched

INTERVALS = 8
# Hash and interval of samples; an interval may have a k-mer several times.
some_samples = st.lists(st.tuples(st.integers(0, 5), st.integers(0, INTERVALS - 1)), max_size=40)
some_parts = st.lists(st.sampled_from([0, 1, 2]), min_size=INTERVALS, max_size=INTERVALS)


def shared(
    pairs: list[tuple[int, int]], most: int, parts: list[int] | None = None, partners: int = INTERVALS
) -> dict[tuple[int, int], int]:
    """Every pair to the k-mers that it shares, by `kmer_pairs`."""
    samples = np.array(sorted(pairs), sketch_files.SAMPLE)
    different = Counter(row for _, row in set(pairs))
    sizes = np.array([different[row] for row in range(INTERVALS)], np.int32)
    roles = None if parts is None else np.array(parts, np.int8)
    pieces: list[Any] = [np.empty(0, kmer_pairs.PAIR), *kmer_pairs.shared(samples, sizes, most, partners, roles)]
    total = kmer_pairs.total(np.concatenate(pieces))
    first, second = kmer_pairs.rows_of(total["pair"])
    return dict(zip(zip(first.tolist(), second.tolist(), strict=True), total["kmers"].tolist(), strict=True))


def expected(pairs: list[tuple[int, int]], most: int, parts: list[int] | None = None) -> dict[tuple[int, int], int]:
    """The same by a loop over k-mers."""
    counts: Counter[tuple[int, int]] = Counter()
    for kmer in {kmer for kmer, _ in pairs}:
        rows = [row for other, row in pairs if other == kmer]
        if len(rows) > most:
            continue
        for first, second in itertools.permutations(sorted(set(rows)), 2):
            wanted = first < second if parts is None else parts[first] == 1 and parts[second] == 2
            counts[first, second] += wanted
    return dict(+counts)


@given(some_samples, st.integers(1, 12))
def test_shared_k_mers_equal_a_loop_over_all_pairs(pairs: list[tuple[int, int]], most: int) -> None:
    assert shared(pairs, most) == expected(pairs, most)


@given(some_samples, st.integers(1, 12), some_parts)
def test_between_intervals_to_evaluate_and_others_too(
    pairs: list[tuple[int, int]], most: int, parts: list[int]
) -> None:
    assert shared(pairs, most, parts) == expected(pairs, most, parts)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, INTERVALS - 1)), max_size=80),
    st.integers(1, 6),
    some_parts,
    st.integers(1, 3),
    st.integers(1, INTERVALS),
)
def test_samples_of_intervals_to_evaluate_give_the_pairs_of_all_samples(
    pairs: list[tuple[int, int]], most: int, parts: list[int], ranges: int, partners: int
) -> None:
    hashes, rows = (np.array([pair[key] for pair in pairs], np.uint64) for key in (0, 1))
    roles = np.array(parts, np.int8)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        # Cells so few that some hold other k-mers too.
        patch.setattr(sketch_files, "_CELL_BITS", 3)
        files = sketched.write_sketches(Path(folder), sketch.Sketches(hashes, rows.astype(np.int64)), tasks=2)
        sizes = files.sizes(INTERVALS)
        for number in range(ranges):
            results = []
            for of in (None, roles == kmer_pairs.EVALUATED):
                samples = files.part(number, ranges, of)
                results.append([piece.tolist() for piece in kmer_pairs.shared(samples, sizes, most, partners, roles)])
            assert results[0] == results[1]


def test_the_result_does_not_depend_on_how_many_pairs_are_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [(kmer, row) for kmer in range(4) for row in range(INTERVALS)]
    at_once = shared(pairs, 99)
    monkeypatch.setattr(kmer_pairs, "MAX_PAIRS", 3)
    assert shared(pairs, 99) == at_once == dict.fromkeys(itertools.combinations(range(INTERVALS), 2), 4)


def test_many_intervals_with_a_k_mer_are_paired_with_the_largest_alone() -> None:
    # Interval 5 has most k-mers; k-mer 0 is in all, k-mer 1 in three.
    pairs = [(0, row) for row in range(INTERVALS)] + [(1, 1), (1, 5), (1, 6), (2, 5)]
    assert shared(pairs, 99, partners=1) == {
        **{(row, 5): 1 for row in range(5)}, **{(5, row): 1 for row in range(6, INTERVALS)}, (1, 5): 2, (5, 6): 2,
    }  # fmt: skip
    # Of the others, intervals 2 and 6 have most; of equals the first is taken.
    parts = [1, 1, 2, 2, 0, 1, 2, 1]
    pairs.append((3, 2))
    assert shared(pairs, 99, parts, partners=1) == {(0, 2): 1, (1, 2): 1, (5, 2): 1, (7, 2): 1, (1, 6): 1, (5, 6): 1}
    assert len(shared(pairs, 99, parts, partners=2)) == 8


@given(some_samples, st.integers(1, 3))
def test_each_sample_makes_a_bounded_number_of_pairs(pairs: list[tuple[int, int]], partners: int) -> None:
    assert sum(shared(pairs, 99, partners=partners).values()) <= partners * len(pairs)
