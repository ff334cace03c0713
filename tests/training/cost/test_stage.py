from __future__ import annotations

from training.cost.amount import NOTHING, Amount
from training.cost.stage import Stage, frozen_below_head, moments


def mapped(size: float) -> Amount:
    return Amount(mapped=size)


STAGES = [
    Stage("first", weights=1, saved=mapped(10), held=mapped(100), forward=mapped(1), backward=mapped(2)),
    Stage("second", weights=3, saved=mapped(20), forward=mapped(5), backward=mapped(7)),
]
GRADIENTS = [mapped(1), mapped(3)]


def totals(*, accumulates: bool) -> list[float]:
    return [moment.amount.total for moment in moments(STAGES, GRADIENTS, accumulates=accumulates)]


def test_saved_memory_adds_up_forward_and_is_released_backward() -> None:
    assert totals(accumulates=False) == [10 + 100 + 1, 30 + 100 + 5, 30 + 7 + 3, 10 + 2 + 4]


def test_gradients_of_an_earlier_batch_exist_during_both_passes() -> None:
    assert totals(accumulates=True) == [4 + 111, 4 + 135, 4 + 37 + 3, 4 + 12 + 1]


def test_what_is_frozen_saves_nothing_and_has_no_backward_pass_and_what_it_reads_still_exists() -> None:
    frozen = frozen_below_head([*STAGES, Stage("head", weights=2, saved=mapped(4), backward=mapped(6))], 1)
    assert [(stage.weights, stage.frozen) for stage in frozen] == [(0, 1), (0, 3), (2, 0)]
    assert [stage.saved.total for stage in frozen] == [0, 0, 4]
    assert [stage.backward.total for stage in frozen] == [0, 0, 6]
    assert [stage.forward.total for stage in frozen] == [10 + 1, 20 + 10 + 5, 0]
    assert frozen[0].held == STAGES[0].held


def test_adding_nothing_changes_no_amount() -> None:
    assert Amount(1, 2) + NOTHING == Amount(1, 2)
