"""Ctrl-C on a terminal, by the script that measures it in every verb; what it takes for wrong, and not how long."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.full
@pytest.mark.parametrize("verb", ["init", "build"])
def test_ctrl_c_ends_in_one_line_and_leaves_nothing(verb: str, tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "scripts" / "interrupts.py"), "--folder", str(tmp_path)]
    moments = ["--moments", "at 1 s", "middle"]
    done = subprocess.run([*script, "--verbs", verb, *moments], capture_output=True, text=True)
    assert "undisturbed:" not in done.stdout
    records = [json.loads(line) for line in (tmp_path / "interrupts.jsonl").read_text().splitlines()]
    assert records, done.stderr
    for record in records:
        assert record["status"] in {0, 130}
        assert [problem for problem in record["problems"] if " after " not in problem] == []
