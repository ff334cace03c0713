"""One run of a study on a connected Ray: it connects queue, store, searcher and Ray Tune, and counts the time spent."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.dataset.token_dataset import MANIFEST, TokenDataset
from pipelines.display import counted, format_size
from pipelines.errors import BundleError, UsageError
from pipelines.progress import Progress, Stage
from pipelines.ray_map.nodes import Node, Shortage, held_by_any
from pipelines.stores import worker_folder
from training.bundle import start
from training.config import ModelConfig, TrainingConfig
from training.models import embedding_file
from training.splits import open_splits
from training.tasks import Task
from tuning import identity, keys, lines, ranking
from tuning.config import TuningConfig
from tuning.results import best
from tuning.search.dataset_registry import DatasetRegistry
from tuning.search.proposals import make_proposals
from tuning.search.queue import TrialQueue
from tuning.search.trial_factory import DatasetRef, TrialFactory
from tuning.trial import Trial
from tuning.trials import admission, cost_estimate, machines, memory_check, worker
from tuning.trials.admission import Admission, Shares
from tuning.trials.heartbeat import Heartbeat
from tuning.trials.memory_check import Feasibility
from tuning.trials.store import TrialStore
from tuning.trials.trial_spec import TrialSpec

# How often the time spent is stored.
SAVE_INTERVAL_S = 5.0


class Run:
    """Runs the trials of a study that are still to do.

    Args:
        config: of the study.
        base: sections of the experiment.
        store: rows of earlier runs.
        datasets: of the study.
        study_identity: identity of the study, which is stored with the time spent.
        spent: seconds of earlier runs.
        progress: shows each trial.
    """

    def __init__(
        self,
        config: TuningConfig,
        base: Mapping[str, Any],
        store: TrialStore,
        datasets: DatasetRegistry,
        study_identity: identity.Identity,
        spent: float,
        progress: Progress,
    ) -> None:
        self._config, self._base, self._store, self._progress = config, base, store, progress
        self._clock, self._last_saved, self._identity = Clock(spent), spent, study_identity
        self._training = TrainingConfig.model_validate(base["training"])
        files = [store.output / identity.STUDY, *(path / MANIFEST for path in datasets.directories)]
        self._machine = machines.smallest_machine(config, self._training.device, store.output, files)
        if config.workers > 1:
            machines.require_led_here(config.workers, store.output)
        self._shares = self._shared_out() if config.workers > 1 else None
        self._datasets = datasets
        self._splits: dict[str, tuple[TokenDataset, TokenDataset]] = {}
        proposals = make_proposals(config, base, len(ranking.by_configuration(store.trials)))
        factory = TrialFactory(config, base, datasets.dataset_of, self._check_memory)
        self._stage: Stage | None = None
        self._queue = TrialQueue(config, base, store, proposals, factory, self._clock, self._on_end)

    def run(self) -> float:
        """Run all trials that are still to do, on the connected Ray; returns the seconds spent on the study.

        Raises:
            RaygeneError: what ended the study, such as a full disk; its trials stay to be resumed.
            KeyboardInterrupt: interrupted.
        """
        from tuning.search import ray_searcher
        from tuning.trials import tuner

        metric = f"validation_{self._config.metric}"
        searcher = ray_searcher.StudySearcher(
            self._queue, self._store, self._spec, metric, self._progress.warn, admission=self._admission()
        )
        earlier = [
            [worker.epoch_report(records, record["epoch"]) for record in records]
            for trial in self._store.trials
            if trial.has_ended and (records := self._store.epochs(trial))
        ]
        scheduler = ray_searcher.make_scheduler(self._config, metric, earlier)
        callback = ray_searcher.StartCallback(searcher)
        self._note_plan()

        def request_stop() -> None:
            searcher.is_closing = True

        config, output = self._config, self._store.output
        with self._progress.stage("tuning", self._planned_trials(), unit="trials") as self._stage:
            self._stage.advance(sum(trial.has_ended for trial in self._store.trials))
            heartbeat = Heartbeat(self._store, config, self._stage, self._epochs_of, self._budget_left)

            shortage = Shortage(
                lambda nodes: all(_is_held(trial, nodes) for trial in searcher.running),
                "a running trial needs more than any other has",
            )

            def tick() -> None:
                # Trials of several workers look for themselves.
                if self._shares is None:
                    searcher.end_if_raised(shortage.require)
                self._save_time_spent()
                heartbeat(searcher.running)

            stopper = ray_searcher.StudyStopper(self._queue, searcher, tick)
            try:
                tuner.fit(searcher, scheduler, stopper, callback, config, self._training, output, request_stop)
            finally:
                # After an interrupt Ray Tune's thread may still run: it must write no more rows.
                searcher.is_closing = True
                identity.write(self._store.output, self._identity, self._clock())
        if searcher.error is not None:
            raise searcher.error
        if self._queue.is_out_of_time():
            self._queue.close()
        self._note_end()
        return self._clock()

    def _shared_out(self) -> Shares:
        """What each worker gets of a trial of several."""
        limits = [limit for limit in (self._config.concurrent, self._planned_trials()) if limit is not None]
        return admission.share_out(
            machines.usage().nodes, self._config.workers, self._training.device, min(limits, default=None)
        )

    def _admission(self) -> Admission | None:
        """Decides when trials of several workers begin; Ray Tune reserves for those of one."""
        if self._shares is None:
            return None
        return Admission(self._config.workers, self._shares.usual, self._config.concurrent, machines.usage)

    def _planned_trials(self) -> int | None:
        count = self._config.max_configurations
        return None if count is None else count * self._config.seeds

    def _epochs_of(self, trial: Trial) -> int:
        return keys.trial_configs(self._base, trial.parameters, trial.seed, self._config.workers)[1].epochs

    def _budget_left(self) -> float | None:
        budget = self._config.time_budget_s
        return None if budget is None else budget - self._clock()

    @property
    def deferred(self) -> list[tuple[Trial, str]]:
        """Trials that a later run has to try, with the reason."""
        return self._queue.deferred

    def _save_time_spent(self) -> None:
        """Store the time spent now and then, so that a kill loses little of it."""
        if (now := self._clock()) - self._last_saved >= SAVE_INTERVAL_S:
            self._last_saved = now
            identity.write(self._store.output, self._identity, now)

    def _note_plan(self) -> None:
        machine, done = self._machine, sum(trial.has_ended for trial in self._store.trials)
        devices = (
            counted(machine.gpus, "GPU") if machine.gpus else f"{machine.cpus:g} CPU{'' if machine.cpus == 1 else 's'}"
        )
        count = self._config.max_configurations
        configurations = counted(count, "configuration") if count else "all configurations"
        memory = format_size(machine.memory)
        plan = f"tuning: {configurations} by {self._config.search}, on {devices} with {memory} to share"
        self._progress.note(plan + (f"; {counted(done, 'trial')} {'is' if done == 1 else 'are'} done" if done else ""))
        for path in self._store.set_aside:
            self._progress.note(
                f"{path}: this version cannot read its row; it was moved here, and the study continues without it"
            )

    def _note_end(self) -> None:
        if reason := self._queue.end_reason():
            self._progress.note(f"no further configuration: {reason}")
        trials = self._store.trials
        if trials and all(trial.state == "infeasible" and trial.memory_predicted for trial in trials):
            self._progress.note(lines.format_nothing_fits(self._machine.memory, Task.of_dataset(self._base).name))

    def _on_end(self, trial: Trial) -> None:
        done = len({row.configuration for row in self._store.trials if row.has_ended})
        self._progress.note(lines.format_trial(trial, self._config, done))
        if self._stage is not None:
            self._stage.advance()
        for path in best.obsolete_checkpoints(self._store, self._config):
            shutil.rmtree(path, ignore_errors=True)

    def _check_memory(self, model: ModelConfig, training: TrainingConfig, dataset: DatasetRef) -> Feasibility:
        if dataset.fingerprint not in self._splits:
            self._splits[dataset.fingerprint] = open_splits(dataset.location, dataset.fingerprint)
        splits = self._splits[dataset.fingerprint]
        tokenizer = splits[0].tokenizer
        task = Task.of_dataset(splits[0].manifest["config"])
        try:
            start.source(model, training, task, tokenizer)
            if model.embedding_file:
                embedding_file.load(model.embedding_file, tokenizer, model.embedding)
        except BundleError as error:
            # Its size or tokenizer is incompatible with this configuration; it may fit others.
            raise UsageError(error.problem, error.fix) from error
        lengths = np.concatenate([split.lengths for split in splits])
        feasibility = memory_check.check_memory(model, training, lengths, tokenizer, self._machine, task)
        if self._shares is None:
            return feasibility
        workers = self._config.workers
        placement = self._shares.of_worker(workers, feasibility.cpus)
        return replace(feasibility, cpus=placement.cpus * workers, gpus=workers if placement.use_gpu else 0)

    def _spec(self, trial: Trial) -> TrialSpec:
        """What the process of a trial needs."""
        model, training = keys.trial_configs(self._base, trial.parameters, trial.seed, self._config.workers)
        budget = self._config.time_budget_s
        self._warn_if_long(trial)
        return TrialSpec(
            model=model,
            training=training.model_copy(update={"token_budget": trial.token_budget}),
            dataset=self._datasets.dataset_of(trial.parameters).location,
            fingerprint=trial.fingerprint,
            folder=self._store.folder(trial),
            served=worker_folder.of(self._store.folder(trial)),
            gap_rows=self._config.gap_rows,
            retain_memory=trial.retain_memory,
            cpus=trial.cpus,
            gpus=trial.gpus,
            start=start.digest(training),
            deadline=None if budget is None else time.time() + budget - self._clock(),
            time_limit=self._config.trial_time_limit,
        )

    def _warn_if_long(self, trial: Trial) -> None:
        """Announce a trial on CPUs that will take hours, before it begins."""
        needed = self._operations(trial)
        if self._machine.gpus or needed is None:
            return
        ended = [(other, self._operations(other, other.epochs)) for other in self._store.trials if other.has_ended]
        measured = cost_estimate.rate((other, done) for other, done in ended if done)
        expected = cost_estimate.seconds(needed, trial.cpus, measured)
        limit = self._config.trial_time_limit or math.inf
        if min(expected, limit) < cost_estimate.LONG_S:
            return
        basis = "trials so far" if measured else "its size"
        self._progress.warn(
            f"trial {trial.number} ({lines.format_parameters(trial.parameters)}) has {trial.weights:,} weights and may "
            f"take {lines.format_duration(expected)} on {trial.cpus:g} CPUs, estimated from {basis}; interrupt and "
            "search smaller sizes, or set tuning.trial_time_limit"
        )

    def _operations(self, trial: Trial, epochs: int | None = None) -> float | None:
        """Floating-point operations of a trial; None if its size is not known.

        Args:
            trial: a row of the study.
            epochs: that count (default: all that it is trained for).
        """
        splits = self._splits.get(trial.fingerprint)
        if trial.weights is None or splits is None:
            return None
        model, training = keys.trial_configs(self._base, trial.parameters, trial.seed, self._config.workers)
        tokens = int(splits[0].lengths.sum())
        # A row of the embedding is looked up, not multiplied.
        tables = model.ensemble * splits[0].tokenizer.vocabulary_size * model.embedding
        weights = max(trial.weights - tables, 1)
        return cost_estimate.operations(weights, tokens // model.stem_stride, epochs or training.epochs)


def _is_held(trial: Trial, nodes: Sequence[Node]) -> bool:
    """Whether one of the nodes has what a trial of one worker reserves."""
    return held_by_any(math.ceil(trial.cpus), math.ceil(trial.gpus))(nodes)


class Clock:
    """Seconds spent on a study, including those of earlier runs.

    Args:
        spent: seconds of earlier runs.
    """

    def __init__(self, spent: float) -> None:
        self._began = time.monotonic() - spent

    def __call__(self) -> float:
        return time.monotonic() - self._began
