from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import fingerprint
from training.data.shuffle import COMPILED_FROM
from training.data.step_plan import WINDOW, micro_batches, plan_epoch, scoring_batches, share

LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=300).map(lambda lengths: np.array(lengths, dtype=np.int64))


def obvious_plan(lengths: np.ndarray, batch: int, seed: int, epoch: int) -> list[list[int]]:
    """The plan as a loop over windows of rows: runs begun by earlier versions resume in this order."""
    generator = np.random.default_rng(fingerprint.seed(seed, "epoch", epoch))
    order = generator.permutation(len(lengths))
    steps: list[list[int]] = []
    for first in range(0, len(order), batch * WINDOW):
        window = order[first : first + batch * WINDOW]
        window = window[np.argsort(-lengths[window], kind="stable")]
        steps += [window[start : start + batch].tolist() for start in range(0, len(window), batch)]
    return [steps[number] for number in generator.permutation(len(steps))]


@given(LENGTHS, st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_a_plan_is_that_of_the_obvious_loop(lengths: np.ndarray, batch: int, seed: int, epoch: int) -> None:
    assert [step.tolist() for step in plan_epoch(lengths, batch, seed, epoch)] == obvious_plan(
        lengths, batch, seed, epoch
    )


@pytest.mark.parametrize("batch", [pytest.param(1, marks=pytest.mark.full), 100])
def test_a_plan_of_a_million_rows_is_that_of_the_obvious_loop(batch: int) -> None:
    lengths = np.random.default_rng(0).integers(1, 100_000, COMPILED_FROM + 12_345)
    plan = plan_epoch(lengths, batch, 3, 1)
    expected = obvious_plan(lengths, batch, 3, 1)
    assert np.array_equal(np.concatenate(list(plan)), np.concatenate(expected))
    assert [len(step) for step in plan] == [len(step) for step in expected]


@given(LENGTHS, st.integers(1, 40), st.data())
def test_the_remaining_steps_are_those_after_the_first_ones(
    lengths: np.ndarray, batch: int, data: st.DataObject
) -> None:
    plan = plan_epoch(lengths, batch, seed=0, epoch=0)
    start = data.draw(st.integers(0, len(plan)))
    everything = [(number, step.tolist()) for number, step in enumerate(plan)]
    assert [(number, step.tolist()) for number, step in plan.remaining(start)] == everything[start:]


@given(LENGTHS, st.integers(1, 40), st.integers(1, 4), st.integers(1, 2000), st.integers(0, 5))
def test_every_row_is_trained_on_exactly_once_an_epoch(
    lengths: np.ndarray, batch: int, workers: int, budget: int, epoch: int
) -> None:
    trained_rows = [
        row
        for step in plan_epoch(lengths, batch, seed=7, epoch=epoch)
        for rank in range(workers)
        for part in micro_batches(share(step, workers, rank), lengths, budget)
        for row in part.tolist()
    ]
    assert sorted(trained_rows) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 40), st.integers(1, 4), st.integers(1, 2000))
def test_a_micro_batch_stays_within_the_token_budget_unless_it_is_one_row(
    lengths: np.ndarray, batch: int, workers: int, budget: int
) -> None:
    for step in plan_epoch(lengths, batch, seed=0, epoch=0):
        for rank in range(workers):
            for part in micro_batches(share(step, workers, rank), lengths, budget):
                assert len(part) == 1 or lengths[part].max() * len(part) <= budget


@given(LENGTHS, st.integers(1, 40))
def test_a_step_has_the_batch_size_but_for_one_remainder(lengths: np.ndarray, batch: int) -> None:
    sizes = sorted(len(step) for step in plan_epoch(lengths, batch, seed=0, epoch=0))
    assert all(size == batch for size in sizes[1:])
    assert 0 < sizes[0] <= batch


@given(LENGTHS, st.integers(1, 2000))
def test_scoring_batches_hold_every_row_once_within_the_budget(lengths: np.ndarray, budget: int) -> None:
    batches = scoring_batches(lengths, budget)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(len(part) == 1 or lengths[part].max() * len(part) <= budget for part in batches)


def test_epochs_and_seeds_differ_and_the_same_ones_repeat() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 500)

    def flat(seed: int, epoch: int) -> list[int]:
        return np.concatenate(list(plan_epoch(lengths, 16, seed, epoch))).tolist()

    assert flat(0, 0) == flat(0, 0)
    assert flat(0, 0) != flat(0, 1)
    assert flat(0, 0) != flat(1, 0)


def test_steps_of_like_lengths_waste_little_on_padding() -> None:
    lengths = np.random.default_rng(0).integers(20, 2000, 8000)
    steps = plan_epoch(lengths, 32, seed=0, epoch=0)
    padded = sum(int(lengths[step].max()) * len(step) for step in steps)
    assert lengths.sum() / padded > 0.95


def test_workers_get_shares_of_nearly_equal_tokens() -> None:
    lengths = np.random.default_rng(0).integers(20, 2000, 8000)
    for step in plan_epoch(lengths, 64, seed=0, epoch=0):
        tokens = [int(lengths[share(step, 4, rank)].sum()) for rank in range(4)]
        assert max(tokens) - min(tokens) <= lengths[step].max()
