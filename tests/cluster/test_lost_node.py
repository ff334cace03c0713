"""A node that is killed in the midst of work: the work ends as if nothing had happened."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.losing_nodes import PATIENCE_S, caught_at, listed, lose, thaw
from tests.cluster.ray_nodes import ROOT, Cluster, head
from tests.training.conftest import write_dataset
from training.observability import journal

pytestmark = pytest.mark.full
YEAST = ROOT / "examples" / "yeast"
GENOMES, EPOCHS = 6, 8
TRAINING = "ImplicitFunc.train"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head with one CPU; each test has a second node join, and loses it."""
    with head(tmp_path_factory.mktemp("head"), cpus=1) as made:
        yield made


def begun(cluster: Cluster, *arguments: object) -> subprocess.Popen[str]:
    """A verb that runs on the cluster."""
    return subprocess.Popen(
        [sys.executable, "-m", "cluster", *map(str, arguments), "--cluster.address", cluster.address],
        env=cluster.environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Callable[[], bool], driver: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert driver.poll() is None, f"it ended too early: {driver.communicate()}"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(driver: subprocess.Popen[str]) -> str:
    """What a verb has said that has ended well."""
    told = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, told
    return "".join(told)


def failed_elsewhere(cluster: Cluster, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Attempts at tasks that came to nothing on a node that is no longer there."""
    there = {row["node_id"] for row in listed(cluster, "nodes") if row["state"] == "ALIVE"}
    return [row for row in tasks if row["state"] == "FAILED" and row["node_id"] not in there]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def genomes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment on the example's genome, several times over."""
    values = yaml.safe_load((YEAST / "experiment.yaml").read_text())
    one = values["sources"][0] | {name: str(YEAST / values["sources"][0][name]) for name in ("fasta", "annotation")}
    values["sources"] = [one | {"genome": f"R64-{number}"} for number in range(GENOMES)]
    path = tmp_path_factory.mktemp("genomes") / "experiment.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster, genomes: Path) -> Path:
    output = genomes.with_name("undisturbed")
    ended(begun(cluster, "build", genomes, "--output", output))
    return output


@pytest.mark.parametrize(
    ("task", "sign"),
    [("PlaceNegatives", "*"), ("EachTask", ".data.building-*/.records/*.json")],
    ids=["placing negatives", "encoding tokens"],
)
def test_a_node_lost_during_a_build_costs_tasks_and_changes_no_byte(
    cluster: Cluster, genomes: Path, undisturbed: Path, tmp_path: Path, task: str, sign: str
) -> None:
    cluster.node()
    before = {row["task_id"] for row in listed(cluster, "tasks")}
    driver = begun(cluster, "build", genomes, "--output", tmp_path / "data")
    wait_until(lambda: any(tmp_path.glob(sign)), driver)
    node = cluster.processes[-1]
    name = caught_at(node.pid, f"MapBatches({task})", driver).removeprefix("ray::")
    lose(cluster, node)
    ended(driver)
    tasks = [row for row in listed(cluster, "tasks") if row["task_id"] not in before]
    lost = failed_elsewhere(cluster, tasks)
    assert name in {row["name"] for row in lost}
    for row in lost:
        again = [one for one in tasks if one["task_id"] == row["task_id"] and one["state"] == "FINISHED"]
        assert [one["attempt_number"] > row["attempt_number"] for one in again] == [True]
    assert contents(tmp_path / "data") == contents(undisturbed)


def epochs(output: Path) -> dict[str, list[dict[str, Any]]]:
    """Folder of a trial to its epochs so far."""
    return {path.parent.name: journal.read(path) for path in output.glob("trials/*/epochs.jsonl")}


def not_over(output: Path) -> set[str]:
    """Folders of the trials that have begun and not ended."""
    return {row["key"][:16] for row in journal.read(output / "trials.jsonl") if row["state"] == "begun"}


def caught_in_an_epoch(output: Path, node: int, driver: subprocess.Popen[str]) -> tuple[str, list[dict[str, Any]]]:
    """Freeze a node while its trial has ended two epochs or more and not its last; that trial, and those epochs."""
    while True:
        wait_until(lambda: any(2 <= len(records) < EPOCHS for records in epochs(output).values()), driver)
        caught_at(node, TRAINING, driver)
        before = epochs(output)
        # The other node's trial goes on, or there is none: so it is known which is frozen.
        wait_until(lambda before=before: epochs(output) != before or len(not_over(output)) == 1, driver)
        after, open_still = epochs(output), not_over(output)
        for trial, records in before.items():
            if trial in open_still and after[trial] == records and 2 <= len(records) < EPOCHS:
                return trial, records
        thaw(node)


def trainings(cluster: Cluster) -> list[dict[str, Any]]:
    """Calls by which Ray Tune waits for the next epoch of a trial."""
    return [row for row in listed(cluster, "tasks") if row["func_or_class_name"] == TRAINING]


def figures(output: Path) -> list[dict[str, Any]]:
    """The rows of a study without times, memory and the order in which they ended."""
    changing = {"seconds", "memory_measured", "ended"}
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
    ended(begun(cluster, *tune, undisturbed))
    assert failed_elsewhere(cluster, trainings(cluster)) == []
    driver = begun(cluster, *tune, output)
    node = cluster.processes[-1]
    lost, done = caught_in_an_epoch(output, node.pid, driver)
    lose(cluster, node)
    assert "its process or machine was lost; it resumes after epoch" in ended(driver)
    assert len(failed_elsewhere(cluster, trainings(cluster))) == 1
    after = epochs(output)[lost]
    assert [record["epoch"] for record in after] == list(range(1, EPOCHS + 1))
    # Times are in them: epochs before the last, whose checkpoint may not have been written, were not done again.
    assert after[: len(done) - 1] == done[:-1]
    assert {row["state"] for row in figures(output)} == {"finished"}
    assert figures(output) == figures(undisturbed)
    weights = [place / "best" / "bundle" / "model.safetensors" for place in (output, undisturbed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
