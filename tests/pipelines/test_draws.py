from __future__ import annotations

import numpy as np
import pytest

from pipelines import draws, intervals


@pytest.mark.parametrize(
    ("placed", "length", "message"),
    [
        ([[5, 15]], 10, "excluded"),
        ([[95, 105]], 10, "left the chromosome"),
        ([[30, 41]], 10, "changed a length"),
        ([[30, 40], [39, 49]], 10, "over another"),
    ],
)
def test_verify_catches_what_bedtools_must_not_do(placed: list[list[int]], length: int, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        draws.verify(np.array(placed), np.full(len(placed), length), np.array([[14, 20]]), 100)


def test_later_places_keep_clear_of_earlier_ones() -> None:
    one = draws.Draws(intervals.empty(), 1000, ("test",))
    spots = np.concatenate([one.place(np.full(3, 100)) for _ in range(3)])
    placed = spots[spots[:, 0] >= 0]
    assert np.diff(intervals.merge(placed), axis=1).sum() == 100 * len(placed)


def test_what_finds_no_room_is_cut_until_it_does() -> None:
    barred = np.array([[start, start + 900] for start in range(0, 10_000, 1000)])
    spots, lengths = draws.Draws(barred, 10_000, ("test",)).place_shortened(np.array([500, 400]))
    assert (np.diff(spots, axis=1)[:, 0] == lengths).all()
    assert (lengths <= 100).all()
