from __future__ import annotations

import json
from pathlib import Path

import pytest

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


def test_a_step_log_is_cut_at_a_position_of_its_run(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    positions = [("abc", 1, 5), ("abc", 2, 1), ("other", 1, 1), ("abc", 2, 2)]
    journal.append(path, [{"run": run, "epoch": epoch, "step": step} for run, epoch, step in positions])
    with path.open("a") as stream:
        stream.write('{"run": "abc", "ep')
    # One epoch and one step are finished; epochs in the file count from 1.
    journal.truncate(path, "abc", epoch=1, step=1)
    assert [(record["epoch"], record["step"]) for record in journal.read(path)] == [(1, 5), (2, 1)]


def test_a_file_that_is_missing_or_has_a_line_that_is_not_a_record_has_no_records(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "absent.jsonl") == []
    for text in ('{"epoch": 1}\n{"ep', "[1]\n"):
        (tmp_path / "metrics.jsonl").write_text(text)
        assert journal.read(tmp_path / "metrics.jsonl") == []
    journal.truncate(tmp_path / "absent.jsonl", "abc", 0, 0)
    assert not (tmp_path / "absent.jsonl").exists()


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"3",
        b"null",
        b'"text"',
        b"{}",
        b'{"run": "abc"}',
        b'{"run": "abc", "epoch": "one", "step": 1}',
        b'{"run": "abc", "epoch": 1, "step": null}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"run": "abc", "epoch": 1, "st',
    ],
)
def test_damaged_lines_of_a_step_log_are_removed_and_the_others_stay(tmp_path: Path, line: bytes) -> None:
    path, good = tmp_path / "steps.jsonl", b'{"epoch": 1, "run": "abc", "step": 1}'
    path.write_bytes(line + b"\n" + good + b"\n" + line)
    journal.truncate(path, "abc", epoch=1, step=1)
    assert path.read_bytes() == good + b"\n"


def test_records_nested_without_end_are_no_records(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("[" * 100_000)
    assert journal.read(tmp_path / "metrics.jsonl") == []
