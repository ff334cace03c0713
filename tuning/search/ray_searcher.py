"""The queue as a searcher of Ray Tune, with the scheduler and callbacks that a study needs.

Ray Tune places trials and restarts them when a machine is lost. What is proposed, recorded and resumed is decided by
the queue and the store: Ray Tune's own experiment state, a pickle, is never read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ray.tune import Callback, Stopper
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from pipelines.errors import RaygeneError, ResourceError, one_line
from tuning.config import TuningConfig
from tuning.search.halving import SuccessiveHalving
from tuning.search.queue import OUT_OF_TIME, TrialQueue
from tuning.trial import TIME_LIMIT, State, Trial, clock_time
from tuning.trials.admission import Admission
from tuning.trials.reports import EpochReport, NotStarted, StudyFailed, TimedOut, TrialFailed, TrialReport, of_result
from tuning.trials.store import ERROR, TRIALS, TrialStore
from tuning.trials.trial_spec import TrialSpec
from tuning.trials.tuner import SPEC

# A network file system may show this process some seconds late what a trial has written.
FILES_TIMEOUT_S, POLL_S = 60.0, 0.2


class _DriverOnly:
    """Keeps an object in this process: Ray Tune pickles and copies its arguments, and nothing reads the copies."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __deepcopy__(self, memo: Any) -> Self:
        return self


class StudySearcher(_DriverOnly, Searcher):  # type: ignore[misc]
    """Suggests the trials of the queue to Ray Tune, and takes their ends.

    Args:
        queue: of the study.
        store: its rows.
        make_spec: makes what crosses to the process of a trial.
        metric: Ray Tune's name of the metric.
        warn: called with a text when a trial is restarted.
        files_timeout_s: how long to wait for the files of a trial that has reported its end.
        admission: decides when trials of several workers begin; None: Ray Tune does, by what it reserves for them.

    Attributes:
        error: what has ended the study; None: nothing has.
        is_closing: whether trials that end now were interrupted: their rows stay as they are, and the next run
            resumes them.
    """

    def __init__(
        self,
        queue: TrialQueue,
        store: TrialStore,
        make_spec: Callable[[Trial], TrialSpec],
        metric: str,
        warn: Callable[[str], None] = lambda text: None,
        files_timeout_s: float = FILES_TIMEOUT_S,
        admission: Admission | None = None,
    ) -> None:
        super().__init__(metric=metric, mode="max")
        self._queue, self._store, self._make_spec, self._warn = queue, store, make_spec, warn
        self._files_timeout_s, self._admission = files_timeout_s, admission
        self._held: Trial | None = None
        self._running: dict[str, Trial] = {}
        self._reported: set[str] = set()
        self._returned: set[str] = set()
        self.error: Exception | None = None
        self.is_closing = False

    def suggest(self, trial_id: str) -> Any:
        if self.is_closing:
            return Searcher.FINISHED
        try:
            if not self._admits(self._held):
                return None
            trial, self._held = self._held or self._queue.next(), None
            if trial is not None and not self._admits(trial):
                self._held = trial
                return None
        except Exception as error:
            # Ray Tune would wrap it; the study raises it as it is.
            self._end_study(error)
            return Searcher.FINISHED
        if trial is None:
            return Searcher.FINISHED
        self._running[trial_id] = trial
        spec = self._make_spec(trial)
        # The clock of another machine sent this trial back too early; this one's decides.
        return {SPEC: replace(spec, deadline=None) if trial.key in self._returned else spec}

    def _admits(self, trial: Trial | None) -> bool:
        """Whether a trial may begin now; None: one that is not proposed yet."""
        if self._admission is None:
            return True
        have_all_started = self._running.keys() <= self._reported
        return self._admission.admits(self.running, trial, have_all_started=have_all_started)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._reported.add(trial_id)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self._running.pop(trial_id, None)
        if trial is None or self.is_closing:
            return
        try:
            self._end_trial(trial, of_result(result or {}), has_crashed=error)
        except Exception as problem:
            self._end_study(problem)

    def _end_trial(self, trial: Trial, report: TrialReport | None, *, has_crashed: bool) -> None:
        """Write the last row of a trial.

        Args:
            trial: that has ended.
            report: its last one.
            has_crashed: whether its process died more often than Ray Tune restarts it.
        """
        match report:
            case StudyFailed(problem, fix):
                raise ResourceError(problem, fix)
            case NotStarted():
                self._returned.add(trial.key)
                self._queue.return_unstarted(trial)
                return
            case TimedOut(epoch, limit):
                if epoch:
                    self._wait_for_epoch(trial, epoch)
                reason = f"{TIME_LIMIT}: not done after {limit:g} s"
                state: State = "stopped early" if epoch else "failed"
                ended = self._store.end(trial, state, reason if epoch else self._with_retry_hint(trial, reason))
            case _ if has_crashed:
                ended = self._store.end(trial, "failed", self._with_retry_hint(trial, self._last_error(trial)))
            case TrialFailed(reason):
                ended = self._store.end(trial, "failed", self._with_retry_hint(trial, reason))
            case _:
                ended = self._end_after_epoch(trial, report)
        self._queue.report_end(ended)

    def _end_after_epoch(self, trial: Trial, report: EpochReport | None) -> Trial:
        self._wait_for_epoch(trial, report.epoch if report else 0)
        if report is not None and report.is_last:
            return self._store.end(trial, "finished")
        if self._queue.is_out_of_time():
            return self._store.end(trial, "stopped early", OUT_OF_TIME)
        return self._store.end(trial, "stopped early", "behind the others at this epoch")

    def _wait_for_epoch(self, trial: Trial, epoch: int) -> None:
        """Return once this process sees the record of an epoch.

        Raises:
            ResourceError: it does not appear in time.
        """
        deadline = time.monotonic() + self._files_timeout_s
        while not any(record["epoch"] >= epoch for record in self._store.epochs(trial)):
            if time.monotonic() > deadline:
                raise ResourceError(
                    f"{self._store.folder(trial)}: a trial has written epoch {epoch}, which is not visible here",
                    "put --output where every node of the cluster reads and writes the same files",
                )
            time.sleep(POLL_S)

    def end_if_raised(self, require: Callable[[], None]) -> None:
        """End the study with the error that a function raises, if it does."""
        try:
            require()
        except RaygeneError as error:
            self._end_study(error)

    def _end_study(self, error: Exception) -> None:
        self.error, self.is_closing = self.error or error, True

    def _with_retry_hint(self, trial: Trial, reason: str) -> str:
        folder = f"{TRIALS}/{self._store.folder(trial).name}"
        return f"{reason}; to try it again, delete {folder} and run the same command"

    def _last_error(self, trial: Trial) -> str:
        path: Path = self._store.folder(trial) / ERROR
        try:
            return one_line(path.read_text(encoding="utf-8").strip().splitlines()[-1], 200)
        except (OSError, IndexError):
            return "its process died several times; --verbose shows more"

    @property
    def running(self) -> list[Trial]:
        """The trials in progress."""
        return list(self._running.values())

    def note_start(self, trial_id: str) -> None:
        """Note when the process of a trial begins; Ray Tune may start it again later."""
        if (trial := self._running.get(trial_id)) is not None and trial.began_at is None:
            self._running[trial_id] = replace(trial, began_at=clock_time())

    def warn_of_restart(self, trial_id: str) -> None:
        """Warn of a trial whose process has died, and which Ray Tune restarts."""
        if (trial := self._running.get(trial_id)) is not None and not self.is_closing:
            done = max((record["epoch"] for record in self._store.epochs(trial)), default=0)
            self._warn(f"trial {trial.number}: its process or machine was lost; it resumes after epoch {done}")

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...


class StudyStopper(_DriverOnly, Stopper):  # type: ignore[misc]
    """Stops a trial after its epoch once the study is out of time, and all trials once the searcher is closing.

    Args:
        queue: of the study.
        searcher: of the study.
        tick: called again and again while trials run.
    """

    def __init__(self, queue: TrialQueue, searcher: StudySearcher, tick: Callable[[], None] = lambda: None) -> None:
        self._queue, self._searcher, self._tick = queue, searcher, tick

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        report = of_result(result)
        is_replay = isinstance(report, EpochReport) and report.is_replay
        return not is_replay and self._queue.is_out_of_time()

    def stop_all(self) -> bool:
        self._tick()
        return self._searcher.is_closing


class StartCallback(_DriverOnly, Callback):  # type: ignore[misc]
    """Passes on that Ray Tune starts a trial, or starts it again.

    Args:
        searcher: of the study.
    """

    def __init__(self, searcher: StudySearcher) -> None:
        self._searcher = searcher

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._searcher.note_start(trial.trial_id)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._searcher.warn_of_restart(trial.trial_id)


class HalvingScheduler(FIFOScheduler):  # type: ignore[misc]
    """Stops trials early by `SuccessiveHalving`; the epochs that a resumed trial reports again decide nothing.

    Args:
        halving: the rule, with the epochs of trials that ended in an earlier run.
        metric: attribute of `EpochReport`.
    """

    # Each result has to be decided on before the next epoch begins.
    _supports_buffered_results = False

    def __init__(self, halving: SuccessiveHalving, metric: str) -> None:
        super().__init__()
        self._halving, self._attribute = halving, metric

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        report = of_result(result)
        if not isinstance(report, EpochReport):
            return str(TrialScheduler.CONTINUE)
        is_behind = self._halving.record(trial.trial_id, report.epoch, getattr(report, self._attribute))
        return str(TrialScheduler.STOP if is_behind and not report.is_replay else TrialScheduler.CONTINUE)


def make_scheduler(config: TuningConfig, metric: str, earlier: Iterable[Sequence[EpochReport]] = ()) -> TrialScheduler:
    """The scheduler that a study requests.

    Args:
        config: of the study.
        metric: attribute of `EpochReport`.
        earlier: epochs of each trial that ended in an earlier run, with which new trials are compared.
    """
    if config.scheduler == "none":
        return FIFOScheduler()
    halving = SuccessiveHalving(config.grace_period, config.reduction_factor)
    for number, reports in enumerate(earlier):
        for report in reports:
            halving.record(f"earlier-{number}", report.epoch, getattr(report, metric))
    return HalvingScheduler(halving, metric)
