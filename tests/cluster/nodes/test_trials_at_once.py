"""Trials of several workers on four nodes: as many run at once as these hold."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.nodes.ray_nodes import head
from tests.training.conftest import write_dataset
from training.observability import journal

pytestmark = pytest.mark.full
EPOCHS, SIZES = 3, [8, 12]


def most_at_once(intervals: list[tuple[datetime, datetime]]) -> int:
    """The largest number of intervals that share a moment."""
    moments = sorted([(begin, 1) for begin, _ in intervals] + [(end, -1) for _, end in intervals])
    running = highest = 0
    for _, change in moments:
        running += change
        highest = max(highest, running)
    return highest


def lifetime(row: dict[str, Any]) -> tuple[datetime, datetime]:
    """When a trial began and ended, as its row has them."""
    return datetime.fromisoformat(row["began_at"]), datetime.fromisoformat(row["ended_at"])


def test_trials_of_two_workers_run_two_at_a_time_on_four_nodes(tmp_path: Path) -> None:
    data, study = write_dataset(tmp_path / "data", rows=320), tmp_path / "study"
    search = {"search": "grid", "scheduler": "none", "device_memory": "4GiB", "workers": 2}
    values = {
        "model": {"embedding": 8, "stem": 8},
        "training": {"epochs": EPOCHS, "global_batch_size": 8, "seed": 5, "device": "cpu", "tensorboard": False},
        "tuning": {"space": {"model.hidden": SIZES}, **search},
    }
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(yaml.safe_dump(values))
    with head(tmp_path, cpus=1) as cluster:
        for _ in range(3):
            cluster.node()
        tune = ["tune", experiment, "--dataset", data, "--output", study, "--cluster.address", cluster.address]
        done = cluster.raygene(*tune, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = journal.read(study / "trials.jsonl")
    assert [(row["state"], row["cpus"]) for row in rows] == [("finished", 2)] * len(SIZES)
    assert most_at_once([lifetime(row) for row in rows]) == 2
