"""What crosses to the process of a trial."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.dataset.location import Location
from pipelines.stores.worker_folder import WorkerFolder
from training.config import ModelConfig, TrainingConfig


@dataclass(frozen=True)
class TrialSpec:
    """Everything that a process needs to train one trial.

    Attributes:
        model: the architecture.
        training: the optimization, with the token budget that was planned; more than one worker use Ray Train.
        dataset: directory or address of the dataset.
        fingerprint: that the dataset must have.
        folder: of the trial, which every node of the cluster can write, unless it is served.
        gap_rows: rows of train on which the gap to validation is measured.
        retain_memory: whether the process may retain memory that it has freed.
        cpus: CPUs that Ray reserves for the trial.
        gpus: GPUs that Ray reserves; below 1 the trial shares a device.
        deadline: seconds since 1970 after which the trial is not to start; None: no deadline.
        time_limit: seconds that the trial may take, over all its processes; None: any.
        start: digest of the bundle that training starts from; None: it starts from none.
        served: the folder, as processes on other nodes get it; None: they see it.
    """

    model: ModelConfig
    training: TrainingConfig
    dataset: Location
    fingerprint: str
    folder: Path
    gap_rows: int
    retain_memory: bool
    cpus: float
    gpus: float
    deadline: float | None = None
    time_limit: float | None = None
    start: str | None = None
    served: WorkerFolder | None = None
