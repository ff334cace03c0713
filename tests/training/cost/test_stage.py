from __future__ import annotations

from training.cost.amount import NOTHING, Amount
from training.cost.stage import Stage, moments


def mapped(size: float) -> Amount:
    return Amount(mapped=size)


STAGES = [
    Stage("first", weights=1, kept=mapped(10), held=mapped(100), forward=mapped(1), backward=mapped(2)),
    Stage("second", weights=3, kept=mapped(20), forward=mapped(5), backward=mapped(7)),
]
GRADIENTS = [mapped(1), mapped(3)]


def totals(*, several: bool) -> list[float]:
    return [moment.amount.total for moment in moments(STAGES, GRADIENTS, several=several)]


def test_what_is_kept_adds_up_forward_and_goes_backward() -> None:
    assert totals(several=False) == [10 + 100 + 1, 30 + 100 + 5, 30 + 7 + 3, 10 + 2 + 4]


def test_gradients_of_an_earlier_batch_are_there_all_the_time() -> None:
    assert totals(several=True) == [4 + 111, 4 + 135, 4 + 37 + 3, 4 + 12 + 1]


def test_nothing_is_the_neutral_amount() -> None:
    assert Amount(1, 2) + NOTHING == Amount(1, 2)
