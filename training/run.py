"""Training on Ray Train: checks, starts the workers, shows their epochs, and keeps the best one as a bundle.

Reaching the first step takes about 10 s. A run is keyed by what decides its result: the same command goes on from the
last checkpoint after a kill, and returns at once when the run is finished.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from pipelines import __version__, fingerprint, storage
from pipelines.dataset import TokenDataset
from pipelines.errors import BundleError, DatasetError, TrainingError
from pipelines.metrics import best_threshold
from pipelines.progress import Progress
from training import agreement, bundle, embedding_file, journal, models, survey
from training.bundle import Bundle
from training.checkpoints import Checkpoints, Document
from training.config import ModelConfig, TrainingConfig
from training.follow import LOG, Diary, Follow
from training.launch import Group, launch
from training.notice import StopFile
from training.placement import awaited, nodes_of, place
from training.runlog import METRICS
from training.scoring import probabilities
from training.tracking import Tracker, tracked
from training.worker import run

_NOT_CONTENT = {
    "workers",
    "min_workers",
    "retries",
    "device",
    "layout",
    "token_budget",
    "checkpoint_steps",
    "checkpoint_seconds",
    "log_steps",
    "tensorboard",
    "mlflow",
    "mlflow_experiment",
}


def train(
    model: ModelConfig,
    training: TrainingConfig,
    dataset: Path,
    output: Path,
    progress: Progress,
    resolved: dict[str, Any],
) -> Bundle:
    """Train a model and keep the epoch of highest validation AUROC.

    Args:
        model: the architecture.
        training: the optimisation.
        dataset: directory of a token dataset, readable by every worker.
        output: run directory, written by driver and workers; the model is `output/bundle`.
        progress: told of every epoch.
        resolved: the whole configuration, kept beside the results; where the dataset was built with other values,
            those are told and kept.

    Returns:
        The bundle, as loaded back.

    Raises:
        BundleError: the embedding file does not fit the dataset or the model.
        DatasetError: no finished dataset, or a split without both classes.
        ResourceError: the cluster lacks the workers asked for.
        TrainingError: the loss is no longer a number, or a worker died again and again.
    """
    opened, validation = TokenDataset.open(dataset, "train"), TokenDataset.open(dataset, "validation")
    for split in (opened, validation):
        if set(split.labels.tolist()) != {0, 1}:
            raise DatasetError(
                f"{dataset}: split {split.split} has one class only", "change the split section and build again"
            )
    storage.make_directory(output)
    tracker = Tracker(training.mlflow, progress.warn)
    with storage.only_writer(output), tracked(tracker):
        trained = _train(model, training, opened, validation, dataset, output, progress, resolved, tracker)
        tracker.epochs(trained.config["records"])
        tracker.end("FINISHED", output / "bundle")
    return trained


def _train(
    model: ModelConfig,
    training: TrainingConfig,
    opened: TokenDataset,
    validation: TokenDataset,
    dataset: Path,
    output: Path,
    progress: Progress,
    resolved: dict[str, Any],
    tracker: Tracker,
) -> Bundle:
    key = run_key(model, training, opened.manifest["fingerprint"])
    resolved, differences = agreement.reconcile(resolved, opened.manifest["config"])
    if differences:
        progress.warn(
            f"{dataset}: built with {'; '.join(differences)} as in the experiment: the dataset's values count and are "
            f"written to {output / 'experiment.yaml'}; to use the experiment's, run raygene build"
        )
    storage.write_text(output / "experiment.yaml", yaml.safe_dump(resolved, sort_keys=False))
    tracker.begin(training.mlflow_experiment, output.name, key, str(output), resolved)
    if finished := _finished(output, key):
        journal.write(output / METRICS, finished.config["records"])
        progress.note(f"{output} is trained already; nothing to do")
        return finished
    checkpoints = Checkpoints(output / f"checkpoints-{key[:12]}")
    document = _document(checkpoints)
    if document is None or not _is_last(document, training):
        if model.embedding_file:
            embedding_file.load(Path(model.embedding_file), opened.tokenizer, model.embedding)
        _fit(model, training, opened, dataset, output, checkpoints, progress, tracker)
        document = _document(checkpoints)
    if document is None or not _is_last(document, training):
        raise TrainingError(f"{checkpoints.directory}: no checkpoint of the last epoch", "run again with --verbose")
    journal.write(output / METRICS, document["records"])
    network = models.make(model, opened.tokenizer.vocabulary_size)
    network.load_state_dict(document["best"])
    scores = probabilities(network, validation.tokens, validation.lengths, training.token_budget)
    config = bundle.describe(
        model,
        training.model_dump(mode="json"),
        opened.manifest,
        document["best_record"],
        best_threshold(validation.labels, scores),
        {"raygene": __version__, "ray": metadata.version("ray")},
    )
    Bundle(network, opened.tokenizer, config | {"run": key, "records": document["records"]}).save(output / "bundle")
    return bundle.load(output / "bundle")


def run_key(model: ModelConfig, training: TrainingConfig, dataset: str) -> str:
    """SHA-256 over what decides a run's result: not workers, device or token budget.

    Raises:
        BundleError: the embedding file is missing.
    """
    return fingerprint.of_value(
        {
            "model": embedding_file.identity(model),
            "training": training.model_dump(mode="json", exclude=_NOT_CONTENT),
            "dataset": dataset,
        }
    )


def _finished(output: Path, key: str) -> Bundle | None:
    try:
        found = bundle.load(output / "bundle")
    except BundleError:
        return None
    return found if found.config.get("run") == key else None


def _document(checkpoints: Checkpoints) -> Document | None:
    latest = checkpoints.latest()
    return latest.load() if latest else None


def _is_last(document: Document, training: TrainingConfig) -> bool:
    """Whether training ends with this checkpoint, by its last epoch or for want of patience."""
    if document["step"]:
        return False
    waited = document["epoch"] - document["best_record"]["epoch"] if document["epoch"] else 0
    return document["epoch"] >= training.epochs or bool(training.patience and waited >= training.patience)


def _fit(
    model: ModelConfig,
    training: TrainingConfig,
    train_split: TokenDataset,
    dataset: Path,
    output: Path,
    checkpoints: Checkpoints,
    progress: Progress,
    tracker: Tracker,
) -> None:
    """Run the loop on Ray Train until the last checkpoint is written."""
    import ray

    diary = Diary(output / LOG, progress)
    survey.require(training.device)
    share = place(nodes_of(ray.nodes()), training.workers, training.device)  # type: ignore[no-untyped-call]
    if held := awaited(share, training.workers, ray.available_resources()):
        diary.note(f"the cluster is busy: training waits for {held}")
    kind = "GPU" if share.use_gpu else "CPU"
    diary.note(f"training on {training.workers} {kind} worker{'s' if training.workers > 1 else ''}")
    steps = -(-len(train_split) // training.batch)
    given = {
        "model": model.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "dataset": str(dataset),
        "output": str(output),
        "checkpoints": str(checkpoints.directory),
        "threads": share.cpus,
    }
    group = Group(training.workers, training.min_workers or training.workers, share, training.retries)
    stop = StopFile(checkpoints.directory)
    stop.clear()

    def ask_to_stop() -> None:
        diary.note("interrupted: a checkpoint is written before training stops; once more, and it stops at once")
        stop.ask()

    try:
        with progress.stage("training", training.epochs * steps) as stage:
            follow = Follow(steps, diary, stage, tracker)
            launch(run, given, group, output, follow, ask_to_stop)
    except KeyboardInterrupt:
        if follow.ended:
            diary.note(f"stopped after epoch {follow.ended[0] + 1}, step {follow.ended[1]} of {steps}, which is kept")
        raise
    finally:
        stop.clear()
