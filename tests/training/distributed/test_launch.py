from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import DatasetError, TrainingError
from training.distributed.launch import Group, launch
from training.distributed.messages import EventQueue
from training.distributed.placement import Placement

pytestmark = pytest.mark.ray
ONE = Group(1, 1, Placement(1, use_gpu=False), failures=1)


def counting(given: dict[str, Any]) -> None:
    wire = EventQueue(given["news"])
    for number in range(given["count"]):
        wire.tell({"number": number})
    wire.tell_and_wait({"number": given["count"]})


def refusing(given: dict[str, Any]) -> None:
    EventQueue(given["news"]).tell_and_wait({"error": DatasetError("rows: none", "build again")})
    raise RuntimeError("after which Ray would start it again")


def failing(given: dict[str, Any]) -> None:
    EventQueue(given["news"]).tell_and_wait({"number": 0})
    raise RuntimeError("the disk\nis on fire")


def waiting(given: dict[str, Any]) -> None:
    EventQueue(given["news"]).tell({"ready": True})
    while not Path(given["stop"]).exists():
        time.sleep(0.05)
    EventQueue(given["news"]).tell_and_wait({"saved": True})


def test_what_workers_tell_is_heard_in_order_and_nothing_is_left_behind(ray_session: Any, tmp_path: Path) -> None:
    heard: list[Any] = []
    launch(counting, {"count": 200}, ONE, tmp_path, heard.append)
    assert heard == [{"number": number} for number in range(201)]
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_a_worker_tells_is_raised_and_not_tried_again(ray_session: Any, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="build again"):
        launch(refusing, {}, ONE, tmp_path, lambda message: None)


def test_a_failure_is_tried_again_as_often_as_allowed_and_told_in_a_line(ray_session: Any, tmp_path: Path) -> None:
    heard: list[Any] = []
    with pytest.raises(TrainingError, match="is on fire") as caught:
        launch(failing, {}, ONE, tmp_path, heard.append)
    assert len(heard) == 2
    assert "\n" not in str(caught.value)


def test_an_interrupt_asks_the_workers_to_stop_and_waits_for_them(ray_session: Any, tmp_path: Path) -> None:
    heard: list[Any] = []

    def hear(message: dict[str, Any]) -> None:
        heard.append(message)
        if "ready" in message:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        launch(waiting, {"stop": str(tmp_path / "stop")}, ONE, tmp_path, hear, (tmp_path / "stop").touch)
    assert heard == [{"ready": True}, {"saved": True}]
    assert signal.getsignal(signal.SIGTERM) is before
    assert threading.current_thread() is threading.main_thread()
