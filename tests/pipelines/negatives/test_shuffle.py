from __future__ import annotations

import numpy as np
import pytest

from pipelines.genome import intervals
from pipelines.negatives import shuffle
from pipelines.splits.blocks import Blocks


@pytest.mark.parametrize(
    ("placed", "length", "message"),
    [
        ([[5, 15]], 10, "excluded"),
        ([[95, 105]], 10, "left the chromosome"),
        ([[-1, 9]], 10, "left the chromosome"),
        ([[30, 41]], 10, "changed a length"),
        ([[30, 40], [39, 49]], 10, "over another"),
    ],
)
def test_verify_catches_what_bedtools_must_not_do(placed: list[list[int]], length: int, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        shuffle.verify(np.array(placed), np.full(len(placed), length), np.array([[14, 20]]), 100)


def test_later_intervals_keep_clear_of_earlier_ones() -> None:
    shuffler = shuffle.IntervalShuffler(intervals.empty(), Blocks.whole(1000), ("test",))
    placed_bounds = np.concatenate([shuffler.place(np.full(3, 100), np.zeros(3, np.int64)) for _ in range(3)])
    placed = placed_bounds[placed_bounds[:, 0] >= 0]
    assert np.diff(intervals.merge(placed), axis=1).sum() == 100 * len(placed)


def test_an_interval_that_does_not_fit_is_shortened_until_it_does() -> None:
    excluded = np.array([[start, start + 900] for start in range(0, 10_000, 1000)])
    shuffler = shuffle.IntervalShuffler(excluded, Blocks.whole(10_000), ("test",))
    placed, lengths = shuffler.place_shortened(np.array([500, 400]), np.zeros(2, np.int64))
    assert (np.diff(placed, axis=1)[:, 0] == lengths).all()
    assert (lengths <= 100).all()


def test_an_interval_lies_in_the_blocks_of_its_split() -> None:
    blocks = Blocks(np.array([2_000, 3_000, 10_000]), ("train", "test", "train"))
    splits = np.arange(30) % 2
    shuffler = shuffle.IntervalShuffler(np.array([[2_500, 2_600]]), blocks, ("test",))
    placed = shuffler.place(np.full(30, 20), splits)
    in_test = (placed[:, 0] >= 2_000) & (placed[:, 1] <= 3_000)
    assert (placed[:, 0] >= 0).all()
    assert (in_test == (splits == 1)).all()


def test_many_small_blocks_are_used_to_their_ends_and_never_left() -> None:
    ends = np.arange(1, 201) * 50
    blocks = Blocks(ends, ("train", "test") * 100)
    excluded = np.array([[start, start + 25] for start in range(0, 10_000, 100)])
    splits = np.repeat([0, 1], [60, 90])
    bounds = shuffle.IntervalShuffler(excluded, blocks, ("test",)).place(np.repeat([25, 50], [60, 90]), splits)
    placed = bounds[:, 0] >= 0
    assert placed.sum() > 100
    assert (bounds[placed & (splits == 0), 0] % 100 == 25).all()
    assert (bounds[placed & (splits == 1), 0] % 100 == 50).all()
    assert len(np.unique(bounds[placed, 0])) == placed.sum()


def test_a_matched_interval_lies_in_the_blocks_of_its_split() -> None:
    blocks = Blocks(np.array([2_000, 3_000, 10_000]), ("train", "test", "train"))
    splits = np.arange(30) % 2
    shuffler = shuffle.IntervalShuffler(intervals.empty(), blocks, ("test",))

    def shares(bounds: np.ndarray) -> np.ndarray:
        return (bounds[:, :1] % 100) / 100

    bounds = shuffler.place_matched(np.full(30, 20), splits, np.full((30, 1), 0.5), shares, 50, 0.2)
    good = bounds[:, 0] >= 0
    assert good.sum() > 20
    assert (((bounds[:, 0] >= 2_000) & (bounds[:, 1] <= 3_000)) == (splits == 1))[good].all()
    assert (np.abs(shares(bounds[good]) - 0.5) <= 0.2).all()


def test_an_interval_in_the_blocks_of_another_split_is_refused() -> None:
    blocks = Blocks(np.array([2_000, 3_000]), ("train", "test"))
    shuffler = shuffle.IntervalShuffler(intervals.empty(), blocks, ("test",))
    with pytest.raises(AssertionError, match="outside the blocks of its split"):
        shuffler._accept(np.array([[1_990, 2_010]]), np.array([20]), np.array([0]))


@pytest.mark.parametrize(("length", "expected"), [(36, 30), (35, None)])
def test_an_interval_is_shortened_to_30_bases_and_no_further(length: int, expected: int | None) -> None:
    excluded = np.array([[0, 35], [65, 100]])
    shuffler = shuffle.IntervalShuffler(excluded, Blocks.whole(100), ("test",))
    placed, lengths = shuffler.place_shortened(np.array([length]), np.zeros(1, np.int64))
    if expected is None:
        assert placed.tolist() == [[-1, -1]]
    else:
        assert placed.tolist() == [[35, 65]]
        assert lengths.tolist() == [expected]


def test_every_run_draws_with_a_seed_of_its_own() -> None:
    shuffler = shuffle.IntervalShuffler(intervals.empty(), Blocks.whole(1_000_000), ("test",))
    first, second = (shuffler.place(np.full(5, 10), np.zeros(5, np.int64)) for _ in range(2))
    assert (first != second).all()
