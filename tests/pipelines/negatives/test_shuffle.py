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


def test_later_places_keep_clear_of_earlier_ones() -> None:
    one = shuffle.IntervalShuffler(intervals.empty(), Blocks.whole(1000), ("test",))
    spots = np.concatenate([one.place(np.full(3, 100), np.zeros(3, np.int64)) for _ in range(3)])
    placed = spots[spots[:, 0] >= 0]
    assert np.diff(intervals.merge(placed), axis=1).sum() == 100 * len(placed)


def test_what_finds_no_room_is_cut_until_it_does() -> None:
    barred = np.array([[start, start + 900] for start in range(0, 10_000, 1000)])
    one = shuffle.IntervalShuffler(barred, Blocks.whole(10_000), ("test",))
    spots, lengths = one.place_shortened(np.array([500, 400]), np.zeros(2, np.int64))
    assert (np.diff(spots, axis=1)[:, 0] == lengths).all()
    assert (lengths <= 100).all()


def test_a_place_lies_in_the_blocks_of_its_split() -> None:
    blocks = Blocks(np.array([2_000, 3_000, 10_000]), ("train", "test", "train"))
    within = np.arange(30) % 2
    one = shuffle.IntervalShuffler(np.array([[2_500, 2_600]]), blocks, ("test",))
    spots = one.place(np.full(30, 20), within)
    in_test = (spots[:, 0] >= 2_000) & (spots[:, 1] <= 3_000)
    assert (spots[:, 0] >= 0).all()
    assert (in_test == (within == 1)).all()


def test_many_small_blocks_are_used_to_their_ends_and_never_left() -> None:
    ends = np.arange(1, 201) * 50
    blocks = Blocks(ends, ("train", "test") * 100)
    barred = np.array([[start, start + 25] for start in range(0, 10_000, 100)])
    within = np.repeat([0, 1], [60, 90])
    spots = shuffle.IntervalShuffler(barred, blocks, ("test",)).place(np.repeat([25, 50], [60, 90]), within)
    placed = spots[:, 0] >= 0
    assert placed.sum() > 100
    assert (spots[placed & (within == 0), 0] % 100 == 25).all()
    assert (spots[placed & (within == 1), 0] % 100 == 50).all()
    assert len(np.unique(spots[placed, 0])) == placed.sum()


def test_a_matched_place_lies_in_the_blocks_of_its_split() -> None:
    blocks = Blocks(np.array([2_000, 3_000, 10_000]), ("train", "test", "train"))
    within = np.arange(30) % 2
    one = shuffle.IntervalShuffler(intervals.empty(), blocks, ("test",))

    def shares(spots: np.ndarray) -> np.ndarray:
        return (spots[:, :1] % 100) / 100

    spots = one.place_matched(np.full(30, 20), within, np.full((30, 1), 0.5), shares, 50, 0.2)
    good = spots[:, 0] >= 0
    assert good.sum() > 20
    assert (((spots[:, 0] >= 2_000) & (spots[:, 1] <= 3_000)) == (within == 1))[good].all()
    assert (np.abs(shares(spots[good]) - 0.5) <= 0.2).all()


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
