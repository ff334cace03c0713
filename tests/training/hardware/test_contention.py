from __future__ import annotations

import sys
from pathlib import Path

import pytest

from training.hardware.contention import SCHEDULER, queued_seconds


def test_the_waiting_time_is_the_second_number_in_nanoseconds(tmp_path: Path) -> None:
    (tmp_path / "schedstat").write_text("9000000000 1500000000 42\n")
    assert queued_seconds(tmp_path / "schedstat") == 1.5


def test_a_system_that_does_not_report_it_gives_none(tmp_path: Path) -> None:
    assert queued_seconds(tmp_path / "absent") is None
    (tmp_path / "empty").touch()
    assert queued_seconds(tmp_path / "empty") is None


@pytest.mark.skipif(not SCHEDULER.exists(), reason=f"{sys.platform} does not report how long a thread waits")
def test_the_waiting_time_of_this_thread_never_falls() -> None:
    first, second = queued_seconds(), queued_seconds()
    assert first is not None
    assert second is not None
    assert 0 <= first <= second
