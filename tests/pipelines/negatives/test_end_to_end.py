from __future__ import annotations

import numpy as np

from pipelines.negatives.end_to_end import EndToEnd
from pipelines.negatives.shuffle import IntervalShuffler

LENGTHS = np.array([100, 40, 60])


def test_sequences_lie_apart_by_more_than_the_flank() -> None:
    axis = EndToEnd.of(LENGTHS, 5)
    assert axis.offsets.tolist() == [0, 106, 152]
    assert axis.between().tolist() == [[100, 106], [146, 152]]
    assert axis.holding(np.array([0, 99, 106, 145, 152])).tolist() == [0, 0, 1, 1, 2]


def test_letters_across_sequences_have_n_between_them() -> None:
    axis = EndToEnd.of(np.array([4, 3]), 0)
    sequences = [np.frombuffer(b"ACGT", np.uint8), np.frombuffer(b"ttt", np.uint8)]
    letters = axis.letters(lambda number, start, end: sequences[number][start:end], 2, 7)
    assert letters.tobytes() == b"GTNtt"


def test_a_negative_stays_on_its_own_sequence_and_in_its_own_split() -> None:
    axis = EndToEnd.of(LENGTHS, 0)
    numbers, ends = np.array([0, 0, 1, 2]), np.array([30, 100, 40, 60])
    blocks = axis.blocks(numbers, ends, ("test", "train", "", ""))
    splits = np.arange(4).repeat(3)
    shuffler = IntervalShuffler(axis.between(), blocks, ("seed",))
    placed = shuffler.place(np.full(len(splits), 8), splits)
    assert (placed[:, 0] >= 0).all()
    assert blocks.splits_holding(placed).tolist() == splits.tolist()
    assert axis.holding(placed[:, 0]).tolist() == numbers[splits].tolist()


def test_closed_borders_are_those_within_a_sequence() -> None:
    axis = EndToEnd.of(LENGTHS, 0)
    assert axis.closed_borders(np.array([0, 0, 2]), np.array([30, 100, 60])).tolist() == [[29, 31]]
