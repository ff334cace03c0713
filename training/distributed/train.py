"""Trains a model on Ray Train: checks, starts the workers, shows their progress, and writes the best epoch as a bundle.

Reaching the first step takes about 10 s. A run has a key of all that decides its result. So the same command resumes
from the last checkpoint after a kill, and returns at once when the run is finished.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from torch import nn

from pipelines import __version__, storage
from pipelines.address import masked_values
from pipelines.audit import class_rules, shortcuts
from pipelines.audit.rule_names import KMERS
from pipelines.dataset.location import Location
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.display import format_size
from pipelines.documents import yaml_writer
from pipelines.errors import BundleError, ResourceError, TrainingError
from pipelines.progress import Progress
from pipelines.ray_map.nodes import Node, free, living
from pipelines.stores import worker_folder
from training import dataset_config, networks
from training.bundle import bundle, description, kmer_baseline, start
from training.bundle.bundle import Bundle
from training.config import ModelConfig, TrainingConfig
from training.data import strands
from training.distributed import memory_plan, worker
from training.distributed.launching import child
from training.distributed.launching.launch import WorkerGroup, launch
from training.distributed.messages import WorkerSpec
from training.distributed.nodes import gpu_check
from training.distributed.nodes.placement import (
    Placement,
    max_workers_per_node,
    missing_resources,
    place,
)
from training.distributed.run_key import key_without_start, run_key
from training.distributed.run_progress import LOG, EpochReports, OnEpoch, ProgressReporter, RunLogger
from training.distributed.stop_signal import StopFile
from training.engine.checkpoints import Checkpoints, Document
from training.engine.precision import require_device
from training.engine.process import heap
from training.engine.state import Record
from training.memory.capacity import available_memory
from training.memory.fitting import Fitting
from training.memory.plan import step_allowance
from training.models import embedding_file
from training.observability import journal, start_record
from training.observability.embeddings import EMBEDDINGS, Embeddings, refuse_own
from training.observability.mlflow import Tracker, tracked
from training.observability.runlog import METRICS
from training.splits import open_splits
from training.tasks import Task

SHORT_KEY = 12
WORKER_LOG = "worker.log"
"""File in a run's directory: what a worker without Ray has printed before it died."""


@dataclass(frozen=True)
class Share:
    """What a run gets of a cluster on which others run too, planned by who starts them all.

    Attributes:
        placement: of each worker.
        retain_memory: whether freed memory may stay with a worker's process.
    """

    placement: Placement
    retain_memory: bool


@dataclass(frozen=True)
class Run:
    """A run: what is trained, on what data, and in which directory.

    Attributes:
        model: the architecture.
        training: the optimisation.
        dataset: directory or address of the token dataset.
        output: the run's directory.
        train: the rows to learn from.
        validation: the rows to choose the best epoch by.
        key: fingerprint of all that decides the result.
        start: the bundle whose weights training starts from; None: all weights are drawn.
    """

    model: ModelConfig
    training: TrainingConfig
    dataset: Location
    output: Path
    train: TokenDataset
    validation: TokenDataset
    key: str
    start: Bundle | None = None

    @property
    def steps(self) -> int:
        """Optimizer steps of an epoch."""
        return -(-len(self.train) // self.training.global_batch_size)

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of this run, and of no other run in the same directory."""
        return Checkpoints(self.output / f"checkpoints-{self.key[:SHORT_KEY]}")

    def finished(self) -> Bundle | None:
        """The bundle of this run, if it is written."""
        try:
            trained = bundle.load(self.output / "bundle")
        except BundleError:
            return None
        return trained if trained.config.get("run") == self.key else None

    def final_checkpoint(self) -> Document | None:
        """The content of the checkpoint after the last epoch, by number or by patience; None before.

        Raises:
            TrainingError: the latest checkpoint is damaged.
        """
        latest = self.checkpoints.latest()
        document = latest.load() if latest else None
        if document is None or document["step"]:
            return None
        epochs_without_gain = document["epoch"] - document["best_record"]["epoch"]
        is_out_of_patience = 0 < self.training.patience <= epochs_without_gain
        return document if document["epoch"] >= self.training.epochs or is_out_of_patience else None

    def records(self, finished: Bundle) -> list[Record]:
        """The records of a finished run's epochs.

        The bundle holds them without what depends on the machine, such as seconds. `metrics.jsonl` and the last
        checkpoint hold that too, and are preferred while they agree with the bundle.
        """
        expected = [description.without_machine_figures(record) for record in finished.config["records"]]
        for source in (lambda: journal.read(self.output / METRICS), self._checkpoint_records):
            records = source()
            if [description.without_machine_figures(record) for record in records] == expected:
                return records
        return list(finished.config["records"])

    def _checkpoint_records(self) -> list[Record]:
        try:
            document = self.final_checkpoint()
        except (ResourceError, TrainingError):
            return []
        return document["records"] if document else []

    @property
    def key_without_start(self) -> str:
        """Fingerprint of all that decides the result but the bundle that training starts from."""
        return key_without_start(self.model, self.training, self.train.manifest["fingerprint"])

    @property
    def start_warning(self) -> str | None:
        """What to say where the bundle to start from has seen what the dataset evaluates on."""
        return start.warning_of_seen(self.start, description.data(self.train.manifest)) if self.start else None

    @property
    def task(self) -> Task:
        """What the model is trained for."""
        return Task.of_dataset(self.train.manifest["config"])

    def write_bundle(self, document: Document, progress: Progress) -> Bundle:
        """Write the bundle of the best epoch, and its embedding file if it is missing.

        For structure the decoder is fitted first, to the labels of train and the scores of a part of validation.

        Args:
            document: the content of a checkpoint.
            progress: shows that stage.
        """
        vectors = Embeddings(self.output / EMBEDDINGS, self.key[:SHORT_KEY], self.train.tokenizer)
        vectors.keep(document["best_record"], document["best"])
        network = networks.make(self.task, self.model, self.train.tokenizer.vocabulary_size)
        network.load_state_dict(document["best"])
        decoding, decoded = self._fitted_decoding(network, progress) if self.task.is_structure else (None, None)
        config = description.describe(
            self.model,
            description.published(self.training),
            self.train.manifest,
            document["best_record"],
            document["best_record"].get("threshold"),
            {"raygene": __version__, "ray": metadata.version("ray")},
            decoding,
        )
        config |= {
            "run": self.key,
            "records": [description.without_machine_figures(record) for record in document["records"]],
            "parameters": description.parameters(network),
        }
        if self.start is not None:
            config["ancestors"] = start.ancestors(self.start)
        if self.task.is_structure:
            config["decoded"] = decoded
        elif self.task.has_classes:
            config |= self._class_rules(progress)
            if (confusion := document.get("best_confusion")) is not None:
                config["confusion"] = confusion
        else:
            config |= self._rules(progress)
        Bundle(network, self.train.tokenizer, config).save(self.output / "bundle")
        return bundle.load(self.output / "bundle")

    def _rules(self, progress: Progress) -> dict[str, Any]:
        """What trivial rules reach on validation, and the strongest of them, the k-mer regression, itself."""
        with progress.stage("fitting the rules to compare with"):
            has_labels = shortcuts.has_both_labels(self.train)
            baseline = kmer_baseline.fitted(self.train, self.validation) if has_labels else None
            rules = shortcuts.audit(self.train, self.validation)
            if baseline:
                rules = [*rules, baseline.rule(KMERS, self.validation)]
        aurocs = {rule.name: rule.metrics["auroc"] for rule in sorted(rules, key=lambda rule: rule.name)}
        return {"shortcuts": aurocs} | ({kmer_baseline.KEY: baseline.document()} if baseline else {})

    def _class_rules(self, progress: Progress) -> dict[str, Any]:
        """As `_rules`, of several classes."""
        with progress.stage("fitting the rules to compare with"):
            regression = class_rules.fit_kmers(self.train, self.validation)
            rules = class_rules.audit(self.train, self.validation, kmers=regression)
        aurocs = {rule.name: rule.metrics["auroc"] for rule in sorted(rules, key=lambda rule: rule.name)}
        return {"shortcuts": aurocs, kmer_baseline.KEY: kmer_baseline.ClassBaseline.of(regression).document()}

    def _fitted_decoding(self, network: nn.Module, progress: Progress) -> tuple[dict[str, Any], dict[str, Any]]:
        """The decoder's settings, and what they reach on validation."""
        # Of this task alone: it needs the decoder's compiler.
        from training.engine.objectives.fitted_decoding import fitted_decoding

        with progress.stage("fitting the decoder"), heap.release_freed_memory():
            return fitted_decoding(network, self.train, self.validation, self.training)


def train(
    model: ModelConfig,
    training: TrainingConfig,
    dataset: Location,
    output: Path,
    progress: Progress,
    resolved: dict[str, Any],
    on_epoch: OnEpoch | None = None,
    *,
    write_resolved: bool = True,
    share: Share | None = None,
    cpus: int | None = None,
) -> Bundle:
    """Train a model and keep the epoch of highest validation AUROC, or of highest exon F1 for structure.

    Args:
        model: the architecture.
        training: the optimisation.
        dataset: directory or address of a token dataset, readable by every worker.
        output: run directory, written by driver and workers; the model is `output/bundle`.
        progress: shows stages, notes and warnings.
        resolved: the whole configuration, written next to the results. Where the dataset was built with other values,
            these are reported and written instead.
        on_epoch: called in this process with the record of every epoch of the run, once each and in order: with those
            of epochs that were finished before this call as soon as that is known, with the others as they finish.
            While workers train it runs on a thread of its own; what it raises is raised when they have returned.
        write_resolved: whether `output/experiment.yaml` is written, which holds `resolved`; not where it is the file
            that `resolved` was read from.
        share: of the cluster; `training.token_budget` was planned for it. None: all of the cluster, for which memory
            is planned here.
        cpus: of the one worker that trains in a child of this process, without Ray; None: workers train on the cluster
            that Ray is connected to.

    Returns:
        The bundle, as loaded back.

    Raises:
        BundleError: the embedding file or the bundle to start from does not fit the dataset or the model.
        DatasetError: no finished dataset, or a split that is empty or lacks a class.
        ResourceError: the cluster lacks the requested workers, or another process writes to `output`.
        TrainingError: the loss is no longer a number, a checkpoint is damaged, or workers died too often.
        UsageError: the embedding file is in the run's own `embeddings`, a key has no meaning for the dataset's task or
            without a bundle to start from, or the run in `output` started from another bundle.
        KeyboardInterrupt: interrupted; everything up to the last step is saved.
    """
    refuse_own(model.embedding_file, output)
    run = prepare(model, training, dataset, output)
    training, key = run.training, run.key
    start_record.refuse_own(training.start_from, output)
    storage.make_directory(output)
    tracker = Tracker(training.mlflow, progress.warn)
    epochs = EpochReports(tracker, on_epoch)
    with storage.only_writer(output), tracked(tracker):
        start_record.write(output, run.key_without_start, start.digest(training))
        effect = " and are written to" if write_resolved else ", not those of"
        resolved = reconciled(run, resolved, progress, f"{effect} {output / 'experiment.yaml'}")
        if write_resolved:
            storage.write_text(output / "experiment.yaml", yaml_writer.dump(masked_values(resolved)))
        tracker.begin(training.mlflow_experiment, output.name, key, str(output), resolved)
        trained, records = _finish(run, progress, epochs, share, cpus)
        journal.write(output / METRICS, records)
        epochs.report(records)
        tracker.end("FINISHED", output / "bundle")
    return trained


def prepare(model: ModelConfig, training: TrainingConfig, dataset: Location, output: Path) -> Run:
    """A run whose inputs were read and fit each other; nothing is written.

    Args:
        model: the architecture.
        training: the optimisation.
        dataset: directory or address of a token dataset.
        output: run directory, which is not looked at.

    Raises:
        BundleError: the embedding file or the bundle to start from does not fit the dataset or the model.
        DatasetError: no finished dataset, or a split that is empty or lacks a class.
        UsageError: a key has no meaning for the dataset's task or without a bundle to start from.
    """
    train_split, validation = open_splits(dataset)
    task = Task.of_dataset(train_split.manifest["config"])
    model = task.model(model)
    networks.check(task, model)
    training = task.training(training)
    if not task.is_structure:
        strands.require_symmetric(model, training, train_split)
    source = start.source(model, training, task, train_split.tokenizer)
    key = run_key(model, training, train_split.manifest["fingerprint"])
    return Run(model, training, dataset, output, train_split, validation, key, source)


def reconciled(run: Run, resolved: dict[str, Any], progress: Progress, effect: str = "") -> dict[str, Any]:
    """The configuration with the dataset's own values, after a warning of those that differ.

    Args:
        run: with its dataset.
        resolved: the whole configuration.
        progress: shows the warning.
        effect: what the warning says of the dataset's values, after that they count.
    """
    agreed, differences = dataset_config.reconcile(resolved, run.train.manifest["config"])
    if differences:
        progress.warn(
            f"{run.dataset}: built with {'; '.join(differences)} as in the experiment: the dataset's values "
            f"count{effect}; to use the experiment's, run raygene build"
        )
    return agreed


def _finish(
    run: Run, progress: Progress, epochs: EpochReports, share: Share | None, cpus: int | None
) -> tuple[Bundle, list[Record]]:
    """Do as much training as is still to do; return the bundle and the records of its epochs."""
    if finished := run.finished():
        progress.note(f"{run.output} is trained already; nothing to do")
        return finished, run.records(finished)
    document = run.final_checkpoint()
    if document is None:
        if run.model.embedding_file:
            embedding_file.load(run.model.embedding_file, run.train.tokenizer, run.model.embedding)
        _train_on_workers(run, progress, epochs, share, cpus)
        document = run.final_checkpoint()
    if document is None:
        raise TrainingError(f"{run.checkpoints.directory}: no checkpoint of the last epoch", "run again with --verbose")
    return run.write_bundle(document, progress), document["records"]


def _note_start(run: Run, logger: RunLogger) -> None:
    """Say what training starts from, and what of its data the dataset evaluates on."""
    if run.start is None:
        return
    logger.note(start.described(run.start, run.training))
    if warning := run.start_warning:
        logger.warn(warning)


def _train_on_workers(
    run: Run, progress: Progress, epochs: EpochReports, share: Share | None, cpus: int | None
) -> None:
    """Run the training loop until the last checkpoint is written: on Ray Train, or in a child of this process."""
    training, checkpoints = run.training, run.checkpoints.directory
    logger = RunLogger(run.output / LOG, progress)
    if cpus is None:
        gpu_check.require(training.device)
    nodes = living() if cpus is None else [Node(cpus, 0)]
    placement = share.placement if share else place(nodes, training.workers, training.device)
    require_device(training.precision, use_gpu=placement.use_gpu)
    if cpus is None and (missing := missing_resources(placement, training.workers, free())):
        logger.note(f"the cluster is busy: training waits for {missing}")
    token_budget, allowance = (
        (training.token_budget, _allowance(run, share)) if share else _planned_memory(run, placement, nodes, logger)
    )
    kind = "GPU" if placement.use_gpu else "CPU"
    _note_start(run, logger)
    logger.note(f"training on {training.workers} {kind} worker{'s' if training.workers > 1 else ''}")
    spec = WorkerSpec(
        model=run.model,
        training=training.model_copy(update={"token_budget": token_budget}),
        dataset=run.dataset,
        fingerprint=run.train.manifest["fingerprint"],
        output=worker_folder.of(run.output),
        checkpoints=checkpoints.name,
        run=run.key[:SHORT_KEY],
        threads=placement.cpus,
        allowance=allowance,
        start=run.start.fingerprint if run.start else None,
    )
    min_workers = training.min_workers or training.workers
    group = WorkerGroup(training.workers, min_workers, placement, max_failures=training.retries)
    stop_file = StopFile(checkpoints)
    stop_file.clear()
    # What Ray left behind when an earlier driver was killed.
    for leftover in run.output.glob(".ray-*"):
        shutil.rmtree(leftover, ignore_errors=True)

    def request_stop() -> None:
        stop_file.request()
        logger.note("interrupted: saving a checkpoint before training stops; interrupt again to stop at once")

    with progress.stage("training", training.epochs * run.steps, unit="steps") as stage:
        reporter = ProgressReporter(run.steps, training.epochs, logger, stage, epochs)
        try:
            if cpus is None:
                launch(worker.run, spec, group, run.output, reporter, request_stop, worker.open_dataset)
            else:
                child.run_in_child(worker.run, spec, training.retries, run.output / WORKER_LOG, reporter, request_stop)
        except KeyboardInterrupt:
            if saved := reporter.saved_position:
                logger.note(f"stopped after epoch {saved.epoch + 1}, step {saved.step} of {run.steps}, which is saved")
            raise
        finally:
            stop_file.clear()


def _planned_memory(run: Run, placement: Placement, nodes: Sequence[Node], logger: RunLogger) -> tuple[int, int]:
    """The token budget of a run that has the cluster for itself, and by how much workers may grow in their steps."""
    splits = (run.train, run.validation)
    memory = memory_plan.plan_run(
        run.model,
        run.training,
        splits,
        placement,
        max_workers_per_node(nodes, placement, run.training.workers),
        run.checkpoints.directory / "token-budget",
        logger.warn,
    )
    Fitting.after_training(run.model, run.training, splits, memory.token_budget).require(available_memory("cpu"))
    logger.note(
        f"memory: batches of at most {memory.token_budget:,} tokens take {format_size(memory.peak)}, and each worker "
        f"with all it holds {format_size(memory.worker)} of {format_size(memory.device.size)}"
    )
    return memory.token_budget, memory.allowance


def _allowance(run: Run, share: Share) -> int:
    """By how much the workers of a trial may grow in their steps; 0 where they may not retain freed memory."""
    if not share.retain_memory:
        return 0
    vocabulary_size = run.train.tokenizer.vocabulary_size
    return step_allowance(run.model, run.training, run.train.lengths, vocabulary_size, run.task.name)
