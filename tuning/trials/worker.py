"""One trial in one process: opens the dataset, goes on from its checkpoint if there is one, and trains.

The loop, the checkpoints and the weights are those of `raygene train`; what Ray Train adds for several workers is left
out, which saves some ten seconds a trial. Every epoch is on disk before it is told, so that whoever is told of an end
finds the weights.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines import fingerprint, storage
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError, StorageError
from pipelines.metrics import binary_metrics
from training import models
from training.config import ModelConfig, TrainingConfig
from training.data.step_plan import Rows
from training.distributed.resume import resume
from training.distributed.worker import explained
from training.engine import layout, loop
from training.engine.checkpoints import CheckpointPolicy, Checkpoints
from training.engine.collective import Alone
from training.engine.determinism import set_deterministic
from training.engine.observer import Observer
from training.engine.scoring import probabilities
from training.engine.state import Record, State
from training.hardware import devices
from training.hardware.usage import peak_bytes
from training.observability import journal
from training.splits import open_splits
from tuning.trials.store import CHECKPOINTS, EPOCHS, TROUBLE

Report = Callable[[dict[str, Any]], None]
Work = Callable[[dict[str, Any], Report], None]
# On Linux, writing 5 there sets the peak of resident memory back to what is resident now.
_PEAK = Path("/proc/self/clear_refs")


def guarded(work: Work, given: dict[str, Any], report: Report) -> None:
    """Do the work of a trial, and tell how it failed.

    Args:
        work: `run`, or what trains with several workers.
        given: `model` and `training` as mappings, `dataset` and its `fingerprint`, `folder` of the trial, `gap_rows`, `retain_memory`,
            the share of a GPU, `gpus`, and the time of day after which none begins, `until`, in seconds since 1970.
        report: told of every epoch; with `failed` of an error that would come again with this trial alone, with `stuck` of
            one that all trials would meet, such as a full disk; with `unstarted` where it is too late to begin.
    """
    folder = Path(given["folder"])
    if given["until"] is not None and time.time() >= given["until"]:
        report(without_figure("unstarted", True))
        return
    (folder / TROUBLE).unlink(missing_ok=True)
    try:
        work(given, report)
    except (StorageError, DatasetError) as error:
        report(without_figure("stuck", [error.problem, error.fix]))
    except Exception as error:
        known = explained(error)
        if known is None:
            # Such as a machine that is about to end it: Ray starts the trial again.
            storage.write_text(folder / TROUBLE, "".join(traceback.format_exception_only(error)))
            raise
        report(without_figure("failed", known.problem))


def run(given: dict[str, Any], report: Report) -> None:
    """Train a trial in this process.

    Args:
        given: as for `guarded`.
        report: told of every epoch.
    """
    import ray

    began, folder = time.monotonic(), Path(given["folder"])
    model, config = ModelConfig.model_validate(given["model"]), TrainingConfig.model_validate(given["training"])
    torch.set_num_threads(max(1, int(given["cpus"])))
    set_deterministic(config.deterministic)
    device = devices.of_worker(config.device, ray.get_gpu_ids())
    forget_peak(device)
    if device.type == "cuda" and given["gpus"] < 1:
        torch.cuda.set_per_process_memory_fraction(given["gpus"], device)
    train, validation = open_splits(Path(given["dataset"]), given["fingerprint"])
    network = models.fresh(model, train.tokenizer, config.seed).to(device)
    layout.settle(network, config, train)
    state = loop.start(network, config, device)
    checkpoints = Checkpoints(folder / CHECKPOINTS)
    resume(state, checkpoints, Alone(), device)
    observer = Watch(folder, checkpoints, config, device, train, given["gap_rows"], report, began)
    observer.begin(state)
    loop.fit(state, train, validation, config, Alone(), device, observer, retain_memory=given["retain_memory"])


class Watch(Observer):
    """Measures the gap to train at each new best epoch, keeps every epoch, and then tells of it.

    Args:
        folder: of the trial.
        checkpoints: where they go.
        config: the optimisation.
        device: where the model lies.
        train: of which a sample is scored.
        gap_rows: rows of that sample.
        report: told of every epoch.
        began: when the trial did, by the monotonic clock.
    """

    def __init__(
        self,
        folder: Path,
        checkpoints: Checkpoints,
        config: TrainingConfig,
        device: torch.device,
        train: TokenDataset,
        gap_rows: int,
        report: Report,
        began: float,
    ) -> None:
        self._path, self._checkpoints, self._config, self._device = folder / EPOCHS, checkpoints, config, device
        self._train, self._rows, self._report = train, sample(len(train), gap_rows), report
        self._records: list[Record] = []
        self._policy = CheckpointPolicy.from_config(config)
        self._mark = began

    def begin(self, state: State) -> None:
        """Bring the log in line with the checkpoint, and tell of the epochs that were done before."""
        self._records = [record for record in journal.read(self._path) if record["epoch"] <= state.epoch]
        journal.write(self._path, self._records)
        for record in self._records:
            self._tell(record, state, before=True)

    def checkpoint_due(self, state: State) -> bool:
        return self._policy.is_due(state.step)

    def checkpoint(self, state: State) -> None:
        self._checkpoints.save(state.document())
        self._policy.saved()

    def epoch_ended(self, record: Record, state: State) -> None:
        # The state's own records stay as `train` writes them: what is added here is the campaign's.
        found = dict(record)
        if state.best_record["epoch"] == record["epoch"]:
            found |= fitted(state, self._train, self._rows, self._config, self._device)
        found["peak_memory_bytes"] = peak_bytes(self._device)
        now = time.monotonic()
        found["trial_seconds"], self._mark = round(now - self._mark, 3), now
        self._records.append(found)
        journal.write(self._path, self._records)
        self.checkpoint(state)
        self._checkpoints.wait()
        self._tell(found, state, before=False)

    def _tell(self, record: Record, state: State, *, before: bool) -> None:
        last = record["epoch"] == state.epoch
        over = last and (state.epoch >= self._config.epochs or state.out_of_patience(self._config.patience))
        self._report({"before": before, "over": over, **standing(self._records, record["epoch"])})


def standing(records: Sequence[Record], epoch: int) -> Record:
    """What a trial is judged by after an epoch: the figures of its best one so far."""
    best = max(
        (one for one in records if one["epoch"] <= epoch), key=lambda one: (one["validation_auroc"], -one["epoch"])
    )
    return {"epoch": epoch, **{name: best[name] for name in ("validation_auroc", "validation_mcc")}}


def without_figure(name: str, value: Any) -> dict[str, Any]:
    """What is told of a trial that cannot go on: without a figure Ray would end the whole campaign, with NaN it does not."""
    return {name: value, "validation_auroc": math.nan, "validation_mcc": math.nan}


def sample(rows: int, most: int) -> Rows:
    """Numbers of up to `most` rows, the same for every trial on a dataset of so many rows."""
    generator = np.random.default_rng(fingerprint.seed("gap", rows))
    return np.sort(generator.choice(rows, size=min(rows, most), replace=False))


def fitted(
    state: State, train: TokenDataset, rows: Rows, config: TrainingConfig, device: torch.device
) -> dict[str, float]:
    """AUROC and MCC of the present weights on rows that they were learnt from."""
    with state.precision.autocast():
        scores = probabilities(state.model, train.tokens, train.lengths, config.budget, device, rows)
    found = binary_metrics(train.labels[rows], scores, threshold=0.5)
    return {"train_auroc": found["auroc"], "train_mcc": found["mcc"]}


def forget_peak(device: torch.device) -> None:
    """Begin to measure the peak of memory anew: a process may have run another trial before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        _PEAK.write_text("5")
    except OSError:
        return
