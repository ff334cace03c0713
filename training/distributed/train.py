"""Training on Ray Train: checks, starts the workers, shows their epochs, and keeps the best one as a bundle.

Reaching the first step takes about 10 s. A run is keyed by what decides its result: the same command goes on from the
last checkpoint after a kill, and returns at once when the run is finished.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from pipelines import __version__, storage
from pipelines.audit import shortcuts
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError, ResourceError, TrainingError
from pipelines.progress import Progress
from training import dataset_config, models
from training.bundle import bundle, description
from training.bundle.bundle import Bundle
from training.config import ModelConfig, TrainingConfig
from training.distributed import gpu_check, memory_plan, worker
from training.distributed.launch import Group, launch
from training.distributed.placement import awaited, beside, nodes_of, place
from training.distributed.run_key import run_key
from training.distributed.run_progress import LOG, ProgressReporter, RunLogger
from training.distributed.stop_signal import StopFile
from training.engine.checkpoints import Checkpoints, Document
from training.engine.precision import require_device
from training.memory.capacity import format_size
from training.models import embedding_file
from training.observability import journal
from training.observability.embeddings import EMBEDDINGS, Embeddings, refuse_own
from training.observability.mlflow import Tracker, tracked
from training.observability.runlog import METRICS
from training.splits import open_splits

Record = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run: what is trained, on what, and where it lies.

    Attributes:
        model: the architecture.
        training: the optimisation.
        dataset: directory of the token dataset.
        output: the run's directory.
        train: its rows to learn from.
        validation: its rows to choose the best epoch by.
        key: of what decides the result.
    """

    model: ModelConfig
    training: TrainingConfig
    dataset: Path
    output: Path
    train: TokenDataset
    validation: TokenDataset
    key: str

    @property
    def steps(self) -> int:
        """Optimizer steps of an epoch."""
        return -(-len(self.train) // self.training.global_batch_size)

    @property
    def checkpoints(self) -> Checkpoints:
        """Those of this run, and of no other in the same directory."""
        return Checkpoints(self.output / f"checkpoints-{self.key[:12]}")

    def finished(self) -> Bundle | None:
        """The bundle, if it is there."""
        try:
            found = bundle.load(self.output / "bundle")
        except BundleError:
            return None
        return found if found.config.get("run") == self.key else None

    def last(self) -> Document | None:
        """The checkpoint with which training ends, by its last epoch or for want of patience; None before.

        Raises:
            TrainingError: the latest checkpoint is damaged.
        """
        latest = self.checkpoints.latest()
        document = latest.load() if latest else None
        if document is None or document["step"]:
            return None
        waited = document["epoch"] - document["best_record"]["epoch"]
        patience = self.training.patience
        return document if document["epoch"] >= self.training.epochs or 0 < patience <= waited else None

    def records(self, finished: Bundle) -> list[Record]:
        """The figures of a finished run's epochs; those of the machine too if the journal or a checkpoint still has them."""
        lasting = [description.lasting(record) for record in finished.config["records"]]
        for source in (lambda: journal.read(self.output / METRICS), self._kept_records):
            found = source()
            if [description.lasting(record) for record in found] == lasting:
                return found
        return list(finished.config["records"])

    def _kept_records(self) -> list[Record]:
        try:
            document = self.last()
        except (ResourceError, TrainingError):
            return []
        return document["records"] if document else []

    def write_bundle(self, document: Document) -> Bundle:
        """Make the bundle of the best epoch, and its embedding file if that is not there."""
        kept = Embeddings(self.output / EMBEDDINGS, self.key[:12], self.train.tokenizer)
        kept.keep(document["best_record"], document["best"])
        network = models.make(self.model, self.train.tokenizer.vocabulary_size)
        network.load_state_dict(document["best"])
        config = description.describe(
            self.model,
            description.published(self.training),
            self.train.manifest,
            document["best_record"],
            document["best_record"]["threshold"],
            {"raygene": __version__, "ray": metadata.version("ray")},
        )
        rules = shortcuts.audit(self.train, self.validation)
        config |= {
            "run": self.key,
            "records": [description.lasting(record) for record in document["records"]],
            "parameters": description.parameters(network),
            "shortcuts": {rule.name: rule.metrics["auroc"] for rule in sorted(rules, key=lambda rule: rule.name)},
        }
        Bundle(network, self.train.tokenizer, config).save(self.output / "bundle")
        return bundle.load(self.output / "bundle")


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
        progress: told of every step.
        resolved: the whole configuration, kept beside the results; where the dataset was built with other values,
            those are told and kept.

    Returns:
        The bundle, as loaded back.

    Raises:
        BundleError: the embedding file does not fit the dataset or the model.
        DatasetError: no finished dataset, or a split that is empty or lacks a class.
        ResourceError: the cluster lacks the workers asked for, or another process writes to `output`.
        TrainingError: the loss is no longer a number, a checkpoint is damaged, or workers died again and again.
        UsageError: the embedding file lies in the run's own `embeddings`.
        KeyboardInterrupt: interrupted; the last step is kept.
    """
    refuse_own(model.embedding_file, output)
    opened, validation = open_splits(dataset)
    key = run_key(model, training, opened.manifest["fingerprint"])
    run = Run(model, training, dataset, output, opened, validation, key)
    storage.make_directory(output)
    tracker = Tracker(training.mlflow, progress.warn)
    with storage.only_writer(output), tracked(tracker):
        resolved = _reconciled(run, resolved, progress)
        storage.write_text(output / "experiment.yaml", yaml.safe_dump(resolved, sort_keys=False))
        tracker.begin(training.mlflow_experiment, output.name, key, str(output), resolved)
        trained, records = _finish(run, progress, tracker)
        journal.write(output / METRICS, records)
        tracker.epochs(records)
        tracker.end("FINISHED", output / "bundle")
    return trained


def _reconciled(run: Run, resolved: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The configuration with the dataset's own values, of which those that differ are told."""
    agreed, differences = dataset_config.reconcile(resolved, run.train.manifest["config"])
    if differences:
        progress.warn(
            f"{run.dataset}: built with {'; '.join(differences)} as in the experiment: the dataset's values count and "
            f"are written to {run.output / 'experiment.yaml'}; to use the experiment's, run raygene build"
        )
    return agreed


def _finish(run: Run, progress: Progress, tracker: Tracker) -> tuple[Bundle, list[Record]]:
    """The bundle and the figures of its epochs, with as much training as is still to do."""
    if finished := run.finished():
        progress.note(f"{run.output} is trained already; nothing to do")
        return finished, run.records(finished)
    document = run.last()
    if document is None:
        if run.model.embedding_file:
            embedding_file.load(Path(run.model.embedding_file), run.train.tokenizer, run.model.embedding)
        _fit(run, progress, tracker)
        document = run.last()
    if document is None:
        raise TrainingError(f"{run.checkpoints.directory}: no checkpoint of the last epoch", "run again with --verbose")
    return run.write_bundle(document), document["records"]


def _fit(run: Run, progress: Progress, tracker: Tracker) -> None:
    """Run the loop on Ray Train until the last checkpoint is written."""
    import ray

    training, checkpoints = run.training, run.checkpoints.directory
    diary = RunLogger(run.output / LOG, progress)
    gpu_check.require(training.device)
    nodes = nodes_of(ray.nodes())  # type: ignore[no-untyped-call]
    share = place(nodes, training.workers, training.device)
    require_device(training.precision, use_gpu=share.use_gpu)
    if held := awaited(share, training.workers, ray.available_resources()):
        diary.note(f"the cluster is busy: training waits for {held}")
    memory = memory_plan.plan_run(
        run.model,
        training,
        (run.train, run.validation),
        share,
        beside(nodes, share, training.workers),
        checkpoints / "token-budget",
        diary.warn,
    )
    kind = "GPU" if share.use_gpu else "CPU"
    diary.note(
        f"memory: batches of at most {memory.token_budget:,} tokens take {format_size(memory.peak)} of {format_size(memory.device.size)} "
        f"for each worker"
    )
    diary.note(f"training on {training.workers} {kind} worker{'s' if training.workers > 1 else ''}")
    given = {
        "model": run.model.model_dump(mode="json"),
        "training": training.model_dump(mode="json") | {"token_budget": memory.token_budget},
        "retain_memory": memory.retain_memory,
        "dataset": str(run.dataset),
        "fingerprint": run.train.manifest["fingerprint"],
        "run": run.key[:12],
        "output": str(run.output),
        "checkpoints": str(checkpoints),
        "threads": share.cpus,
    }
    group = Group(training.workers, training.min_workers or training.workers, share, training.retries)
    stop = StopFile(checkpoints)
    stop.clear()
    for leftover in run.output.glob(".ray-*"):
        shutil.rmtree(leftover, ignore_errors=True)

    def ask_to_stop() -> None:
        stop.ask()
        diary.note("interrupted: a checkpoint is written before training stops; once more, and it stops at once")

    with progress.stage("training", training.epochs * run.steps) as stage:
        follow = ProgressReporter(run.steps, diary, stage, tracker)
        try:
            launch(worker.run, given, group, run.output, follow, ask_to_stop)
        except KeyboardInterrupt:
            if follow.ended:
                epoch, step = follow.ended
                diary.note(f"stopped after epoch {epoch + 1}, step {step} of {run.steps}, which is kept")
            raise
        finally:
            stop.clear()
