"""One run of a campaign on the Ray that is connected: what its parts are told of each other, and the time it takes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.dataset.token_dataset import MANIFEST, TokenDataset
from pipelines.errors import BundleError, UsageError
from pipelines.progress import Progress
from training.config import ModelConfig, TrainingConfig
from training.memory.capacity import shown
from training.models import embedding_file
from training.splits import open_splits
from tuning import identity, keys, lines
from tuning.config import TuningConfig
from tuning.results import best
from tuning.search import proposals
from tuning.search.dataset_registry import DatasetRegistry
from tuning.search.queue import Data, TrialQueue
from tuning.trial import Trial
from tuning.trials import machines, memory_check, worker
from tuning.trials.memory_check import Feasibility
from tuning.trials.store import TrialStore

# Time spent is stored no more often.
TICK_S = 5.0
REMEDY = "search smaller sizes, shorter sequences (crop.length), or state a larger device with tuning.device_memory"


class Run:
    """From the first trial that is left to do to the last.

    Args:
        config: the search.
        base: the experiment's sections.
        ledger: rows of earlier runs.
        found: the datasets.
        about: the campaign's identity, stored with the time spent.
        spent: seconds of earlier runs.
        progress: told of every trial.
    """

    def __init__(
        self,
        config: TuningConfig,
        base: Mapping[str, Any],
        ledger: TrialStore,
        found: DatasetRegistry,
        about: identity.Identity,
        spent: float,
        progress: Progress,
    ) -> None:
        self._config, self._base, self._ledger, self._progress = config, base, ledger, progress
        self._clock, self._told, self._identity = Clock(spent), spent, about
        self._training = TrainingConfig.model_validate(base["training"])
        files = [ledger.output / identity.CAMPAIGN, *(path / MANIFEST for path in found.paths)]
        self._machine = machines.of_cluster(config, self._training.device, ledger.output, files)
        self._splits: dict[Path, tuple[TokenDataset, TokenDataset]] = {}
        source = proposals.proposals(config, base, len({one.configuration for one in ledger.trials}))
        self._agenda = TrialQueue(config, base, ledger, source, found, self._judge, self._clock, self._tell)

    def to_the_end(self) -> float:
        """Everything that is still to do, on the Ray that is connected; seconds spent on the campaign."""
        from tuning.search import ray_searcher
        from tuning.trials import tuner

        metric = ray_searcher.METRIC.format(self._config.metric)
        front = ray_searcher.StudySearcher(self._agenda, self._ledger, self._given, metric, self._progress.warn)
        past = [
            [worker.standing(records, record["epoch"]) for record in records]
            for trial in self._ledger.trials
            if trial.over and (records := self._ledger.epochs(trial))
        ]
        halving = ray_searcher.scheduler(self._config, metric, past)
        self._progress.note(self._plan())
        for path in self._ledger.aside:
            self._progress.note(
                f"{path}: no row of a trial that this version reads; moved here, and the campaign goes on without it"
            )

        def interrupt() -> None:
            front.closing = True

        stop, watch = ray_searcher.Deadline(self._agenda, front, self._tick), ray_searcher.Watch(front)
        try:
            tuner.fit(front, halving, stop, self._config, self._training, self._ledger.output, interrupt, watch)
        finally:
            # What still runs in Tune's thread is to write nothing.
            front.closing = True
            identity.write(self._ledger.output, self._identity, self._clock())
        if front.error is not None:
            raise front.error
        if self._agenda.out_of_time():
            self._agenda.close()
        if ending := self._agenda.ending():
            self._progress.note(f"no further configuration: {ending}")
        trials = self._ledger.trials
        if trials and all(trial.state == "infeasible" and trial.memory_predicted for trial in trials):
            self._progress.note(f"nothing fits {shown(self._machine.memory)}: {REMEDY}")
        return self._clock()

    @property
    def held(self) -> list[tuple[Trial, str]]:
        """Trials that a later run has to try, with the reason."""
        return self._agenda.held

    def _tick(self) -> None:
        """Store the time spent, so that a kill loses little of it."""
        if (now := self._clock()) - self._told >= TICK_S:
            self._told = now
            identity.write(self._ledger.output, self._identity, now)

    def _plan(self) -> str:
        machine, done = self._machine, sum(trial.over for trial in self._ledger.trials)
        where = f"{machine.gpus} GPUs" if machine.gpus else f"{machine.cpus:g} CPUs"
        most = (
            f"{self._config.max_configurations} configurations"
            if self._config.max_configurations
            else "every configuration"
        )
        return f"tuning: {most} by {self._config.search}, on {where} with {shown(machine.memory)} to share" + (
            f"; {done} trials are done" if done else ""
        )

    def _tell(self, trial: Trial) -> None:
        done = len({row.configuration for row in self._ledger.trials if row.over})
        self._progress.note(lines.line(trial, self._config, done))
        for path in best.spare(self._ledger, self._config):
            shutil.rmtree(path, ignore_errors=True)

    def _judge(self, model: ModelConfig, training: TrainingConfig, data: Data) -> Feasibility:
        if data.path not in self._splits:
            self._splits[data.path] = open_splits(data.path, data.fingerprint)
        splits = self._splits[data.path]
        if model.embedding_file:
            try:
                embedding_file.load(Path(model.embedding_file), splits[0].tokenizer, model.embedding)
            except BundleError as error:
                # Of another size or tokenizer: these values do not go together, and others may.
                raise UsageError(error.problem, error.fix) from error
        lengths = np.concatenate([split.lengths for split in splits])
        return memory_check.judge(model, training, lengths, splits[0].tokenizer, self._machine)

    def _given(self, trial: Trial) -> dict[str, Any]:
        """What the process of a trial is given."""
        model, training = keys.configured(self._base, trial.parameters, trial.seed, self._config.workers)
        return {
            "model": model.model_dump(mode="json"),
            "training": training.model_dump(mode="json") | {"token_budget": trial.token_budget},
            "dataset": trial.dataset,
            "fingerprint": trial.fingerprint,
            "folder": str(self._ledger.folder(trial)),
            "gap_rows": self._config.gap_rows,
            "retain_memory": trial.retain_memory,
            "cpus": trial.cpus,
            "gpus": trial.gpus,
            "until": None
            if self._config.time_budget_s is None
            else time.time() + self._config.time_budget_s - self._clock(),
        }


class Clock:
    """Seconds spent on a campaign, those of earlier runs included.

    Args:
        spent: by earlier runs.
    """

    def __init__(self, spent: float) -> None:
        self._began = time.monotonic() - spent

    def __call__(self) -> float:
        return time.monotonic() - self._began
