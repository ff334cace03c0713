from __future__ import annotations

import threading

import numpy as np
import pytest

from training.data import epoch_plans
from training.data.epoch_plans import EpochPlans
from training.data.step_plan import EpochPlan, plan_epoch

LENGTHS = np.random.default_rng(0).integers(1, 100, 500)


def rows(plan: EpochPlan) -> list[list[int]]:
    return [step.tolist() for step in plan]


def test_a_plan_is_that_of_its_epoch_whatever_the_order_of_calls() -> None:
    with EpochPlans(LENGTHS, 16, seed=3, epochs=9) as plans:
        for epoch in (4, 5, 6, 2, 3, 3, 8):
            assert rows(plans.plan(epoch)) == rows(plan_epoch(LENGTHS, 16, 3, epoch))


def test_the_next_epoch_is_planned_before_anybody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    planned: dict[int, threading.Event] = {epoch: threading.Event() for epoch in range(4)}

    def recorded(lengths: np.ndarray, batch: int, seed: int, epoch: int) -> EpochPlan:
        planned[epoch].set()
        return plan_epoch(lengths, batch, seed, epoch)

    monkeypatch.setattr(epoch_plans, "plan_epoch", recorded)
    with EpochPlans(LENGTHS, 16, seed=3, epochs=3) as plans:
        plans.plan(1)
        assert planned[2].wait(timeout=60)
        plans.plan(2)
    assert not planned[3].is_set(), "no epoch follows the last one"


def test_leaving_ends_the_thread() -> None:
    before = threading.active_count()
    with EpochPlans(LENGTHS, 16, seed=3, epochs=9) as plans:
        plans.plan(0)
    assert threading.active_count() == before


def test_an_error_of_planning_is_raised_where_the_plan_is_requested() -> None:
    with EpochPlans(LENGTHS, 0, seed=3, epochs=9) as plans, pytest.raises(ZeroDivisionError):
        plans.plan(0)
