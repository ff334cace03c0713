"""The largest trial that passes the memory check runs within the memory it was checked for."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from tests.training.conftest import write_dataset
from training.config import ModelConfig, TrainingConfig
from tuning.trials.memory_check import Feasibility, Machine, check_memory
from tuning.trials.reports import EpochReport, TrialReport
from tuning.trials.trial_spec import TrialSpec

pytestmark = [pytest.mark.full, pytest.mark.ray]
SIZE = 1200 * 2**20
GROUPS = Path("/sys/fs/cgroup")
LIMITS = ("memory.limit_in_bytes", "memory.max")
PEAKS = ("memory.max_usage_in_bytes", "memory.peak")
TRAINING = TrainingConfig(epochs=1, global_batch_size=8, device="cpu", probe=False)


@contextmanager
def group() -> Iterator[Path]:
    """A control group, by either version of the kernel's."""
    first = GROUPS / "memory"
    folder = (first if first.is_dir() else GROUPS) / f"raygene-{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir()
        (folder / LIMITS[not first.is_dir()]).write_text(str(SIZE))
    except OSError as error:
        with suppress(OSError):
            folder.rmdir()
        pytest.skip(f"no control group can be made here ({error})")
    try:
        yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()


def train_within(spec: TrialSpec, size: int, folder: Path) -> tuple[list[TrialReport], int]:
    """The reports of a trial whose process the kernel kills beyond so many bytes, and its peak in bytes."""
    from tuning.trials import worker

    version = not (folder / LIMITS[0]).exists()
    # A process is charged only for memory that it takes after it has joined the group.
    before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    (folder / LIMITS[version]).write_text(str(size - before))
    (folder / "cgroup.procs").write_text("0")
    reports: list[TrialReport] = []
    worker.run_and_report_errors(worker.run, spec, reports.append)
    peak = int((folder / PEAKS[version]).read_text())
    (folder.parent / "cgroup.procs").write_text("0")
    return reports, before + peak


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("limit") / "dataset", rows=16, longest=2000)


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_the_largest_trial_that_fits_runs_within_the_limit_and_uses_most_of_it(
    kind: Any, data: Path, ray_session: Any, tmp_path: Path
) -> None:
    import ray

    splits = [TokenDataset.open(data, split) for split in ("train", "validation")]
    lengths = np.concatenate([split.lengths for split in splits])
    machine = Machine("cpu", SIZE, cpus=2, gpus=0, is_local=False)

    def feasibility_of(hidden: int) -> Feasibility:
        model = ModelConfig(kind=kind, embedding=16, hidden=hidden)
        return check_memory(model, TRAINING, lengths, splits[0].tokenizer, machine)

    largest = edge(lambda units: feasibility_of(8 * units).fits, 1, 1024) * 8
    feasibility, beyond = feasibility_of(largest), feasibility_of(largest + 8)
    assert not beyond.fits
    with group() as folder:
        spec = TrialSpec(
            model=ModelConfig(kind=kind, embedding=16, hidden=largest),
            training=TRAINING.model_copy(update={"token_budget": feasibility.token_budget}),
            dataset=data,
            fingerprint=read_manifest(data)["fingerprint"],
            folder=tmp_path / "trial",
            gap_rows=16,
            retain_memory=feasibility.retain_memory,
            cpus=1,
            gpus=0,
        )
        spec.folder.mkdir()
        task: Any = ray.remote(num_cpus=1, max_retries=0, max_calls=1)(train_within)
        reports, peak = ray.get(task.remote(spec, SIZE, folder))
    last = reports[-1]
    assert isinstance(last, EpochReport), last
    assert last.is_last
    assert feasibility.predicted <= SIZE
    # Files that it writes count until the kernel needs their memory.
    assert 0.8 * SIZE < peak <= SIZE


def edge(holds: Callable[[int], bool], least: int, most: int) -> int:
    """The largest number for which a condition holds that holds for all smaller ones."""
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if holds(middle) else (least, middle)
    return least
