"""Batches prefetched for the training loop by a thread of their own.

The thread gathers rows while the device computes; NumPy and copies release the interpreter's lock. For a GPU the
batches are in pinned memory, from which they are copied asynchronously. The time that the loop waits for them is
counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from pipelines.dataset.token_dataset import TokenDataset
from training.data.batch import TokenBatch, collate
from training.data.step_plan import Rows, micro_batches, share

AHEAD = 8
# In int64: 32 MiB. The thread holds one step more, which it makes before it waits for space in the queue.
TOKENS_AHEAD = 2**22

BatchOf = Callable[[Rows], TokenBatch]
"""Makes a batch of some rows of a dataset."""


def most_tokens(step: int) -> int:
    """The most tokens in memory for steps of `step` tokens: prefetched, one step in the thread and one in the loop."""
    return min(AHEAD * step, max(TOKENS_AHEAD, step)) + 2 * step


@dataclass(frozen=True)
class Step:
    """One worker's share of an optimizer step.

    Attributes:
        number: of the step in its epoch, from 0.
        rows: sequences of the whole step, over all workers.
        parts: this worker's batches, in order; none if it has no row.
    """

    number: int
    rows: int
    parts: list[TokenBatch]

    @property
    def tokens(self) -> int:
        """Tokens of this worker's batches."""
        return sum(len(part.tokens) for part in self.parts)


class Feed:
    """The steps of an epoch for one worker, prefetched: up to `AHEAD` steps or `TOKENS_AHEAD` tokens, but always one.

    Attributes:
        waited: seconds that the loop has waited for a step.
    """

    def __init__(self, steps: Iterator[Step]) -> None:
        self.waited = 0.0
        self._queue: deque[Step] = deque()
        self._tokens = 0
        self._ended, self._stopped = False, False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._fill, args=(steps,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Step]:
        while True:
            began = time.perf_counter()
            step = self._take()
            self.waited += time.perf_counter() - began
            if step is None:
                return
            yield step

    def close(self) -> None:
        """End the thread, and drop what it has prefetched."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def _take(self) -> Step | None:
        """The next step; None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._ended)
            if self._queue:
                step = self._queue.popleft()
                self._tokens -= step.tokens
                self._changed.notify_all()
                return step
        if self._error is not None:
            raise self._error
        return None

    def _fill(self, steps: Iterator[Step]) -> None:
        try:
            for step in steps:
                if not self._put(step):
                    break
        except BaseException as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, step: Step) -> bool:
        """Add a step as soon as there is space in the queue; False if the thread is to end instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._has_space_for(step))
            if self._stopped:
                return False
            self._queue.append(step)
            self._tokens += step.tokens
            self._changed.notify_all()
            return True

    def _has_space_for(self, step: Step) -> bool:
        return not self._queue or (len(self._queue) < AHEAD and self._tokens + step.tokens <= TOKENS_AHEAD)


@contextmanager
def feed(
    dataset: TokenDataset,
    steps: Iterable[tuple[int, Rows]],
    token_budget: int,
    workers: int,
    rank: int,
    device: torch.device,
    batch_of: BatchOf | None = None,
) -> Iterator[Feed]:
    """Prefetch the steps of an epoch, and end the thread with the block.

    Args:
        dataset: that rows are read from.
        steps: number and rows of each step, over all workers.
        token_budget: most padded tokens in a batch.
        workers: how many share each step.
        rank: of this worker.
        device: of the model: memory is pinned for a GPU.
        batch_of: makes the batches (default: of tokens and labels as the dataset has them).
    """
    lengths, offsets = dataset.lengths, dataset.offsets

    def stored(rows: Rows) -> TokenBatch:
        return collate(dataset.tokens, offsets, dataset.labels, rows)

    def parts(rows: Rows) -> list[TokenBatch]:
        cut = micro_batches(share(rows, workers, rank), lengths, token_budget)
        batches = [(batch_of or stored)(part) for part in cut]
        return [batch.pin_memory() for batch in batches] if device.type == "cuda" else batches

    prefetched = Feed(Step(number, len(rows), parts(rows)) for number, rows in steps)
    try:
        yield prefetched
    finally:
        prefetched.close()
