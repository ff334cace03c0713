"""One trial in one process: opens the dataset, resumes from the trial's checkpoint if there is one, and trains.

The loop, the checkpoints and the weights are those of `raygene train`. Ray Train, which several workers need, is left
out: that saves some ten seconds a trial. An epoch is on disk before it is reported, so whoever sees the report finds
the weights.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import torch

from pipelines import storage
from pipelines.address import masked
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError, StorageError
from pipelines.ray_map.nodes import ClusterTooSmallError
from pipelines.stores.worker_folder import OpenFolder, WorkerFolder
from training.bundle import start
from training.distributed.resume import resume
from training.distributed.worker import explain
from training.engine import layout, loop
from training.engine.checkpoints import CheckpointPolicy, Checkpoints
from training.engine.collective import Alone
from training.engine.objectives.by_task import objective_of
from training.engine.objectives.objective import Objective
from training.engine.observer import Observer
from training.engine.process.determinism import set_deterministic, set_tf32
from training.engine.state import Record, State
from training.hardware import devices
from training.hardware.usage import peak_bytes
from training.memory.plan import step_allowance
from training.observability import journal
from training.splits import open_splits
from training.tasks import Task, criterion_of
from tuning.trials.reports import (
    METRICS,
    EpochReport,
    NotStarted,
    Report,
    StudyFailed,
    TimedOut,
    TrialFailed,
    TrialReport,
)
from tuning.trials.store import CHECKPOINTS, EPOCHS, ERROR
from tuning.trials.trial_spec import TrialSpec

Train = Callable[[TrialSpec, Report], None]


class TrialTimeLimitError(Exception):
    """A trial has taken longer than it may.

    Args:
        epoch: epochs done.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__(f"time limit after epoch {epoch}")
        self.epoch = epoch


# On Linux, writing 5 to this file resets the peak of resident memory to what is resident now.
_PEAK_RESET = Path("/proc/self/clear_refs")


def run_and_report_errors(train: Train, spec: TrialSpec, report: Report) -> None:
    """Train a trial, unless its deadline has passed, and report an error that would occur again.

    Args:
        train: `run` of this module or of `multi_worker`.
        spec: of the trial.
        report: called with each report.

    Raises:
        Exception: an error that may pass, such as a lost machine: Ray starts the trial again.
    """
    if spec.deadline is not None and time.time() >= spec.deadline:
        report(NotStarted())
        return
    try:
        with _opened(spec) as folder:
            _train(train, replace(spec, folder=folder.path), _Arriving(folder, report))
    except (StorageError, DatasetError, ClusterTooSmallError) as error:
        report(StudyFailed(error.problem, error.fix))


def _opened(spec: TrialSpec) -> AbstractContextManager[OpenFolder]:
    """The trial's folder, or this process's copy of it, whose checkpoints are sent after the log of epochs."""
    served = spec.served or WorkerFolder(spec.folder)
    checkpoints = f"{CHECKPOINTS}/*.pt"
    return served.opened([checkpoints, EPOCHS, ERROR], last=[checkpoints], continuously=True)


class _Arriving:
    """Reports to the study once what is reported is in the folder that the study reads."""

    def __init__(self, folder: OpenFolder, report: Report) -> None:
        self._folder, self._report = folder, report

    def __call__(self, report: TrialReport) -> None:
        self._folder.push()
        self._report(report)


def _train(train: Train, spec: TrialSpec, report: Report) -> None:
    (spec.folder / ERROR).unlink(missing_ok=True)
    try:
        train(spec, report)
    except TrialTimeLimitError as error:
        report(TimedOut(error.epoch, spec.time_limit or 0.0))
    except (StorageError, DatasetError, ClusterTooSmallError):
        raise
    except Exception as error:
        permanent = explain(error)
        if permanent is None:
            # The study reads the file if Ray gives up on the trial.
            storage.write_text(spec.folder / ERROR, masked("".join(traceback.format_exception_only(error))))
            raise
        report(TrialFailed(permanent.problem))


def run(spec: TrialSpec, report: Report) -> None:
    """Train a trial in this process.

    Args:
        spec: of the trial.
        report: called with each epoch.
    """
    import ray

    began, config = time.monotonic(), spec.training
    torch.set_num_threads(max(1, int(spec.cpus)))
    set_deterministic(config.deterministic)
    set_tf32(config.tf32)
    device = devices.of_worker(config.device, ray.get_gpu_ids())
    reset_peak_memory(device)
    if device.type == "cuda" and spec.gpus < 1:
        # Beyond its share the allocator raises, instead of taking memory from the trials on the same device.
        torch.cuda.set_per_process_memory_fraction(spec.gpus, device)
    train, validation = open_splits(spec.dataset, spec.fingerprint)
    task = Task.of_dataset(train.manifest["config"])
    network = start.network(task, spec.model, config, train.tokenizer, spec.start).to(device)
    objective = objective_of(config, train)
    layout.set_layout(network, config, train, objective)
    state = loop.start(network, config, device)
    checkpoints = Checkpoints(spec.folder / CHECKPOINTS)
    resume(state, checkpoints, Alone(), device)
    observer = TrialObserver(spec, checkpoints, device, train, objective, report, began)
    observer.begin(state)
    loop.fit(
        state,
        train,
        validation,
        config,
        Alone(),
        device,
        observer,
        objective=objective,
        retain_memory=spec.retain_memory,
        allowance=step_allowance(spec.model, config, train.lengths, train.tokenizer.vocabulary_size, task.name),
    )


class TrialObserver(Observer):
    """Measures the gap to train at each new best epoch, writes each epoch with a checkpoint, and then reports it.

    Args:
        spec: of the trial.
        checkpoints: of the trial.
        device: of the model.
        train: the split of which a sample is scored.
        objective: gives the figures of that sample.
        report: called with each epoch.
        began: when the trial began, by the monotonic clock.
    """

    def __init__(
        self,
        spec: TrialSpec,
        checkpoints: Checkpoints,
        device: torch.device,
        train: TokenDataset,
        objective: Objective,
        report: Report,
        began: float,
    ) -> None:
        self._path, self._checkpoints, self._config, self._device = (
            spec.folder / EPOCHS,
            checkpoints,
            spec.training,
            device,
        )
        self._objective, self._train, self._gap_rows, self._report = objective, train, spec.gap_rows, report
        self._records: list[Record] = []
        self._policy = CheckpointPolicy.from_config(spec.training)
        self._epoch_began = began
        self._ends_at = math.inf if spec.time_limit is None else began + spec.time_limit

    def begin(self, state: State) -> None:
        """Bring the log in line with the checkpoint, and report again the epochs before it."""
        self._records = [record for record in journal.read(self._path) if record["epoch"] <= state.epoch]
        journal.write(self._path, self._records)
        self._ends_at -= sum(record["trial_seconds"] for record in self._records)
        for record in self._records:
            self._report_epoch(record["epoch"], state, is_replay=True)

    def checkpoint_due(self, state: State) -> bool:
        self._require_time(state)
        return self._policy.is_due(state.step)

    def checkpoint(self, state: State) -> None:
        self._checkpoints.save(state.document())
        self._policy.saved()

    def epoch_ended(self, record: Record, state: State) -> None:
        # A copy: the records in the state stay as `raygene train` writes them.
        extended = dict(record)
        if state.best_record["epoch"] == record["epoch"]:
            with state.precision.autocast():
                extended |= self._objective.train_figures(state.model, self._train, self._gap_rows, self._device)
        extended["peak_memory_bytes"] = peak_bytes(self._device)
        now = time.monotonic()
        extended["trial_seconds"], self._epoch_began = round(now - self._epoch_began, 3), now
        self._records.append(extended)
        journal.write(self._path, self._records)
        self.checkpoint(state)
        self._checkpoints.wait()
        self._report_epoch(record["epoch"], state, is_replay=False)
        if not self._is_complete(state):
            self._require_time(state)

    def _require_time(self, state: State) -> None:
        """End the trial if it has taken longer than it may.

        Raises:
            TrialTimeLimitError: it has.
        """
        if time.monotonic() > self._ends_at:
            raise TrialTimeLimitError(state.epoch)

    def _is_complete(self, state: State) -> bool:
        return state.epoch >= self._config.epochs or state.out_of_patience(self._config.patience)

    def _report_epoch(self, epoch: int, state: State, *, is_replay: bool) -> None:
        is_complete = self._is_complete(state)
        self._report(
            epoch_report(self._records, epoch, is_replay=is_replay, is_last=epoch == state.epoch and is_complete)
        )


def epoch_report(
    records: Sequence[Record], epoch: int, *, is_replay: bool = False, is_last: bool = False
) -> EpochReport:
    """The report of an epoch, with the metrics of the best one so far.

    Args:
        records: of the trial's epochs; later ones than `epoch` are ignored.
        epoch: from 1.
        is_replay: as in `EpochReport`.
        is_last: as in `EpochReport`.
    """
    criterion = criterion_of(records[0]).figure
    best = max(
        (record for record in records if record["epoch"] <= epoch),
        key=lambda record: (record[criterion], -record["epoch"]),
    )
    figures = {name: best[name] for name in METRICS if name in best}
    return EpochReport(epoch, is_replay=is_replay, is_last=is_last, **figures)


def reset_peak_memory(device: torch.device) -> None:
    """Reset the peak of measured memory: the process may have run another trial before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        _PEAK_RESET.write_text("5")
    except OSError:
        # Not Linux, or not permitted: the peak then includes earlier trials.
        return
