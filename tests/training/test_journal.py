from __future__ import annotations

import json
from pathlib import Path

from training.journal import Journal


def epochs(path: Path) -> list[tuple[int, float]]:
    return [(record["epoch"], record["loss"]) for record in map(json.loads, path.read_text().splitlines())]


def test_each_epoch_is_on_disk_as_soon_as_it_is_added(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl", resume=False)
    journal.add({"epoch": 1, "loss": 0.5})
    assert epochs(tmp_path / "metrics.jsonl") == [(1, 0.5)]


def test_an_epoch_done_again_replaces_its_line_and_those_after(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl", resume=False)
    for epoch in (1, 2, 3):
        journal.add({"epoch": epoch, "loss": 0.5})
    Journal(tmp_path / "metrics.jsonl", resume=True).add({"epoch": 2, "loss": 0.4})
    assert epochs(tmp_path / "metrics.jsonl") == [(1, 0.5), (2, 0.4)]


def test_another_run_begins_a_new_journal(tmp_path: Path) -> None:
    Journal(tmp_path / "metrics.jsonl", resume=False).add({"epoch": 1, "loss": 0.5})
    Journal(tmp_path / "metrics.jsonl", resume=False).add({"epoch": 1, "loss": 0.3})
    assert epochs(tmp_path / "metrics.jsonl") == [(1, 0.3)]


def test_a_line_cut_short_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "lo')
    Journal(path, resume=True).add({"epoch": 2, "loss": 0.4})
    assert epochs(path) == [(1, 0.5), (2, 0.4)]
