"""Asynchronous successive halving (ASHA, Li et al. 2020), as Ray Tune's scheduler of the same name decides.

The rule is a class of its own, so the epochs of trials that ended in an earlier run can be recorded without Ray Tune.
"""

from __future__ import annotations

import numpy as np


class SuccessiveHalving:
    """Decides after an epoch whether a trial falls behind those that reached the same rung before it.

    Rungs are at `grace_period` × `reduction_factor`^k epochs. A trial is compared once at each rung: it is behind if
    its metric is below the quantile 1 − 1/`reduction_factor` of the metrics recorded there so far. The first trial at
    a rung is never behind.

    Args:
        grace_period: epochs of the first rung.
        reduction_factor: one trial in this many continues beyond a rung.
    """

    def __init__(self, grace_period: int, reduction_factor: int) -> None:
        self._grace_period, self._reduction_factor = grace_period, reduction_factor
        self._rungs: dict[int, dict[str, float]] = {}

    def record(self, trial: str, epoch: int, value: float) -> bool:
        """Record the metric of a trial after an epoch; returns whether the trial is behind.

        Args:
            trial: its name.
            epoch: from 1.
            value: the higher the better; NaN is never behind.
        """
        for rung in self._rungs_up_to(epoch):
            recorded = self._rungs.setdefault(rung, {})
            if trial not in recorded:
                is_behind = bool(recorded) and value < self._cutoff(recorded)
                recorded[trial] = value
                return is_behind
        return False

    def _rungs_up_to(self, epoch: int) -> list[int]:
        """The rungs that an epoch has reached, the highest first: a trial is compared at one rung for each epoch."""
        rungs, rung = [], self._grace_period
        while rung <= epoch:
            rungs.append(rung)
            rung *= self._reduction_factor
        return rungs[::-1]

    def _cutoff(self, recorded: dict[str, float]) -> float:
        return float(np.nanpercentile(list(recorded.values()), (1 - 1 / self._reduction_factor) * 100))
