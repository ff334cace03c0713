"""The order of a study's trials: interrupted ones first, then missing seeds, then new configurations that fit.

A configuration that does not fit, or of which no model can be built, gets its row and counts against its neighbours
in the search, and is never started. The queue does not know Ray.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pipelines import fingerprint
from pipelines.errors import UsageError
from tuning import ranking
from tuning.config import TuningConfig
from tuning.ranking import REFUSED
from tuning.search import space
from tuning.search.proposals import Proposals
from tuning.search.space import Parameters
from tuning.search.trial_factory import TrialFactory
from tuning.trial import State, Trial
from tuning.trials.memory_check import Feasibility, excess_share
from tuning.trials.store import TrialStore

# Proposals in a row that were tried before, after which the queue looks itself for one that was not.
MAX_REPEATED = 50
OUT_OF_TIME = "tuning.time_budget_s is used up"


class TrialQueue:
    """Hands out the trials of a study, and takes their results.

    Args:
        config: of the study.
        base: sections of the experiment.
        store: rows of earlier runs, and where new ones go.
        proposals: source of configurations.
        factory: makes trials from configurations.
        clock: seconds spent on this study.
        on_end: called with each row that ends.

    Attributes:
        deferred: trials to be run that do not fit the memory now, with the reason; a later run tries them.
    """

    def __init__(
        self,
        config: TuningConfig,
        base: Mapping[str, Any],
        store: TrialStore,
        proposals: Proposals,
        factory: TrialFactory,
        clock: Callable[[], float],
        on_end: Callable[[Trial], None],
    ) -> None:
        self._config, self._base, self._store, self._proposals = config, base, store, proposals
        self._factory, self._clock, self._on_end = factory, clock, on_end
        self._waiting: deque[Trial] = deque()
        self._is_exhausted = False
        self.deferred: list[tuple[Trial, str]] = []
        self._resume_from_store()

    def _resume_from_store(self) -> None:
        """Give the search what is recorded, and queue interrupted trials and missing seeds."""
        for group in ranking.by_configuration(self._store.trials):
            self._proposals.register(group[0].parameters)
            if group[0].state not in REFUSED:
                self._queue_missing_seeds(group)
            self._observe_if_complete(group)
        self._waiting.extend(trial for trial in self._store.trials if not trial.has_ended)
        self._waiting = deque(sorted(self._waiting, key=lambda trial: (trial.configuration, trial.seed)))

    def _queue_missing_seeds(self, group: list[Trial]) -> None:
        missing = set(self._factory.seeds) - {trial.seed for trial in group}
        if not missing:
            return
        parameters, configuration = group[0].parameters, group[0].configuration
        feasibility = self._factory.feasibility(parameters)
        trials = [self._factory.trial(parameters, configuration, seed, feasibility) for seed in sorted(missing)]
        if feasibility.fits:
            self._waiting.extend(trials)
        else:
            self.deferred.extend((trial, feasibility.reason) for trial in trials)

    def is_out_of_time(self) -> bool:
        """Whether no trial may start any more, and running ones have to stop after their epoch."""
        return self._config.time_budget_s is not None and self._clock() >= self._config.time_budget_s

    def next(self) -> Trial | None:
        """The next trial to run, whose row is written; None: there are no more."""
        while not self.is_out_of_time():
            while not self._waiting:
                if self.end_reason() is not None or not self._propose():
                    return None
            waiting = self._waiting.popleft()
            is_interrupted = self._store.has(waiting.key)
            trial = self._resumed(waiting) if is_interrupted else replace(waiting, number=self._store.next_number)
            if trial is not None:
                self._store.write(trial)
                return trial
        return None

    def _resumed(self, trial: Trial) -> Trial | None:
        """An interrupted trial as it is to be run now; None, and deferred, if it does not fit."""
        resumed, feasibility = self._factory.resumed(trial)
        if feasibility.fits:
            return resumed
        self.deferred.append((trial, feasibility.reason))
        return None

    def end_reason(self) -> str | None:
        """Why no further configuration is proposed; None if one is."""
        count = len(ranking.by_configuration(self._store.trials))
        if self.is_out_of_time():
            return f"{OUT_OF_TIME} ({self._config.time_budget_s:g})"
        if self._config.max_configurations is not None and count >= self._config.max_configurations:
            return f"tuning.configurations {self._config.max_configurations}"
        if self._config.patience:
            metric, seeds = self._config.metric, self._config.seeds
            if ranking.configurations_since_best(self._store.trials, metric, seeds) >= self._config.patience:
                return f"tuning.patience: {self._config.patience} configurations without an improvement"
        if self._is_exhausted:
            return f"the space is exhausted, {count} configurations"
        return None

    def report_end(self, trial: Trial) -> None:
        """Take a row that has ended into account."""
        self._on_end(trial)
        self._observe_if_complete([row for row in self._store.trials if row.configuration == trial.configuration])

    def _observe_if_complete(self, group: list[Trial]) -> None:
        """Give the search the result of a configuration once all of its trials have ended."""
        if not ranking.is_complete(group, self._config.seeds):
            return
        first, excess = group[0], 0.0
        if first.state == "infeasible":
            # Values that are incompatible have no sizes, and count as just too large.
            excess = excess_share(first.memory_predicted or 0, first.memory_room or 0)
        self._proposals.observe(first.parameters, ranking.mean_metric(group, self._config.metric), excess)

    def return_unstarted(self, trial: Trial) -> None:
        """Take back a trial that found its deadline passed, or that the end of the time budget finds interrupted.

        In time, it is handed out again. Out of time it ends if it has epochs, keeps its row if it has a checkpoint
        within its first epoch, and otherwise leaves nothing.
        """
        if not self.is_out_of_time():
            self._waiting.appendleft(trial)
        elif records := self._store.epochs(trial):
            _, training = self._factory.configs(trial.parameters, trial.seed)
            if records[-1]["epoch"] >= training.epochs:
                self.report_end(self._store.end(trial, "finished"))
            else:
                self.report_end(self._store.end(trial, "stopped early", OUT_OF_TIME))
        elif self._store.checkpoints(trial).latest() is None:
            self._store.delete(trial)

    def close(self) -> None:
        """End the trials that are still interrupted when the time budget is used up."""
        for trial in self._store.trials:
            if not trial.has_ended:
                self.return_unstarted(trial)
        self.deferred.clear()

    def _propose(self) -> bool:
        """Queue the trials of a new configuration, or write its row if it cannot be trained; False: there is none."""
        parameters = self._untried()
        if parameters is None:
            self._is_exhausted = True
            return False
        configuration = self._store.next_configuration
        try:
            feasibility = self._factory.feasibility(parameters)
            trials = [self._factory.trial(parameters, configuration, seed, feasibility) for seed in self._factory.seeds]
        except UsageError as error:
            self._refuse(parameters, configuration, "infeasible", str(error))
            return True
        if not feasibility.fits:
            self._refuse(parameters, configuration, "infeasible", feasibility.reason, feasibility)
            return True
        self._waiting.extend(trial for trial in trials if not self._store.has(trial.key))
        if not self._waiting:
            self._refuse(parameters, configuration, "repeated", "another configuration results in the same training")
        return True

    def _untried(self) -> Parameters | None:
        """A proposal that is not recorded; None if the space is exhausted."""
        tried = {fingerprint.of_value(trial.parameters) for trial in self._store.trials}
        # A grid and random draws start again from the beginning, with all that is recorded.
        for _ in range(MAX_REPEATED + len(tried)):
            parameters = self._proposals.next()
            if parameters is None:
                return None
            if fingerprint.of_value(parameters) not in tried:
                return parameters
        # A search that has narrowed down, or random draws from a small space: take what is left of it.
        search_space = self._config.search_space
        is_countable = all(domain.all_values is not None for domain in search_space.values())
        for parameters in space.all_configurations(search_space, self._base) if is_countable else ():
            if fingerprint.of_value(parameters) not in tried:
                self._proposals.register(parameters)
                return parameters
        return None

    def _refuse(
        self,
        parameters: Parameters,
        configuration: int,
        state: State,
        reason: str,
        checked: Feasibility | None = None,
    ) -> None:
        """Write the row of a configuration that is not to be run."""
        trial = self._factory.refused(parameters, configuration, self._store.next_number, checked)
        self.report_end(self._store.end(trial, state, reason))
