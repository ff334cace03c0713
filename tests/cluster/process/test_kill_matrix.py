"""A few kills of every verb at random moments, by the script that makes as many as one likes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VERBS = ("build", "embed", "train", "tune", "scan", "predict", "evaluate", "profile")
WITH_RAY = ("build", "train", "tune", "scan", "predict", "profile")

pytestmark = [pytest.mark.full, pytest.mark.ray]


def kill(folder: Path, verb: str, seed: int, *options: object) -> None:
    """Kill a verb five times on one output, and check what became of it."""
    script = [sys.executable, str(ROOT / "scripts" / "kill_matrix.py"), "--folder", str(folder)]
    command = [*script, "--kills", "5", "--verbs", verb, "--seed", seed, *options]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    chains = [json.loads(line) for line in (folder / "chains.jsonl").read_text().splitlines()]
    (chain,) = (chain for chain in chains if (chain["verb"], chain["seed"]) == (verb, seed))
    assert chain["differences"] == []
    assert [record for record in chain["records"] if record["problems"]] == []
    assert sum(record["is_kill"] for record in chain["records"]) == 5, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For inputs that all verbs share."""
    return tmp_path_factory.mktemp("kills")


@pytest.mark.parametrize("verb", VERBS)
def test_kills_at_random_moments_change_no_file_and_leave_nothing_running(verb: str, folder: Path) -> None:
    kill(folder, verb, 0)


@pytest.mark.parametrize("verb", WITH_RAY)
def test_a_lost_worker_raylet_or_gcs_ends_in_one_line_at_most_and_changes_no_file(verb: str, folder: Path) -> None:
    kill(folder, verb, 1, "--targets", "worker", "raylet", "gcs_server")
