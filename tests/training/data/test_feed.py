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
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.tokens.tokenizer import Tokenizer
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
    """What one rank met: the step numbers at which it met all others, and its batches."""

    meetings: list[int] = field(default_factory=list)
    parts: list[tuple[int, TokenBatch]] = field(default_factory=list)


def run(dataset: TokenDataset, steps: list[tuple[int, Rows]], budget: int, workers: int) -> list[RankRecord]:
    """Ranks as threads that wait for each other in each step: with different numbers of steps they would deadlock."""
    together = threading.Barrier(workers)
    seen = [RankRecord() for _ in range(workers)]

    def rank_of(rank: int) -> None:
        with feed(dataset, steps, budget, workers, rank, CPU) as batches:
            for step in batches:
                assert step.rows == len(dict(steps)[step.number])
                seen[rank].parts += [(step.number, part) for part in step.parts]
                together.wait(timeout=20)
                seen[rank].meetings.append(step.number)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(rank_of, range(workers)))
    return seen


def rows_of(part: TokenBatch) -> list[int]:
    """The numbers of a batch's rows, each of which is the dataset's, whole."""
    pieces = [piece.tolist() for piece in part.tokens.split(part.counts.tolist())]
    assert all(set(piece) == {piece[0]} for piece in pieces)
    return [piece[0] for piece in pieces]


@settings(max_examples=100, deadline=None)
@given(DATASETS, st.integers(1, 70), st.integers(1, 3000), WORLDS, WORLDS, st.integers(0, 3), st.data())
def test_ranks_meet_in_every_step_and_take_every_row_once_also_when_others_go_on(
    dataset: TokenDataset, batch: int, budget: int, workers: int, others: int, epoch: int, data: st.DataObject
) -> None:
    steps = list(enumerate(plan_epoch(dataset.lengths, batch, 0, epoch)))
    stop = data.draw(st.integers(0, len(steps)))
    rows: dict[int, list[int]] = {number: [] for number, _ in steps}
    for some, ranks in ((steps[:stop], workers), (steps[stop:], others)):
        for seen in run(dataset, some, budget, ranks):
            assert seen.meetings == [number for number, _ in some]
            for number, part in seen.parts:
                numbers = rows_of(part)
                assert part.longest * len(numbers) <= budget or len(numbers) == 1
                assert part.counts.tolist() == dataset.lengths[numbers].tolist()
                assert part.labels.tolist() == dataset.labels[numbers].tolist()
                rows[number] += numbers
    assert {number: sorted(found) for number, found in rows.items()} == {
        number: sorted(expected.tolist()) for number, expected in steps
    }
    assert sorted(itertools.chain(*rows.values())) == list(range(len(dataset)))


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


@pytest.mark.parametrize(
    ("tokens", "expected"), [(100, feeding.AHEAD), (feeding.TOKENS_AHEAD // 4, 4), (2 * feeding.TOKENS_AHEAD, 1)]
)
def test_what_is_made_ahead_is_bound_by_steps_and_by_tokens(tokens: int, expected: int) -> None:
    """The thread makes one step more, and waits with it in its hands."""
    part = TokenBatch(torch.zeros(1).expand(tokens), torch.tensor([tokens]), torch.zeros(1), np.array([tokens]))
    more, numbers = threading.Semaphore(0), itertools.count()

    def counted() -> Iterator[Step]:
        for number in numbers:
            more.release()
            yield Step(number, 1, [part])

    made = Feed(counted())
    for _ in range(expected + 1):
        assert more.acquire(timeout=20)
    assert not more.acquire(timeout=0.05)
    assert [step.number for step in itertools.islice(made, 20)] == list(range(20))
    made.close()
    assert feeding.most_tokens(tokens) == (expected + 2) * tokens


def test_waiting_is_counted() -> None:
    def slow() -> object:
        time.sleep(0.05)
        yield Step(0, 1, [])

    made = Feed(slow())  # type: ignore[arg-type]
    list(made)
    assert made.waited >= 0.04
    assert np.isfinite(made.waited)
