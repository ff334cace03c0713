"""The agenda as Ray Tune's searcher, and successive halving that knows which epochs are told again.

Ray Tune places trials, starts them again when a machine is lost, and decides by ASHA (Li et al. 2020) which end early. What is
proposed, recorded and gone on with is the agenda's: Tune's own experiment state, a pickle, is never read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tuning.agenda import Agenda
from tuning.config import TuningConfig
from tuning.ledger import TROUBLE, Ledger
from tuning.trial import Trial

Given = Callable[[Trial], dict[str, Any]]
TIME, METRIC = "epoch", "validation_{}"


class Desk(Searcher):  # type: ignore[misc]
    """Hands out the agenda's trials and takes them back.

    Args:
        agenda: of the campaign.
        ledger: its rows.
        given: what a trial's process is given.
        metric: Tune's name of the figure.
    """

    def __init__(self, agenda: Agenda, ledger: Ledger, given: Given, metric: str) -> None:
        super().__init__(metric=metric, mode="max")
        self._agenda, self._ledger, self._given = agenda, ledger, given
        self._open: dict[str, Trial] = {}
        self._failed: dict[str, str] = {}
        self.error: Exception | None = None

    def suggest(self, trial_id: str) -> Any:
        try:
            trial = self._agenda.next()
        except Exception as error:
            # Ray would wrap it: the campaign raises it as it is.
            self.error = error
            return Searcher.FINISHED
        if trial is None:
            return Searcher.FINISHED
        self._open[trial_id] = trial
        return {"given": self._given(trial)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None: ...

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self._open.pop(trial_id, None)
        if trial is None:
            return
        found = result or {}
        if error:
            closed = self._ledger.end(trial, "failed", self._trouble(trial))
        elif "failed" in found:
            closed = self._ledger.end(trial, "failed", str(found["failed"]))
        elif found.get("over"):
            closed = self._ledger.end(trial, "finished")
        elif self._agenda.out_of_time():
            closed = self._ledger.end(trial, "stopped early", "tuning.seconds have passed")
        else:
            closed = self._ledger.end(trial, "stopped early", "behind the others at this epoch")
        self._agenda.ended(closed)

    def _trouble(self, trial: Trial) -> str:
        path: Path = self._ledger.folder(trial) / TROUBLE
        try:
            return path.read_text(encoding="utf-8").strip().splitlines()[-1][:200]
        except (OSError, IndexError):
            return "its process died, several times; --verbose shows more"

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles a copy of all it is given, which nobody reads.
        return {}

    def __deepcopy__(self, memo: Any) -> Desk:
        return self

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...


class Deadline:
    """Ends a trial with its epoch once the campaign is out of time."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return not result.get("before") and self._agenda.out_of_time()

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __deepcopy__(self, memo: Any) -> Deadline:
        return self


class Halving(ASHAScheduler):  # type: ignore[misc]
    """ASHA; a trial that goes on tells its earlier epochs again, which fill the rungs and decide nothing."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if "failed" in result:
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
        grace_period=config.grace,
        reduction_factor=config.reduction,
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
