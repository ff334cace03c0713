"""The plans of a run's epochs, the next of which is made by a thread while an epoch is trained."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from training.data.step_plan import EpochPlan, plan_epoch


class EpochPlans:
    """Gives the plan of each epoch; a plan is a function of its epoch, whatever the order of calls.

    Args:
        lengths: tokens of each row, shape (rows,).
        global_batch_size: rows of a step.
        seed: of the run.
        epochs: of the run; none is planned beyond them.
    """

    def __init__(self, lengths: NDArray[np.int64], global_batch_size: int, seed: int, epochs: int) -> None:
        self._lengths, self._global_batch_size, self._seed, self._epochs = lengths, global_batch_size, seed, epochs
        self._planned: tuple[int, Future[EpochPlan]] | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="plan")

    def __enter__(self) -> EpochPlans:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._executor.shutdown(cancel_futures=True)

    def plan(self, epoch: int) -> EpochPlan:
        """The plan of an epoch (from 0); that of the next one is begun."""
        if self._planned is None or self._planned[0] != epoch:
            self._begin(epoch)
        assert self._planned is not None
        plan = self._planned[1].result()
        self._planned = None
        if epoch + 1 < self._epochs:
            self._begin(epoch + 1)
        return plan

    def _begin(self, epoch: int) -> None:
        planned = self._executor.submit(plan_epoch, self._lengths, self._global_batch_size, self._seed, epoch)
        self._planned = epoch, planned
