from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.tokens.tokenizer import Tokenizer
from tests.hypothesis_profiles import examples
from training.data import feed as feeding
from training.data.batch import TokenBatch
from training.data.feed import Feed, Step, feed
from training.data.step_plan import Rows, plan_epoch

CPU = torch.device("cpu")


DATASETS = st.builds(lambda *sizes: dataset_of(*sizes), st.integers(1, 200), st.integers(1, 900), st.integers(0, 2**31))
WORLDS = st.integers(1, 4)


def dataset_of(rows: int, longest: int, seed: int) -> TokenDataset:
    """Row n is the number n, as many times as it is long; lengths and labels are drawn."""
    generator = np.random.default_rng(seed)
    lengths, labels = generator.integers(1, longest + 1, rows), generator.integers(0, 2, rows).astype(np.int8)
    tokens = np.repeat(np.arange(rows, dtype=np.uint32), lengths)
    return TokenDataset(
        {}, Tokenizer(3, 1, "anchor"), "train", tokens, np.concatenate([[0], np.cumsum(lengths)]), labels, pa.table({})
    )


@dataclass
class RankRecord:
    """The numbers of the steps in which a rank met all others, and its batches."""

    meetings: list[int] = field(default_factory=list)
    parts: list[tuple[int, TokenBatch]] = field(default_factory=list)


def run(dataset: TokenDataset, steps: list[tuple[int, Rows]], budget: int, workers: int) -> list[RankRecord]:
    """Ranks as threads that wait for each other in each step: with different numbers of steps they would deadlock."""
    together = threading.Barrier(workers)
    records = [RankRecord() for _ in range(workers)]

    def rank_of(rank: int) -> None:
        with feed(dataset, steps, budget, workers, rank, CPU) as batches:
            for step in batches:
                assert step.rows == len(dict(steps)[step.number])
                records[rank].parts += [(step.number, part) for part in step.parts]
                together.wait(timeout=20)
                records[rank].meetings.append(step.number)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(rank_of, range(workers)))
    return records


def rows_of(part: TokenBatch) -> list[int]:
    """The numbers of a batch's rows; fails unless each of them is complete."""
    pieces = [piece.tolist() for piece in part.tokens.split(part.counts.tolist())]
    assert all(set(piece) == {piece[0]} for piece in pieces)
    return [piece[0] for piece in pieces]


@examples(100)
@given(DATASETS, st.integers(1, 70), st.integers(1, 3000), WORLDS, WORLDS, st.integers(0, 3), st.data())
def test_ranks_meet_in_every_step_and_take_every_row_once_also_after_resuming_with_others(
    dataset: TokenDataset, batch: int, budget: int, workers: int, others: int, epoch: int, data: st.DataObject
) -> None:
    steps = list(enumerate(plan_epoch(dataset.lengths, batch, 0, epoch)))
    stop = data.draw(st.integers(0, len(steps)))
    rows: dict[int, list[int]] = {number: [] for number, _ in steps}
    for remaining, ranks in ((steps[:stop], workers), (steps[stop:], others)):
        for record in run(dataset, remaining, budget, ranks):
            assert record.meetings == [number for number, _ in remaining]
            for number, part in record.parts:
                numbers = rows_of(part)
                assert part.longest * len(numbers) <= budget or len(numbers) == 1
                assert part.counts.tolist() == dataset.lengths[numbers].tolist()
                assert part.labels.tolist() == dataset.labels[numbers].tolist()
                rows[number] += numbers
    assert {number: sorted(numbers) for number, numbers in rows.items()} == {
        number: sorted(expected.tolist()) for number, expected in steps
    }
    assert sorted(itertools.chain(*rows.values())) == list(range(len(dataset)))


def test_an_error_while_batches_are_prepared_is_raised_in_the_loop() -> None:
    def broken() -> object:
        yield Step(0, 1, [])
        raise ValueError("no such row")

    steps = Feed(broken())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no such row"):
        list(steps)


def test_leaving_early_ends_the_thread(train_split: TokenDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "AHEAD", 1)
    threads_before = threading.active_count()
    steps = plan_epoch(train_split.lengths, 1, 0, 0)
    with feed(train_split, enumerate(steps), 100, 1, 0, CPU) as batches:
        next(iter(batches))
    assert threading.active_count() == threads_before


@pytest.mark.parametrize(
    ("tokens", "expected"), [(100, feeding.AHEAD), (feeding.TOKENS_AHEAD // 4, 4), (2 * feeding.TOKENS_AHEAD, 1)]
)
def test_prefetching_is_limited_by_steps_and_by_tokens(tokens: int, expected: int) -> None:
    """The thread prepares one step more, and holds it until there is space."""
    part = TokenBatch(torch.zeros(1).expand(tokens), torch.tensor([tokens]), torch.zeros(1), np.array([tokens]))
    produced, numbers = threading.Semaphore(0), itertools.count()

    def counted() -> Iterator[Step]:
        for number in numbers:
            produced.release()
            yield Step(number, 1, [part])

    steps = Feed(counted())
    for _ in range(expected + 1):
        assert produced.acquire(timeout=20)
    assert not produced.acquire(timeout=0.05)
    assert [step.number for step in itertools.islice(steps, 20)] == list(range(20))
    steps.close()
    assert feeding.most_tokens(tokens) == (expected + 2) * tokens


def test_waiting_is_counted() -> None:
    def slow() -> object:
        time.sleep(0.05)
        yield Step(0, 1, [])

    steps = Feed(slow())  # type: ignore[arg-type]
    list(steps)
    assert steps.waited >= 0.04
    assert np.isfinite(steps.waited)
