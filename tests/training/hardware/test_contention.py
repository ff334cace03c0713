from __future__ import annotations

import sys
from pathlib import Path

import pytest

from training.hardware.contention import SCHEDULER, queued_seconds


def test_waiting_is_the_second_number_in_nanoseconds(tmp_path: Path) -> None:
    (tmp_path / "schedstat").write_text("9000000000 1500000000 42\n")
    assert queued_seconds(tmp_path / "schedstat") == 1.5


def test_a_system_that_does_not_tell_is_not_judged(tmp_path: Path) -> None:
    assert queued_seconds(tmp_path / "absent") is None
    (tmp_path / "empty").touch()
    assert queued_seconds(tmp_path / "empty") is None


@pytest.mark.skipif(not SCHEDULER.exists(), reason=f"{sys.platform} does not tell how long a thread waits")
def test_this_thread_has_waited_and_never_less() -> None:
    first, second = queued_seconds(), queued_seconds()
    assert first is not None
    assert second is not None
    assert 0 <= first <= second
