from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.data.step_plan import micro_batches, plan_epoch, scoring_batches, share

LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=300).map(lambda lengths: np.array(lengths, dtype=np.int64))


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
        return np.concatenate(plan_epoch(lengths, 16, seed, epoch)).tolist()

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
