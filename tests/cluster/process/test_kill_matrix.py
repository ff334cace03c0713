"""A few kills of every verb at random moments, by the script that makes as many as one likes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VERBS = ("build", "embed", "train", "tune", "scan", "predict", "evaluate", "profile")

pytestmark = [pytest.mark.full, pytest.mark.ray]


@pytest.mark.parametrize("verb", VERBS)
def test_kills_at_random_moments_change_no_file_and_leave_nothing_running(
    verb: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "kills"
    script = [sys.executable, "-P", str(ROOT / "scripts" / "kill_matrix.py"), "--folder", str(folder)]
    done = subprocess.run([*script, "--kills", "5", "--verbs", verb], capture_output=True, text=True)
    chains = [json.loads(line) for line in (folder / "chains.jsonl").read_text().splitlines()]
    (chain,) = (chain for chain in chains if chain["verb"] == verb)
    assert chain["differences"] == []
    assert [record for record in chain["records"] if record["problems"]] == []
    assert sum(record["is_kill"] for record in chain["records"]) == 5, done.stderr
