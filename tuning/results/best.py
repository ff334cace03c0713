"""The best configuration as a YAML that `raygene train` takes as it is, and its bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipelines import fingerprint, storage
from pipelines.dataset.token_dataset import read_manifest
from pipelines.errors import TrainingError
from training import dataset_config
from training.distributed.train import Run
from training.splits import open_splits
from tuning import keys, lines, summary
from tuning.config import TuningConfig
from tuning.trial import Trial
from tuning.trials.store import TrialStore

EXPERIMENT, FOLDER = "best.yaml", "best"


def write(ledger: TrialStore, base: Mapping[str, Any], config: TuningConfig) -> Path | None:
    """Write `best.yaml` and `best/bundle`; nothing where no trial has a figure.

    Args:
        ledger: of the campaign.
        base: the experiment's sections.
        config: of the campaign.

    Returns:
        The bundle.

    Raises:
        TrainingError: the checkpoint of the best trial is damaged or gone.
        ResourceError: the place cannot be written.
    """
    trial, workers = summary.best(ledger.trials, config.metric, config.seeds), config.workers
    if trial is None:
        return None
    dataset = Path(trial.dataset)
    values = keys.changed(base, {**trial.parameters, "training.seed": trial.seed, "training.workers": workers})
    agreed, _ = dataset_config.reconcile(values, read_manifest(dataset)["config"])
    head = f"# {lines.settings(trial.parameters)}: trial {trial.number}, on the dataset {dataset}\n"
    storage.write_text(ledger.output / EXPERIMENT, head + yaml.safe_dump(agreed, sort_keys=False))
    kept = ledger.checkpoints(trial)
    latest = kept.latest()
    if latest is None:
        raise TrainingError(f"{kept.directory}: no checkpoint of the best trial", "run raygene train best.yaml")
    model, training = keys.configured(base, trial.parameters, trial.seed, workers)
    # Stopped early it is not what training to the end makes, and does not pass for it.
    key = trial.key if trial.state == "finished" else fingerprint.of_value([trial.key, trial.epochs])
    run = Run(model, training, dataset, ledger.output / FOLDER, *open_splits(dataset, trial.fingerprint), key)
    if run.finished() is None:
        run.write_bundle(latest.load())
    return run.output / "bundle"


def spare(ledger: TrialStore, config: TuningConfig) -> list[Path]:
    """Checkpoints that nobody will ask for: of configurations that have ended and are not the best."""
    ranked: Sequence[tuple[list[Trial], float]] = summary.scored(ledger.trials, config.metric, config.seeds)
    chosen = {trial.key for trial in ranked[0][0]} if ranked else set()
    done = [trial for rows, _ in ranked for trial in rows]
    spared = (ledger.checkpoints(trial).directory for trial in done if trial.key not in chosen)
    return [path for path in spared if path.exists()]
