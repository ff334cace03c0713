from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dataset import TokenDataset
from training import feed as feeding
from training.feed import Feed, Step, feed
from training.steps import plan_epoch

CPU = torch.device("cpu")


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4), st.integers(1, 70), st.integers(1, 3000), st.integers(0, 5))
def test_every_row_once_and_equal_steps_for_every_worker(
    train_split: TokenDataset, workers: int, batch: int, budget: int, epoch: int
) -> None:
    steps = plan_epoch(train_split.lengths, batch, 0, epoch)
    seen: list[torch.Tensor] = []
    for rank in range(workers):
        with feed(train_split, enumerate(steps), budget, workers, rank, CPU) as batches:
            found = list(batches)
        assert [step.number for step in found] == list(range(len(steps)))
        assert [step.rows for step in found] == [len(rows) for rows in steps]
        parts = [part for step in found for part in step.parts]
        assert all(part.longest * len(part.counts) <= budget or len(part.counts) == 1 for part in parts)
        seen += [tokens for part in parts for tokens in part.tokens.split(part.counts.tolist())]
    expected = sorted(train_split[row][0].tolist() for row in range(len(train_split)))
    assert sorted(tokens.tolist() for tokens in seen) == expected


def test_what_goes_wrong_while_batches_are_made_reaches_the_loop() -> None:
    def broken() -> object:
        yield Step(0, 1, [])
        raise ValueError("no such row")

    made = Feed(broken())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no such row"):
        list(made)


def test_leaving_early_ends_the_thread(train_split: TokenDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "AHEAD", 1)
    before = threading.active_count()
    steps = plan_epoch(train_split.lengths, 1, 0, 0)
    with feed(train_split, enumerate(steps), 100, 1, 0, CPU) as batches:
        next(iter(batches))
    assert threading.active_count() == before


def test_waiting_is_counted() -> None:
    def slow() -> object:
        time.sleep(0.05)
        yield Step(0, 1, [])

    made = Feed(slow())  # type: ignore[arg-type]
    list(made)
    assert made.waited >= 0.04
    assert np.isfinite(made.waited)
