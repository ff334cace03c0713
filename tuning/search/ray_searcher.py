"""The agenda as Ray Tune's searcher, and successive halving that knows which epochs are told again.

Ray Tune places trials, starts them again when a machine is lost, and decides by ASHA (Li et al. 2020) which end early. What is
proposed, recorded and gone on with is the agenda's: Tune's own experiment state, a pickle, is never read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from ray.tune import Callback, Stopper
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from pipelines.errors import ResourceError
from tuning.config import TuningConfig
from tuning.search.queue import OUT_OF_TIME, TrialQueue
from tuning.trial import Trial
from tuning.trials.store import TRIALS, TROUBLE, TrialStore

Given = Callable[[Trial], dict[str, Any]]
TIME, METRIC = "epoch", "validation_{}"
# A network file system may show this process what a trial has written some seconds late.
PATIENCE_S, POLL_S = 60.0, 0.2
# What a trial tells without a figure.
UNJUDGED = {"failed", "stuck", "unstarted"}


class _Here:
    """Stays in this process: Ray copies and pickles all that it is given, and nobody reads that."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __deepcopy__(self, memo: Any) -> Self:
        return self


class StudySearcher(_Here, Searcher):  # type: ignore[misc]
    """Hands out the agenda's trials and takes them back.

    Args:
        agenda: of the campaign.
        ledger: its rows.
        given: what a trial's process is given.
        metric: Tune's name of the figure.
        warn: told of a trial that is started again.
        patience_s: how long to wait for the files of a trial that has told of its end.

    Attributes:
        error: what ends the campaign.
        closing: whether trials that end now were interrupted: their rows stay as they are, and the next run goes on with them.
    """

    def __init__(
        self,
        agenda: TrialQueue,
        ledger: TrialStore,
        given: Given,
        metric: str,
        warn: Callable[[str], None] = lambda text: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        super().__init__(metric=metric, mode="max")
        self._agenda, self._ledger, self._given, self._warn = agenda, ledger, given, warn
        self._patience_s = patience_s
        self._open: dict[str, Trial] = {}
        self._late: set[str] = set()
        self.error: Exception | None = None
        self.closing = False

    def suggest(self, trial_id: str) -> Any:
        if self.closing:
            return Searcher.FINISHED
        try:
            trial = self._agenda.next()
        except Exception as error:
            # Ray would wrap it: the campaign raises it as it is.
            self._end_with(error)
            return Searcher.FINISHED
        if trial is None:
            return Searcher.FINISHED
        self._open[trial_id] = trial
        # Where another machine's clock has sent a trial back, this one's decides.
        return {"given": self._given(trial) | ({"until": None} if trial.key in self._late else {})}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None: ...

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self._open.pop(trial_id, None)
        if trial is None or self.closing:
            return
        try:
            self._close(trial, result or {}, error)
        except Exception as problem:
            self._end_with(problem)

    def _close(self, trial: Trial, found: dict[str, Any], error: bool) -> None:
        if "stuck" in found:
            raise ResourceError(*found["stuck"])
        if found.get("unstarted"):
            self._late.add(trial.key)
            self._agenda.unstarted(trial)
            return
        if error:
            closed = self._ledger.end(trial, "failed", self._again(trial, self._trouble(trial)))
        elif "failed" in found:
            closed = self._ledger.end(trial, "failed", self._again(trial, str(found["failed"])))
        else:
            self._await(trial, int(found.get(TIME) or 0))
            if found.get("over"):
                closed = self._ledger.end(trial, "finished")
            elif self._agenda.out_of_time():
                closed = self._ledger.end(trial, "stopped early", OUT_OF_TIME)
            else:
                closed = self._ledger.end(trial, "stopped early", "behind the others at this epoch")
        self._agenda.ended(closed)

    def _await(self, trial: Trial, epoch: int) -> None:
        """Return when this process sees a trial's epochs up to one."""
        deadline = time.monotonic() + self._patience_s
        while not any(record["epoch"] >= epoch for record in self._ledger.epochs(trial)):
            if time.monotonic() > deadline:
                raise ResourceError(
                    f"{self._ledger.folder(trial)}: a trial has written epoch {epoch}, which is not seen here",
                    "put --output where every node of the cluster reads and writes the same files",
                )
            time.sleep(POLL_S)

    def _end_with(self, error: Exception) -> None:
        self.error, self.closing = self.error or error, True

    def _again(self, trial: Trial, reason: str) -> str:
        return f"{reason}; to have it tried again, delete {TRIALS}/{self._ledger.folder(trial).name} and run the same command"

    def lost(self, trial_id: str) -> None:
        """Tell of a trial whose process has died and that Ray starts again."""
        if (trial := self._open.get(trial_id)) is not None and not self.closing:
            done = max((record["epoch"] for record in self._ledger.epochs(trial)), default=0)
            self._warn(f"trial {trial.number}: its process or machine was lost; going on after epoch {done}")

    def _trouble(self, trial: Trial) -> str:
        path: Path = self._ledger.folder(trial) / TROUBLE
        try:
            return path.read_text(encoding="utf-8").strip().splitlines()[-1][:200]
        except (OSError, IndexError):
            return "its process died, several times; --verbose shows more"

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...


class Deadline(_Here, Stopper):  # type: ignore[misc]
    """Ends a trial with its epoch once the campaign is out of time, and all of them when the desk closes.

    Args:
        agenda: of the campaign.
        front: the desk.
        tick: called again and again while trials run.
    """

    def __init__(self, agenda: TrialQueue, front: StudySearcher, tick: Callable[[], None] = lambda: None) -> None:
        self._agenda, self._front, self._tick = agenda, front, tick

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return not result.get("before") and self._agenda.out_of_time()

    def stop_all(self) -> bool:
        self._tick()
        return self._front.closing


class Watch(_Here, Callback):  # type: ignore[misc]
    """Hears of trials that Ray starts again.

    Args:
        front: the desk.
    """

    def __init__(self, front: StudySearcher) -> None:
        self._front = front

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._front.lost(trial.trial_id)


class Halving(ASHAScheduler):  # type: ignore[misc]
    """ASHA; a trial that goes on tells its earlier epochs again, which fill the rungs and decide nothing."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not UNJUDGED.isdisjoint(result):
            return str(TrialScheduler.CONTINUE)
        decided: str = super().on_trial_result(tune_controller, trial, result)
        return TrialScheduler.CONTINUE if result.get("before") else decided


def scheduler(config: TuningConfig, metric: str, past: list[list[dict[str, Any]]]) -> TrialScheduler:
    """The scheduler a campaign asks for.

    Args:
        config: the campaign.
        metric: Tune's name of the figure.
        past: epochs of trials that ended in an earlier run, with which the others are compared.
    """
    if config.scheduler == "none":
        return FIFOScheduler()
    made = Halving(
        time_attr=TIME,
        metric=metric,
        mode="max",
        max_t=10**6,
        grace_period=config.grace_period,
        reduction_factor=config.reduction_factor,
    )
    for number, records in enumerate(past):
        ended: Any = _Ended(f"past-{number}")
        controller: Any = None
        made.on_trial_add(controller, ended)
        for record in records:
            made.on_trial_result(controller, ended, record)
    return made


class _Ended:
    """As much of a trial of Ray Tune as a scheduler asks for."""

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id
