from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ResourceError, StorageError, TrainingError
from tuning.trials.store import TROUBLE
from tuning.trials.worker import Report, guarded


def told(work: Any, folder: Path, until: float | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    guarded(work, {"folder": str(folder), "until": until}, found.append)
    return found


def raising(error: Exception) -> Any:
    def work(given: dict[str, Any], report: Report) -> None:
        raise error

    return work


def test_what_all_trials_would_meet_is_told_apart_from_what_one_does(tmp_path: Path) -> None:
    assert told(raising(StorageError("the disk is full", "free space")), tmp_path)[0]["stuck"] == [
        "the disk is full",
        "free space",
    ]
    assert told(raising(TrainingError("the loss is no number", "")), tmp_path)[0]["failed"] == "the loss is no number"
    assert "no memory left" in told(raising(MemoryError()), tmp_path)[0]["failed"]
    # As a worker of Ray Train tells it.
    assert (
        told(raising(ResourceError("no memory left for a batch")), tmp_path)[0]["failed"]
        == "no memory left for a batch"
    )


def test_what_may_pass_is_left_to_ray_with_its_last_line_kept(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="stale"):
        told(raising(OSError("stale file handle")), tmp_path)
    assert "stale file handle" in (tmp_path / TROUBLE).read_text()


def test_none_begins_after_its_time(tmp_path: Path) -> None:
    assert told(raising(AssertionError()), tmp_path, until=time.time() - 1)[0]["unstarted"]
    assert told(lambda given, report: report({"epoch": 1}), tmp_path, until=time.time() + 60) == [{"epoch": 1}]
