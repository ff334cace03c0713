from __future__ import annotations

import json
from pathlib import Path

from training.observability import journal

RECORDS = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}]


def test_the_file_holds_the_records_and_nothing_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 7, "loss": 0.1}\n{"epoch": 8, "lo')
    journal.write(path, RECORDS)
    assert [json.loads(line) for line in path.read_text().splitlines()] == RECORDS


def test_a_run_without_an_epoch_yet_has_an_empty_file(tmp_path: Path) -> None:
    journal.write(tmp_path / "metrics.jsonl", RECORDS)
    journal.write(tmp_path / "metrics.jsonl", [])
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_a_file_that_holds_the_records_already_is_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    journal.write(path, RECORDS)
    before = path.stat().st_ino
    journal.write(path, [dict(reversed(record.items())) for record in RECORDS])
    assert path.stat().st_ino == before
