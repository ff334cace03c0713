"""Runs whose workers, drivers or nodes are killed or terminated, with real processes and signals.

All of them have dropout, strands drawn at random and averaged weights, which have to continue where they were.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import TrainingError
from pipelines.progress import Silent
from tests.conftest import start_ray
from training import models
from training.bundle import bundle
from training.config import ModelConfig, TrainingConfig
from training.distributed.train import train
from training.engine import loop
from training.engine.checkpoints import Checkpoints
from training.engine.collective import Alone

pytestmark = pytest.mark.ray
MODEL = ModelConfig(embedding=8, hidden=8, stem=8, dropout=0.2, strands="averaged")
LONG = TrainingConfig(
    epochs=4,
    global_batch_size=2,
    optimizer="sgd",
    learning_rate=0.005,
    checkpoint_steps=25,
    log_steps=1,
    tensorboard=False,
    reverse_complement=True,
    ema_decay=0.99,
)
TWO = LONG.model_copy(update={"workers": 2})
# What a default run kills needs a checkpoint before and some time after; of the others, three are stopped one by one.
SHORT = TWO.model_copy(update={"epochs": 2})
ENOUGH = 60

DRIVER = """
import sys, ray
from pathlib import Path
from pipelines.progress import Silent
from training.config import ModelConfig, TrainingConfig
from training.distributed.train import train
if __name__ == "__main__":
    ray.init(address=sys.argv[5], log_to_driver=False, logging_level="CRITICAL")
    model, training = ModelConfig.model_validate_json(sys.argv[3]), TrainingConfig.model_validate_json(sys.argv[4])
    try:
        train(model, training, Path(sys.argv[1]), Path(sys.argv[2]), Silent(), {})
    except KeyboardInterrupt:
        sys.exit(130)
"""


def undisturbed_of(config: TrainingConfig, dataset: Path) -> loop.State:
    """Where a run ends when nothing happens: the bare loop in this process."""
    opened, validation = TokenDataset.open(dataset, "train"), TokenDataset.open(dataset, "validation")
    state = loop.start(models.fresh(MODEL, opened.tokenizer, config.seed), config)
    loop.fit(state, opened, validation, config, Alone(), torch.device("cpu"))
    return state


@pytest.fixture(scope="module")
def undisturbed(dataset: Path) -> loop.State:
    return undisturbed_of(LONG, dataset)


def lines(path: Path) -> list[dict[str, Any]]:
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            return records
    return records


def log(output: Path) -> str:
    path = output / "train.log"
    return path.read_text() if path.exists() else ""


def pid_of_worker(output: Path, rank: int) -> int:
    return int(re.findall(rf"worker {rank} of \d: process (\d+)", log(output))[-1])


def await_steps(output: Path, count: int) -> None:
    """Wait until so many steps are logged."""
    # A busy machine takes minutes to start two workers.
    deadline = time.monotonic() + 600
    while len(lines(output / "steps.jsonl")) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def meanwhile(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def driver(tmp_path: Path, dataset: Path, output: Path, config: TrainingConfig) -> subprocess.Popen[bytes]:
    """A driver of its own, on the tests' Ray."""
    import ray

    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    configuration = [MODEL.model_dump_json(), config.model_dump_json(), ray.get_runtime_context().gcs_address]
    command = [sys.executable, str(script), str(dataset), str(output), *configuration]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, start_new_session=True)


def require_same(output: Path, expected: loop.State) -> None:
    """Check that the run at `output` ended as the undisturbed one, with each step logged once."""
    records = lines(output / "metrics.jsonl")
    epochs = range(1, len(expected.records) + 1)
    assert [record["epoch"] for record in records] == list(epochs)
    for name in ("loss", "validation_loss"):
        curves = [[record[name] for record in run] for run in (records, expected.records)]
        np.testing.assert_allclose(curves[0], curves[1], rtol=1e-4)
    positions = [(line["epoch"], line["step"]) for line in lines(output / "steps.jsonl")]
    assert positions == [(epoch, step) for epoch in epochs for step in range(1, 81)]
    weights = bundle.load(output / "bundle").model.state_dict()
    for name, tensor in expected.best.items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-3, atol=1e-4)


def warning_after_signal(
    rank: int,
    number: signal.Signals,
    dataset: Path,
    output: Path,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    config: TrainingConfig = TWO,
    steps: int = ENOUGH,
) -> str:
    """Train with two workers, send one a signal after so many steps, and return the only warning."""
    progress = Silent()

    def send() -> None:
        await_steps(output, steps)
        os.kill(pid_of_worker(output, rank), number)

    sending = meanwhile(send)
    train(MODEL, config, dataset, output, progress, {}, on_epoch)
    sending.join()
    (warning,) = progress.warnings
    return warning


LOST = r"a worker was lost; resuming from the checkpoint at .* with 2 workers: (\d+) steps"


def test_a_killed_worker_costs_steps_but_changes_nothing(ray_session: Any, dataset: Path, tmp_path: Path) -> None:
    records = list[dict[str, Any]]()
    warning = warning_after_signal(1, signal.SIGKILL, dataset, tmp_path, records.append, SHORT, steps=30)
    assert [record["epoch"] for record in records] == list(range(1, SHORT.epochs + 1))
    lost = re.search(LOST, warning)
    assert lost
    assert int(lost[1]) >= 1
    assert warning in log(tmp_path)
    require_same(tmp_path, undisturbed_of(SHORT.model_copy(update={"workers": 1}), dataset))


# Without `full`, test_reporter.py sends SIGTERM to a run in its own process.
@pytest.mark.full
def test_a_worker_that_is_sent_sigterm_saves_first_and_no_step_is_lost(
    ray_session: Any, dataset: Path, tmp_path: Path, undisturbed: loop.State
) -> None:
    warning = warning_after_signal(1, signal.SIGTERM, dataset, tmp_path)
    assert ": 0 steps are repeated" in warning
    require_same(tmp_path, undisturbed)


@pytest.mark.full
def test_a_killed_worker_that_saves_costs_steps_but_changes_nothing(
    ray_session: Any, dataset: Path, tmp_path: Path, undisturbed: loop.State
) -> None:
    warning = warning_after_signal(0, signal.SIGKILL, dataset, tmp_path)
    assert re.search(LOST, warning)
    require_same(tmp_path, undisturbed)


@pytest.fixture(scope="module")
def killed(ray_session: Any, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose driver was killed in the middle of an epoch."""
    folder = tmp_path_factory.mktemp("killed")
    process = driver(folder, dataset, folder / "run", LONG)
    await_steps(folder / "run", 120)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return folder / "run"


@pytest.fixture(scope="module")
def terminated(killed: Path, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The killed run, which a second driver resumed until it was sent SIGTERM; and that driver's exit status."""
    folder = tmp_path_factory.mktemp("terminated")
    output = shutil.copytree(killed, folder / "run")
    # How far the killed run came varies with the machine's load; only this driver can go further.
    further = len(lines(output / "steps.jsonl")) + 30
    process = driver(folder, dataset, output, LONG)
    await_steps(output, further)
    os.killpg(process.pid, signal.SIGTERM)
    return output, process.wait(timeout=60)


@pytest.mark.full
def test_a_driver_that_is_sent_sigterm_saves_the_last_step_first(terminated: tuple[Path, int]) -> None:
    output, status = terminated
    assert status == 130
    checkpoint = Checkpoints(next(output.glob("checkpoints-*"))).latest()
    assert checkpoint is not None
    last = lines(output / "steps.jsonl")[-1]
    assert (checkpoint.epoch, checkpoint.step) >= (last["epoch"] - 1, last["step"])
    assert f"stopped after epoch {checkpoint.epoch + 1}, step {checkpoint.step} of 80, which is saved" in log(output)


@pytest.mark.full
def test_killed_and_terminated_drivers_are_followed_by_one_with_other_workers_and_the_result_is_the_same(
    terminated: tuple[Path, int], dataset: Path, tmp_path: Path, undisturbed: loop.State
) -> None:
    output = shutil.copytree(terminated[0], tmp_path / "run")
    assert not (output / "bundle").exists()
    records: list[dict[str, Any]] = []
    train(MODEL, TWO, dataset, output, Silent(), {}, records.append)
    assert log(output).count("resuming from the checkpoint at") == 2
    assert [record["epoch"] for record in records] == list(range(1, LONG.epochs + 1))
    require_same(output, undisturbed)


@pytest.mark.full
def test_a_damaged_checkpoint_is_an_error_that_says_how_to_resume(killed: Path, dataset: Path, tmp_path: Path) -> None:
    output = shutil.copytree(killed, tmp_path / "run")
    earlier, latest = Checkpoints(next(output.glob("checkpoints-*"))).all()
    content = bytearray(latest.path.read_bytes())
    content[len(content) // 2] ^= 255
    latest.path.write_bytes(content)
    with pytest.raises(TrainingError, match=f"{latest.path.name}: damaged checkpoint .*delete this file"):
        train(MODEL, LONG, dataset, output, Silent(), {})
    latest.path.unlink()
    assert earlier.load()["epoch"] == earlier.epoch


@pytest.mark.full
def test_a_lost_node_leaves_a_run_that_resumes_with_fewer_workers(
    dataset: Path, tmp_path: Path, undisturbed: loop.State
) -> None:
    import ray
    from ray.cluster_utils import Cluster

    shared = ray.is_initialized()
    ray.shutdown()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    other = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        progress, config = Silent(), TWO.model_copy(update={"min_workers": 1})

        def lose() -> None:
            await_steps(tmp_path, ENOUGH)
            cluster.remove_node(other, allow_graceful=False)

        losing = meanwhile(lose)
        train(MODEL, config, dataset, tmp_path, progress, {})
        losing.join()
        assert any("with 1 worker: " in warning for warning in progress.warnings)
        require_same(tmp_path, undisturbed)
    finally:
        ray.shutdown()
        cluster.shutdown()
        if shared:
            start_ray()
