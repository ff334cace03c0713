"""A hyperparameter study: datasets, trials that fit the memory, rows that survive any kill, and the report.

A trial costs the start of a process once for each slot, and little afterwards. The same command resumes after a kill:
ended trials keep their rows, interrupted ones resume from their checkpoints, and a finished study is reported as
finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines import storage
from pipelines.build.pipeline import Connect
from pipelines.dataset.location import Location, local
from pipelines.dataset.manifest import classes
from pipelines.dataset.token_dataset import read_manifest
from pipelines.display import counted
from pipelines.errors import BusyError, ResourceError, UsageError
from pipelines.progress import Progress
from training.bundle import start
from training.config import TrainingConfig
from training.distributed.run_key import NOT_CONTENT
from training.tasks import Task
from tuning import identity, keys
from tuning.config import TuningConfig
from tuning.results.study_report import StudyReport, write_report
from tuning.run import Run
from tuning.search import dataset_registry, space
from tuning.search.dataset_registry import DatasetRegistry
from tuning.trial import Trial
from tuning.trials.store import TrialStore


@dataclass(frozen=True)
class Study:
    """What a study is to do.

    Attributes:
        config: of the study.
        base: sections of the experiment, resolved.
        dataset: directory or address of that of all trials; None: built from the experiment.
        output: the study's directory.
        command: the command line, for the page; empty if it is not known.
    """

    config: TuningConfig
    base: Mapping[str, Any]
    dataset: Location | None
    output: Path
    command: str = ""

    def for_task(self) -> Study:
        """The study with a metric of its task, which an existing dataset decides.

        Raises:
            DatasetError: there is no finished dataset.
            UsageError: the metric is one of another task.
        """
        data = self.base if self.dataset is None else read_manifest(local(self.dataset, []))["config"]
        of_task = {name: data[name] for name in ("task", "classes", "labels", "window") if name in data}
        return replace(self, config=self.config.for_task(Task.of_dataset(data)), base={**self.base, **of_task})

    def identity(self, datasets: list[str]) -> dict[str, Any]:
        """What is tried, and on which data.

        Args:
            datasets: fingerprints.
        """
        training = {key: value for key, value in self.base["training"].items() if key not in NOT_CONTENT}
        if training.get("start_from") is not None:
            # A study is known by the content of the bundle, which may lie elsewhere next time.
            training["start_from"] = start.digest(TrainingConfig.model_validate(self.base["training"]))
        return {
            "tuning": self.config.model_dump(mode="json", by_alias=True, exclude=identity.FREE),
            "space": {key: domain.model_dump(mode="json") for key, domain in self.config.search_space.items()},
            "datasets": datasets,
            "model": self.base["model"],
            "training": training,
        }


def tune(study: Study, connect: Connect, progress: Progress) -> tuple[TrialStore, StudyReport]:
    """Run a study to its end.

    Args:
        study: what is tried.
        connect: opens Ray; called only when there is something to do.
        progress: shows each trial.

    Returns:
        The rows, and the report, with the error to end with if trials are left to a later run.

    Raises:
        UsageError: the space is wrong, or `output` holds another study.
        DatasetError: there is no finished dataset.
        ResourceError: the cluster lacks what is requested, `output` cannot be written, or another process writes it.
        TrainingError: Ray Tune failed.
        KeyboardInterrupt: interrupted; everything up to the last epochs is kept.
    """
    space.ordered_keys(study.config.search_space)
    storage.make_directory(study.output)
    with storage.only_writer(study.output):
        storage.remove_partial(study.output)
        datasets = _open_datasets(study, connect, progress)
        study_identity = study.identity(datasets.fingerprints)
        spent = _begin_or_resume(study.output, study_identity)
        store = TrialStore(study.output)
        is_finished = identity.finished_by(study.output) == _limits(study, store)
        if is_finished and all(trial.has_ended for trial in store.trials):
            progress.note(f"{study.output}: the study is finished; nothing to do")
            return store, _report(study, store, spent)
        identity.mark_unfinished(study.output)
        with connect():
            base = keys.with_classes(study.base, (classes(read_manifest(path)) for path in datasets.directories))
            run = Run(study.config, base, store, datasets, study_identity, spent, progress)
            spent = run.run()
        if not run.deferred:
            identity.mark_finished(study.output, _limits(study, store))
        with progress.stage("report"):
            report = _report(study, store, spent)
        return store, replace(report, error=_deferred_error(run.deferred))


def report_only(study: Study, progress: Progress) -> tuple[TrialStore, StudyReport]:
    """Write the report of the trials so far, without training; of a running study, without the best configuration.

    Args:
        study: which must be the one in its directory.
        progress: shows that the study is running.

    Raises:
        UsageError: there is no study, or another one.
    """
    stored = identity.read(study.output)
    if stored is None:
        raise UsageError(f"{study.output}: no study there", "name the --output of raygene tune")
    stored_identity, seconds = stored
    identity.require_same(study.output, stored_identity, study.identity(stored_identity["datasets"]))
    store = TrialStore(study.output, read_only=True)
    try:
        with storage.only_writer(study.output):
            return store, _report(study, store, seconds)
    except BusyError:
        progress.note(f"{study.output}: the study is running; its best configuration is written at its end")
        return store, _report(study, store, seconds, with_best=False)


def _report(study: Study, store: TrialStore, seconds: float, *, with_best: bool = True) -> StudyReport:
    return write_report(
        store, study.config, study.base, seconds, dataset=study.dataset, with_best=with_best, command=study.command
    )


def _deferred_error(deferred: Sequence[tuple[Trial, str]]) -> ResourceError | None:
    """The error that a study ends with if it leaves trials to a later run."""
    if not deferred:
        return None
    trial, reason = deferred[0]
    name = f"trial {trial.number}" if trial.number else f"seed {trial.seed} of configuration {trial.configuration}"
    return ResourceError(
        f"{counted(len(deferred), 'trial')} still to be run {'does' if len(deferred) == 1 else 'do'} not fit "
        f"the memory that is free now; the first is {name} ({reason})",
        "run the same command when more is free, or state the memory with tuning.device_memory",
    )


def _limits(study: Study, store: TrialStore) -> dict[str, Any]:
    """The limits that a study ends by, with its number of rows.

    The same limits find a finished study finished. With higher ones, or after a row was deleted, it continues.
    """
    limits = {name: getattr(study.config, name) for name in ("configurations", "time_budget_s", "patience")}
    return limits | {"rows": len(store.trials)}


def _open_datasets(study: Study, connect: Connect, progress: Progress) -> DatasetRegistry:
    search_space = study.config.search_space
    if study.dataset is not None:
        return dataset_registry.use_existing(study.dataset, search_space)
    return dataset_registry.build_all(study.base, search_space, study.output, connect, progress)


def _begin_or_resume(output: Path, requested: identity.Identity) -> float:
    """Store the identity of a study, or compare it with the stored one; returns the seconds spent by earlier runs."""
    stored = identity.read(output)
    if stored is not None:
        identity.require_same(output, stored[0], requested)
    spent = stored[1] if stored is not None else 0.0
    # Also on resume: an earlier version wrote the file under another name.
    identity.write(output, requested, spent)
    return spent
