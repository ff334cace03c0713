"""A study as a job of a real head with token authentication."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.nodes.losing_nodes import TIMEOUT_S
from tests.cluster.nodes.ray_nodes import Cluster, head
from tests.training.conftest import write_dataset
from training.bundle import bundle
from training.observability import journal

pytestmark = pytest.mark.full
EPOCHS = 6
HIDDEN = [8, 12, 16, 20, 24, 28]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with head(tmp_path_factory.mktemp("head")) as started:
        yield started


@pytest.fixture(scope="module")
def tune(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """The command of a study, without its output."""
    folder = tmp_path_factory.mktemp("inputs")
    values = {
        "model": {"embedding": 8, "stem": 8, "dropout": 0.0},
        "training": {"epochs": EPOCHS, "global_batch_size": 8, "seed": 5, "device": "cpu"},
        "tuning": {"space": {"model.hidden": HIDDEN}, "search": "grid", "scheduler": "none", "device_memory": "4GiB"},
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(values))
    data = write_dataset(folder / "data", rows=400)
    return ["tune", folder / "experiment.yaml", "--dataset", data, "--output"]


def rows(output: Path) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in journal.read(output / "trials.jsonl")}


def epochs(output: Path, key: str) -> list[dict[str, Any]]:
    return journal.read(output / "trials" / key[:16] / "epochs.jsonl")


def figures(output: Path) -> list[tuple[Any, ...]]:
    return [
        (row["key"], row["validation_auroc"], row["train_auroc"], row["best_epoch"]) for row in rows(output).values()
    ]


@pytest.fixture(scope="module")
def whole(cluster: Cluster, tune: list[object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was never stopped."""
    output = tmp_path_factory.mktemp("tuned") / "study"
    done = cluster.raygene("submit", "run", "--address", cluster.url, "--", *tune, output)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded" in done.stderr.splitlines()[-1]
    assert f"bundle: {output / 'best' / 'bundle'}" in done.stdout
    return output


def test_a_study_run_by_a_job_leaves_its_rows_and_the_best_bundle(whole: Path) -> None:
    assert [row["state"] for row in rows(whole).values()] == ["finished"] * len(HIDDEN)
    assert sorted(row["parameters"]["model.hidden"] for row in rows(whole).values()) == HIDDEN
    best = max(row["validation_auroc"] for row in rows(whole).values())
    assert bundle.load(whole / "best" / "bundle").config["metrics"]["validation_auroc"] == best
    assert not list(whole.glob(".ray-*"))


def is_half_way(output: Path) -> bool:
    """Whether a trial has finished, and another has ended an epoch."""
    trials = rows(output)
    running = [key for key, row in trials.items() if row["state"] == "begun" and epochs(output, key)]
    return bool(running) and any(row["state"] == "finished" for row in trials.values())


def test_a_stopped_study_resumes_with_the_same_command_and_no_finished_trial_runs_twice(
    cluster: Cluster, tune: list[object], whole: Path, tmp_path: Path
) -> None:
    to, output = ["--address", cluster.url], tmp_path / "study"
    sent = cluster.raygene("submit", "run", *to, "--detach", "--", *tune, output)
    assert sent.returncode == 0, sent.stderr
    job = sent.stdout.split()[1].rstrip(":")
    deadline = time.monotonic() + TIMEOUT_S
    while not is_half_way(output):
        assert time.monotonic() < deadline, cluster.raygene("submit", "logs", job, *to).stdout
        time.sleep(0.05)
    stopped = cluster.raygene("submit", "stop", job, *to)
    assert stopped.returncode == 0, stopped.stderr
    assert "was stopped; finished work is kept" in stopped.stdout
    before = rows(output)
    reached = {key: epochs(output, key) for key in before}
    finished = [key for key, row in before.items() if row["state"] == "finished"]
    assert 0 < len(finished) < len(HIDDEN)
    again = cluster.raygene("submit", "run", *to, "--", *tune, output)
    assert again.returncode == 0, again.stdout + again.stderr
    for key, row in before.items():
        done = epochs(output, key)
        assert len(done) == EPOCHS
        if key in finished:
            assert (rows(output)[key], done) == (row, reached[key])
        # Times are in them: epochs before the last, whose checkpoint may not have been written, were not done again.
        unchanged = reached[key][:-1]
        assert done[: len(unchanged)] == unchanged
    assert figures(output) == figures(whole)
    weights = [study / "best" / "bundle" / "model.safetensors" for study in (output, whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
