"""Batches made ahead of the training loop, on a thread of their own.

The thread gathers rows while the device computes; NumPy and copies release the interpreter's lock. For a GPU the
batches lie in pinned memory, from which they are copied without waiting. What the loop waits for them is counted.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.dataset import TokenDataset
from training.batch import TokenBatch, collate
from training.steps import Rows, micro_batches, share

AHEAD = 8


@dataclass(frozen=True)
class Step:
    """What one worker computes of an optimizer step.

    Attributes:
        number: of the step in its epoch, from 0.
        rows: sequences of the whole step, over all workers.
        parts: this worker's batches, in order; none if it has no row.
    """

    number: int
    rows: int
    parts: list[TokenBatch]


class Feed:
    """The steps of an epoch for one worker, made ahead.

    Attributes:
        waited: seconds that the loop has waited for a step.
    """

    def __init__(self, steps: Iterator[Step]) -> None:
        self.waited = 0.0
        self._queue: queue.Queue[Step | BaseException | None] = queue.Queue(AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(steps,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Step]:
        while True:
            began = time.perf_counter()
            found = self._queue.get()
            self.waited += time.perf_counter() - began
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            yield found

    def close(self) -> None:
        """End the thread, whatever it has made."""
        self._stop.set()
        self._thread.join()

    def _fill(self, steps: Iterator[Step]) -> None:
        last: BaseException | None = None
        try:
            for step in steps:
                if not self._put(step):
                    return
        except BaseException as error:
            last = error
        self._put(last)

    def _put(self, item: Step | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False


@contextmanager
def feed(
    dataset: TokenDataset,
    steps: Iterable[tuple[int, Rows]],
    token_budget: int,
    workers: int,
    rank: int,
    device: torch.device,
) -> Iterator[Feed]:
    """Make the steps of an epoch ahead, and end the thread with the block.

    Args:
        dataset: where rows are.
        steps: number and rows of each step, over all workers.
        token_budget: most padded tokens in a batch.
        workers: among how many a step is shared.
        rank: which of them this is.
        device: where batches go: memory is pinned for a GPU.
    """
    lengths, offsets = dataset.lengths, dataset.offsets
    made = Feed(
        Step(number, len(rows), _parts(dataset, rows, lengths, offsets, token_budget, workers, rank, device))
        for number, rows in steps
    )
    try:
        yield made
    finally:
        made.close()


def _parts(
    dataset: TokenDataset,
    rows: Rows,
    lengths: NDArray[np.int64],
    offsets: NDArray[np.int64],
    token_budget: int,
    workers: int,
    rank: int,
    device: torch.device,
) -> list[TokenBatch]:
    parts = [
        collate(dataset.tokens, offsets, dataset.labels, part)
        for part in micro_batches(share(rows, workers, rank), lengths, token_budget)
    ]
    return [part.pin_memory() for part in parts] if device.type == "cuda" else parts
