"""What a campaign does next: trials that were interrupted, further seeds, then new configurations that fit.

A configuration that does not fit, or that no model can be built of, gets its row and is told to the search without being
started. Knows nothing of Ray.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines import fingerprint
from pipelines.errors import UsageError
from training.config import ModelConfig, TrainingConfig
from training.distributed.run_key import run_key
from tuning import keys, summary
from tuning.config import TuningConfig
from tuning.search import space
from tuning.search.proposals import Proposals
from tuning.search.space import Parameters
from tuning.trial import Row, State, Trial
from tuning.trials.memory_check import Feasibility
from tuning.trials.store import TrialStore

# Proposals in a row that were tried before, after which one is looked for that was not.
MOST_REPEATED = 50
OUT_OF_TIME = "tuning.time_budget_s have passed"


@dataclass(frozen=True)
class Data:
    """A dataset that trials may read.

    Attributes:
        path: its folder.
        fingerprint: from its manifest.
    """

    path: Path
    fingerprint: str


REFUSED: tuple[State, ...] = ("infeasible", "repeated")
Judge = Callable[[ModelConfig, TrainingConfig, Data], Feasibility]
Find = Callable[[Parameters], Data]


class TrialQueue:
    """The order of a campaign's trials.

    Args:
        config: the campaign.
        base: the experiment's sections.
        ledger: rows there are already, and where new ones go.
        source: of configurations.
        find: the dataset of a configuration; raises UsageError where there can be none.
        judge: whether a trial fits.
        clock: seconds spent on this campaign.
        tell: called with every row that ends.

    Attributes:
        held: trials that were begun or are owed and do not fit what is free now, with the reason; a later run tries them.
    """

    def __init__(
        self,
        config: TuningConfig,
        base: Mapping[str, Any],
        ledger: TrialStore,
        source: Proposals,
        find: Find,
        judge: Judge,
        clock: Callable[[], float],
        tell: Callable[[Trial], None],
    ) -> None:
        self._config, self._base, self._ledger, self._source = config, base, ledger, source
        self._find, self._judge, self._tell = find, judge, tell
        self._clock = clock
        self._waiting: deque[Trial] = deque()
        self._gone_through = False
        self.held: list[tuple[Trial, str]] = []
        self._recall()

    def _recall(self) -> None:
        """Tell the search what is recorded, and put first what was interrupted."""
        for rows in summary.configurations(self._ledger.trials):
            self._source.again(rows[0].parameters)
            missing = {self._seed(number) for number in range(self._config.seeds)} - {row.seed for row in rows}
            if rows[0].state not in REFUSED and missing:
                verdict = self._verdict(rows[0].parameters)
                further = [
                    self._row(rows[0].parameters, rows[0].configuration, seed, verdict) for seed in sorted(missing)
                ]
                if verdict.fits:
                    self._waiting.extend(further)
                else:
                    self.held.extend((row, verdict.reason) for row in further)
            self._settle(rows)
        for row in self._ledger.trials:
            if not row.over:
                self._waiting.append(row)
        self._waiting = deque(sorted(self._waiting, key=lambda row: (row.configuration, row.seed)))

    def out_of_time(self) -> bool:
        """Whether no more is to start, and what runs is to end with its epoch."""
        return self._config.time_budget_s is not None and self._clock() >= self._config.time_budget_s

    def next(self) -> Trial | None:
        """The next trial to run, its row written; None: there are no more."""
        while not self.out_of_time():
            while not self._waiting:
                if self.ending() is not None or not self._propose():
                    return None
            trial = self._waiting.popleft()
            found = (
                self._resumed(trial) if self._ledger.knows(trial.key) else replace(trial, number=self._ledger.following)
            )
            if found is not None:
                self._ledger.keep(found)
                return found
        return None

    def _resumed(self, trial: Trial) -> Trial | None:
        """A trial that was interrupted, with what it gets of today's machines; None, and held, if it does not fit now."""
        model, training = keys.configured(self._base, trial.parameters, trial.seed, self._config.workers)
        data = self._find(trial.parameters)
        # With dropout the order of random numbers depends on the budget, so the one it began with is kept if it can be.
        kept = training.model_copy(update={"token_budget": training.token_budget or trial.token_budget})
        verdict = self._judge(model, kept, data)
        verdict = verdict if verdict.fits else self._judge(model, training, data)
        if not verdict.fits:
            self.held.append((trial, verdict.reason))
            return None
        return replace(trial, dataset=str(data.path), **given(verdict))

    def ending(self) -> str | None:
        """Why no further configuration is proposed, if so."""
        begun = summary.configurations(self._ledger.trials)
        if self.out_of_time():
            return f"{OUT_OF_TIME} ({self._config.time_budget_s:g})"
        if self._config.max_configurations is not None and len(begun) >= self._config.max_configurations:
            return f"tuning.configurations {self._config.max_configurations}"
        if self._config.patience and self._without_better() >= self._config.patience:
            return f"tuning.patience: {self._config.patience} configurations without a better one"
        if self._gone_through:
            return f"the space is gone through, {len(begun)} configurations"
        return None

    def _without_better(self) -> int:
        """Configurations that have ended since the best one did."""
        best, since = float("-inf"), 0
        ended = [
            (max(row.ended or 0 for row in rows), self._mean(rows))
            for rows in summary.configurations(self._ledger.trials)
            if self._whole(rows)
        ]
        for _, value in sorted(ended, key=lambda one: one[0]):
            if value is not None and value > best:
                best, since = value, 0
            elif value is not None:
                since += 1
        return since

    def _whole(self, rows: list[Trial]) -> bool:
        """Whether all of a configuration's trainings have ended; rows exist from when they are handed out."""
        return all(row.over for row in rows) and (rows[0].state in REFUSED or len(rows) >= self._config.seeds)

    def _mean(self, rows: list[Trial]) -> float | None:
        values = [value for _, value in summary.figures(rows, self._config.metric)]
        return sum(values) / len(values) if values else None

    def ended(self, trial: Trial) -> None:
        """Take note of a row that has ended."""
        self._tell(trial)
        self._settle([row for row in self._ledger.trials if row.configuration == trial.configuration])

    def unstarted(self, trial: Trial) -> None:
        """Take back a trial that its machine held to be too late to begin; in time, it is handed out again."""
        if not self.out_of_time():
            self._waiting.appendleft(trial)
        elif records := self._ledger.epochs(trial):
            _, training = keys.configured(self._base, trial.parameters, trial.seed, self._config.workers)
            whole = records[-1]["epoch"] >= training.epochs
            self.ended(self._ledger.end(trial, *(("finished",) if whole else ("stopped early", OUT_OF_TIME))))
        elif self._ledger.checkpoints(trial).latest() is None:
            self._ledger.forget(trial)

    def close(self) -> None:
        """Once out of time, end what was interrupted before, and take back what never began; within its first epoch it is kept."""
        for trial in self._ledger.trials:
            if not trial.over:
                self.unstarted(trial)
        self.held.clear()

    def _settle(self, rows: list[Trial]) -> None:
        """Tell the search of a configuration all of whose seeds have ended."""
        if not self._whole(rows):
            return
        excess = 0.0
        if rows[0].state == "infeasible":
            excess = Feasibility(False, rows[0].memory_predicted or 0, rows[0].memory_room or 0).excess
        self._source.told(rows[0].parameters, self._mean(rows), excess)

    def _seed(self, number: int) -> int:
        return int((self._base.get("training") or {}).get("seed", 0)) + number

    def _propose(self) -> bool:
        """Make one new configuration into rows; False where there is none."""
        parameters = self._untried()
        if parameters is None:
            self._gone_through = True
            return False
        number = 1 + max((row.configuration for row in self._ledger.trials), default=0)
        try:
            verdict = self._verdict(parameters)
            rows = [self._row(parameters, number, self._seed(one), verdict) for one in range(self._config.seeds)]
        except UsageError as error:
            self._refused(parameters, number, str(error), None)
            return True
        if not verdict.fits:
            self._refused(parameters, number, verdict.reason, verdict)
        else:
            self._waiting.extend(row for row in rows if not self._ledger.knows(row.key))
            if not self._waiting:
                self._refused(parameters, number, "another configuration comes to the same", None, "repeated")
        return True

    def _untried(self) -> Parameters | None:
        """A proposal that is not recorded; None where there is none left."""
        tried = {fingerprint.of_value(row.parameters) for row in self._ledger.trials}
        # What is recorded comes again first, where the search begins anew.
        for _ in range(MOST_REPEATED + len(tried)):
            parameters = self._source.next()
            if parameters is None:
                return None
            if fingerprint.of_value(parameters) not in tried:
                return parameters
        # A search that has narrowed down, or random draws in a small space: what is left of it is gone through.
        searched = self._config.searched
        counted = all(domain.every is not None for domain in searched.values())
        for parameters in space.all_of(searched, self._base) if counted else ():
            if fingerprint.of_value(parameters) not in tried:
                self._source.again(parameters)
                return parameters
        return None

    def _refused(
        self,
        parameters: Parameters,
        number: int,
        reason: str,
        verdict: Feasibility | None,
        state: State = "infeasible",
    ) -> None:
        row = Trial(
            number=self._ledger.following,
            configuration=number,
            key=fingerprint.of_value(["refused", parameters]),
            seed=self._seed(0),
            parameters=parameters,
            memory_predicted=verdict.predicted if verdict else None,
            memory_room=verdict.room if verdict else None,
            weights=verdict.weights if verdict else None,
        )
        self.ended(self._ledger.end(row, state, reason))

    def _verdict(self, parameters: Parameters) -> Feasibility:
        model, training = keys.configured(self._base, parameters, self._seed(0), self._config.workers)
        return self._judge(model, training, self._find(parameters))

    def _row(self, parameters: Parameters, configuration: int, seed: int, verdict: Feasibility) -> Trial:
        model, training = keys.configured(self._base, parameters, seed, self._config.workers)
        data = self._find(parameters)
        return Trial(
            number=0,
            configuration=configuration,
            key=run_key(model, training, data.fingerprint),
            seed=seed,
            parameters=parameters,
            dataset=str(data.path),
            fingerprint=data.fingerprint,
            **given(verdict),
        )


def given(verdict: Feasibility) -> Row:
    """What a row says of a verdict."""
    return {
        "token_budget": verdict.token_budget,
        "retain_memory": verdict.retain_memory,
        "cpus": verdict.cpus,
        "gpus": verdict.gpus,
        "weights": verdict.weights,
        "memory_predicted": verdict.predicted,
        "memory_room": verdict.room,
    }
