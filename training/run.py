"""Training on Ray Train: checks, starts the workers, shows their epochs, and keeps the best one as a bundle.

Reaching the first step takes about 10 s. A run directory is keyed by what decides the result: the same command
goes on from the last epoch after a kill, and returns at once when the run is finished.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import yaml

from pipelines import __version__, fingerprint, storage
from pipelines.dataset import TokenDataset
from pipelines.errors import BundleError, DatasetError, RaygeneError, TrainingError
from pipelines.metrics import best_threshold
from pipelines.progress import Progress, Stage
from training import agreement, bundle, journal, models
from training.bundle import Bundle
from training.config import ModelConfig, TrainingConfig
from training.placement import awaited, nodes_of, place
from training.scoring import probabilities
from training.worker import STATE, run

COLLECTIVE_TIMEOUT_S = 300
MAX_FAILURES = 2
POLL_S = 0.25
METRICS = "metrics.jsonl"
_NOT_CONTENT = {"workers", "device", "token_budget", "checkpoint_steps"}


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
    key = run_key(model, training, opened.manifest["fingerprint"])
    storage.make_directory(output)
    resolved, differences = agreement.reconcile(resolved, opened.manifest["config"])
    if differences:
        progress.warn(
            f"{dataset}: built with {'; '.join(differences)} as in the experiment: the dataset's values count and are "
            f"written to {output / 'experiment.yaml'}; to use the experiment's, run raygene build"
        )
    storage.write_text(output / "experiment.yaml", yaml.safe_dump(resolved, sort_keys=False))
    if finished := _finished(output, key):
        if "records" in finished.config:
            journal.write(output / METRICS, finished.config["records"])
        progress.note(f"{output} is trained already; nothing to do")
        return finished
    checkpoints = output / f"checkpoints-{key[:12]}"
    document = _fit(model, training, dataset, checkpoints, progress)
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
    """SHA-256 over what decides a run's result: not workers, device or token budget."""
    return fingerprint.of_value(
        {
            "model": model.model_dump(mode="json"),
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


def _fit(
    model: ModelConfig, training: TrainingConfig, dataset: Path, checkpoints: Path, progress: Progress
) -> dict[str, Any]:
    """Run Ray Train; return the last checkpoint's document."""
    import ray
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.util.queue import Queue

    # An epoch's report waits for Ray's next look, every 2 s by default: short epochs would all last that long.
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", str(POLL_S))
    share = place(nodes_of(ray.nodes()), training.workers, training.device)  # type: ignore[no-untyped-call]
    news = Queue(actor_options={"num_cpus": 0})
    trainer = TorchTrainer(
        run,
        train_loop_config={
            "model": model.model_dump(mode="json"),
            "training": training.model_dump(mode="json"),
            "dataset": str(dataset),
            "threads": share.cpus,
            "news": news,
        },
        torch_config=TorchConfig(timeout_s=COLLECTIVE_TIMEOUT_S),
        scaling_config=ScalingConfig(
            num_workers=training.workers, use_gpu=share.use_gpu, resources_per_worker=share.resources
        ),
        run_config=RunConfig(
            name=checkpoints.name,
            storage_path=str(checkpoints.parent),
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
        ),
    )
    if held := awaited(share, training.workers, ray.available_resources()):
        progress.note(f"the cluster is busy: training waits for {held}")
    progress.note(
        f"training on {training.workers} {'GPU' if share.use_gpu else 'CPU'} worker{'s' if training.workers > 1 else ''}"
    )
    errors: list[RaygeneError] = []
    metrics = checkpoints.parent / METRICS
    with progress.stage("training", training.epochs) as stage, _listening(news, metrics, stage, errors):
        result, failure = _in_thread(trainer.fit)
    # Only now has the listener heard all: a worker's own error says more than Ray's, and may come after it.
    if errors:
        raise errors[0] from failure
    if failure is not None:
        raise stopped(failure) from failure
    if result.checkpoint is None:
        raise TrainingError(f"{checkpoints}: no checkpoint was written", "run again with --verbose")
    with result.checkpoint.as_directory() as folder:
        document: dict[str, Any] = torch.load(Path(folder, STATE), map_location="cpu", weights_only=True)
    return document


def stopped(failure: Exception) -> TrainingError:
    """One line for a failure of Ray Train that no worker has explained; its type where it has no message."""
    reason = " ".join(str(failure).split())[:200] or type(failure).__name__
    return TrainingError(f"training stopped ({reason})", "run the same command to go on, with --verbose to see why")


def _in_thread(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Do work beside the main thread, where an interrupt would end in Ray's own handler and say nothing.

    Returns:
        The result and None, or None and what was raised.
    """
    result: Any = None
    failure: BaseException | None = None

    def run_it() -> None:
        nonlocal result, failure
        try:
            result = work()
        except BaseException as error:
            failure = error

    thread = threading.Thread(target=run_it, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(timeout=0.2)
    if failure is not None and not isinstance(failure, Exception):
        raise failure
    return result, failure


@contextmanager
def _listening(news: Any, metrics: Path, stage: Stage, errors: list[RaygeneError]) -> Iterator[None]:
    """Pass what workers tell to the metrics file and the stage while training lasts."""
    from ray.util.queue import Empty

    done = threading.Event()
    shown = 0

    def listen() -> None:
        nonlocal shown
        while True:
            try:
                message = news.get(block=True, timeout=0.5)
            except Empty:
                if done.is_set():
                    return
                continue
            except Exception:
                return
            if "error" in message:
                errors.append(message["error"])
                continue
            records = message["records"]
            journal.write(metrics, records)
            if records:
                stage.describe(_told(records[-1]))
            stage.advance(max(0, len(records) - shown))
            shown = max(shown, len(records))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        done.set()
        listener.join(timeout=10)


def _told(record: dict[str, Any]) -> str:
    return (
        f"loss {record['loss']:.3f}  validation AUROC {record['validation_auroc']:.3f}  "
        f"{record['tokens_per_second'] / 1e3:,.0f}k tokens/s  padding {record['padding_share']:.1%}"
    )
