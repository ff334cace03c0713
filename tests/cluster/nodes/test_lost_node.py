"""A node that is killed while it works: the work ends as if nothing had happened."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.nodes.losing_nodes import TIMEOUT_S, kill_node, list_records, resume, suspend_during
from tests.cluster.nodes.ray_nodes import ROOT, Cluster, head
from tests.training.conftest import write_dataset
from training.observability import journal

pytestmark = pytest.mark.full
YEAST = ROOT / "examples" / "yeast"
BUILDS = 4
"""Builds until one loses a task with its node."""
GENOMES, EPOCHS = 6, 8
TRAINING = "ImplicitFunc.train"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head with one CPU; each test has a second node join, and loses it."""
    with head(tmp_path_factory.mktemp("head"), cpus=1) as started:
        yield started


def start_verb(cluster: Cluster, *arguments: object) -> subprocess.Popen[str]:
    """Start a verb that runs on the cluster."""
    return subprocess.Popen(
        [sys.executable, "-m", "cluster", *map(str, arguments), "--cluster.address", cluster.address],
        env=cluster.environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Callable[[], bool], driver: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert driver.poll() is None, f"it ended too early: {driver.communicate()}"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_success(driver: subprocess.Popen[str]) -> str:
    """Wait until a verb has ended with status 0; return its output."""
    output = driver.communicate(timeout=TIMEOUT_S)
    assert driver.returncode == 0, output
    return "".join(output)


def failures_on_lost_nodes(cluster: Cluster, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The failed attempts at tasks whose node is not alive any more."""
    living = {row["node_id"] for row in list_records(cluster, "nodes") if row["state"] == "ALIVE"}
    return [row for row in tasks if row["state"] == "FAILED" and row["node_id"] not in living]


def file_contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def genomes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment on the example's genome, several times over."""
    values = yaml.safe_load((YEAST / "experiment.yaml").read_text())
    source = values["sources"][0] | {name: str(YEAST / values["sources"][0][name]) for name in ("fasta", "annotation")}
    values["sources"] = [source | {"genome": f"R64-{number}"} for number in range(GENOMES)]
    path = tmp_path_factory.mktemp("genomes") / "experiment.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster, genomes: Path) -> Path:
    output = genomes.with_name("undisturbed")
    wait_for_success(start_verb(cluster, "build", genomes, "--output", output))
    return output


@pytest.mark.parametrize(
    ("task", "first_output"),
    [("WritePlaced", "*"), ("EachTask", ".data.building-*/.records/*.json")],
    ids=["placing negatives", "encoding tokens"],
)
def test_a_node_lost_during_a_build_costs_tasks_and_changes_no_byte(
    cluster: Cluster, genomes: Path, undisturbed: Path, tmp_path: Path, task: str, first_output: str
) -> None:
    names: set[str] = set()
    # A worker keeps the title of its task for a moment after it has returned the result: then nothing is lost with it.
    for number in range(BUILDS):
        output = tmp_path / str(number) / "data"
        output.parent.mkdir()
        name, tasks = build_and_lose_a_node(cluster, genomes, output, task, first_output)
        lost = failures_on_lost_nodes(cluster, tasks)
        for row in lost:
            retries = [task for task in tasks if task["task_id"] == row["task_id"] and task["state"] == "FINISHED"]
            assert [retry["attempt_number"] > row["attempt_number"] for retry in retries] == [True]
        assert file_contents(output) == file_contents(undisturbed)
        names = {row["name"] for row in lost}
        if name in names:
            return
    pytest.fail(f"no {task} was lost with its node in {BUILDS} builds, but {names}")


def build_and_lose_a_node(
    cluster: Cluster, genomes: Path, output: Path, task: str, first_output: str
) -> tuple[str, list[dict[str, Any]]]:
    """Build a dataset, and kill a node while it does a task; the task's name, and Ray's records of the build."""
    cluster.node()
    before = {row["task_id"] for row in list_records(cluster, "tasks")}
    driver = start_verb(cluster, "build", genomes, "--output", output)
    wait_until(lambda: any(output.parent.glob(first_output)), driver)
    node = cluster.processes[-1]
    name = suspend_during(node.pid, f"Map({task})", driver).removeprefix("ray::")
    kill_node(cluster, node)
    wait_for_success(driver)
    return name, [row for row in list_records(cluster, "tasks") if row["task_id"] not in before]


def epochs(output: Path) -> dict[str, list[dict[str, Any]]]:
    """Folder of a trial to its epochs so far."""
    return {path.parent.name: journal.read(path) for path in output.glob("trials/*/epochs.jsonl")}


def running_trials(output: Path) -> set[str]:
    """Folders of the trials that have begun and not ended."""
    return {row["key"][:16] for row in journal.read(output / "trials.jsonl") if row["state"] == "begun"}


def suspend_in_an_epoch(output: Path, node: int, driver: subprocess.Popen[str]) -> tuple[str, list[dict[str, Any]]]:
    """Suspend a node between the second and the last epoch of its trial; return that trial and its epochs so far."""
    while True:
        wait_until(lambda: any(2 <= len(records) < EPOCHS for records in epochs(output).values()), driver)
        suspend_during(node, TRAINING, driver)
        before = epochs(output)
        # Which trial is suspended shows in that the other node's advances, or in that there is no other.
        wait_until(lambda before=before: epochs(output) != before or len(running_trials(output)) == 1, driver)
        after, running = epochs(output), running_trials(output)
        for trial, records in before.items():
            if trial in running and after[trial] == records and 2 <= len(records) < EPOCHS:
                return trial, records
        resume(node)


def training_calls(cluster: Cluster) -> list[dict[str, Any]]:
    """Calls by which Ray Tune waits for the next epoch of a trial."""
    return [row for row in list_records(cluster, "tasks") if row["func_or_class_name"] == TRAINING]


def figures(output: Path) -> list[dict[str, Any]]:
    """The rows of a study without times, memory and the order in which they ended."""
    changing = {"seconds", "memory_measured", "ended", "began_at", "ended_at"}
    return [
        {name: value for name, value in row.items() if name not in changing}
        for row in journal.read(output / "trials.jsonl")
    ]


def test_a_node_lost_during_a_study_costs_part_of_an_epoch_and_changes_no_figure(
    cluster: Cluster, tmp_path: Path
) -> None:
    data, output, undisturbed = write_dataset(tmp_path / "data", rows=500), tmp_path / "a", tmp_path / "b"
    # The budget of a batch follows from the memory, which is stated so that both have the same.
    search = {"search": "grid", "scheduler": "none", "device_memory": "4GiB"}
    values = {
        "model": {"embedding": 8, "stem": 8, "dropout": 0.2},
        "training": {"epochs": EPOCHS, "global_batch_size": 8, "seed": 5, "device": "cpu", "retries": 1},
        "tuning": {"space": {"model.hidden": [8, 12, 16, 24]}, **search},
    }
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(yaml.safe_dump(values))
    tune = ["tune", experiment, "--dataset", data, "--output"]
    cluster.node()
    wait_for_success(start_verb(cluster, *tune, undisturbed))
    assert failures_on_lost_nodes(cluster, training_calls(cluster)) == []
    driver = start_verb(cluster, *tune, output)
    node = cluster.processes[-1]
    lost, done = suspend_in_an_epoch(output, node.pid, driver)
    kill_node(cluster, node)
    assert "its process or machine was lost; it resumes after epoch" in wait_for_success(driver)
    assert len(failures_on_lost_nodes(cluster, training_calls(cluster))) == 1
    after = epochs(output)[lost]
    assert [record["epoch"] for record in after] == list(range(1, EPOCHS + 1))
    # Times are in them: epochs before the last, whose checkpoint may not have been written, were not done again.
    assert after[: len(done) - 1] == done[:-1]
    assert {row["state"] for row in figures(output)} == {"finished"}
    assert figures(output) == figures(undisturbed)
    weights = [study / "best" / "bundle" / "model.safetensors" for study in (output, undisturbed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
