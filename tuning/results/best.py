"""The best configuration as a YAML file that `raygene train` takes as it is, and its bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines import fingerprint, storage
from pipelines.address import masked_values
from pipelines.dataset import location
from pipelines.dataset.location import Location, local
from pipelines.dataset.manifest import classes
from pipelines.dataset.token_dataset import MANIFEST, read_manifest
from pipelines.display import shown
from pipelines.documents import yaml_writer
from pipelines.errors import BundleError, TrainingError
from pipelines.progress import Silent
from pipelines.remote import redacted
from training import dataset_config
from training.bundle import start
from training.bundle.bundle import Bundle
from training.distributed.run_key import run_key
from training.distributed.train import Run
from training.splits import open_splits
from tuning import keys, lines, ranking
from tuning.config import TuningConfig
from tuning.search.dataset_registry import DATASETS
from tuning.trial import Trial
from tuning.trials.store import TrialStore

EXPERIMENT, RUN = "best.yaml", "best"


def write_best(
    store: TrialStore, base: Mapping[str, Any], config: TuningConfig, dataset: Location | None = None
) -> Path | None:
    """Write `best.yaml` and `best/bundle`; nothing if no trial has a metric.

    Args:
        store: of the study.
        base: sections of the experiment.
        config: of the study.
        dataset: of all trials, where one was named.

    Returns:
        The directory of the bundle.

    Raises:
        BundleError: the bundle that the best trial started from is missing or another one.
        TrainingError: the checkpoint of the best trial is damaged or missing.
        ResourceError: the directory cannot be written.
    """
    trial, workers = ranking.best(store.trials, config.metric, config.seeds), config.workers
    if trial is None:
        return None
    dataset = _dataset_of(store, trial) if dataset is None else dataset
    parameters = {**trial.parameters, "training.seed": trial.seed, "training.workers": workers}
    values = keys.with_parameters(base, parameters)
    manifest = read_manifest(local(dataset, []))
    reconciled, _ = dataset_config.reconcile(values, manifest["config"])
    # A line break in a value or a path would end the comment.
    head = shown(f"{lines.format_parameters(trial.parameters)}: trial {trial.number}, on the dataset {dataset}")
    storage.write_text(store.output / EXPERIMENT, f"# {head}\n" + yaml_writer.dump(masked_values(reconciled)))
    checkpoints = store.checkpoints(trial)
    latest = checkpoints.latest()
    if latest is None:
        raise TrainingError(f"{checkpoints.directory}: no checkpoint of the best trial", "run raygene train best.yaml")
    base = keys.with_classes(base, [classes(manifest)])
    model, training = keys.trial_configs(base, trial.parameters, trial.seed, workers)
    # A trial that was stopped early is not what training to the end results in, and must not pass for it.
    key = trial.key if trial.state == "finished" else fingerprint.of_value([trial.key, trial.epochs])
    run = Run(model, training, dataset, store.output / RUN, *open_splits(dataset, trial.fingerprint), key)
    if run.finished() is None:
        replace(run, start=_start_of(run, trial)).write_bundle(latest.load(), Silent())
    return run.output / "bundle"


def _dataset_of(store: TrialStore, trial: Trial) -> Location:
    """The dataset of a trial: that in the study's directory, which may have moved, or the one that its row names."""
    own = store.output / DATASETS / trial.fingerprint[:12]
    return own if (own / MANIFEST).exists() else location.of_argument(trial.dataset)


def _start_of(run: Run, trial: Trial) -> Bundle | None:
    """The bundle that a trial started from, which its own bundle names; None if it started from none.

    Raises:
        BundleError: it is missing, or another one by now.
    """
    source = start.source(run.model, run.training, run.task, run.train.tokenizer)
    if source is not None and run_key(run.model, run.training, trial.fingerprint) != trial.key:
        raise BundleError(
            f"training.start_from {redacted(str(run.training.start_from))}: is not the bundle that trial "
            f"{trial.number} started from",
            "restore that bundle, which the best model's bundle is to name",
            code="replaced",
        )
    return source


def obsolete_checkpoints(store: TrialStore, config: TuningConfig) -> list[Path]:
    """Directories of checkpoints that nothing needs: of complete configurations other than the best."""
    scores = ranking.scored(store.trials, config.metric, config.seeds)
    best = {trial.key for trial in scores[0][0]} if scores else set()
    complete = [trial for group, _ in scores for trial in group]
    directories = (store.checkpoints(trial).directory for trial in complete if trial.key not in best)
    return [directory for directory in directories if directory.exists()]
