from __future__ import annotations

import numpy as np
import pytest

from tests.training.structure.synthetic import windows
from training.structure.augmentation import Augmentation
from training.structure.windows import Windows


@pytest.fixture(scope="module")
def source() -> Windows:
    return windows([[30] * 400 + [7], [30], [30, 30, 30]])


def draw(source: Windows, seed: int = 1, epoch: int = 0) -> Augmentation:
    return Augmentation.draw(source, seed, epoch, shift=True, reverse_complement=True)


def test_windows_are_moved_by_at_most_half_their_length_and_within_their_stretch(source: Windows) -> None:
    shifts = draw(source).shifts
    lengths = np.diff(source.offsets)
    assert (abs(shifts) <= lengths // 2).all()
    assert (source.offsets[:-1] + shifts >= source.stretches[:, 0]).all()
    assert (source.offsets[1:] + shifts <= source.stretches[:, 1]).all()
    assert shifts[401] == 0
    assert set(range(-15, 16)) == set(shifts[1:399].tolist())


def test_half_of_the_windows_are_turned(source: Windows) -> None:
    assert 0.4 < draw(source).turned.mean() < 0.6


def test_draws_depend_on_seed_and_epoch(source: Windows) -> None:
    first = draw(source)
    assert np.array_equal(first.shifts, draw(source).shifts)
    assert np.array_equal(first.turned, draw(source).turned)
    for other in (draw(source, seed=2), draw(source, epoch=1)):
        assert not np.array_equal(first.shifts, other.shifts)
        assert not np.array_equal(first.turned, other.turned)


def test_the_shifts_are_the_same_with_and_without_turning(source: Windows) -> None:
    alone = Augmentation.draw(source, 1, 0, shift=True, reverse_complement=False)
    assert np.array_equal(alone.shifts, draw(source).shifts)
    assert not alone.turned.any()


def test_nothing_is_drawn_where_nothing_is_wanted(source: Windows) -> None:
    neither = Augmentation.draw(source, 1, 0, shift=False, reverse_complement=False)
    assert not neither.shifts.any()
    assert not neither.turned.any()
