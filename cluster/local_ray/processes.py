"""The processes of a local Ray: those that one machine needs, so that it starts sooner and leaves the cores alone.

Ray also starts an autoscaler, a dashboard that shows no page without `include_dashboard`, and a process that reads the
logs of workers for drivers that print them. None of them has a switch in `ray.init`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_STARTS = ("start_monitor", "start_api_server")
_START_OF_LOG_READER = "start_log_monitor"


def variables() -> dict[str, str]:
    """The variables with which Ray keeps no figures for a dashboard, and watches for no machine about to be taken away.

    Ray's own processes read the first where they start, Ray Train the others in the driver.
    """
    return {
        "RAY_enable_metrics_collection": "0",
        "RAY_TRAIN_METRICS_ENABLED": "0",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    }


@contextmanager
def needed_only(*, shows_output: bool) -> Iterator[None]:
    """Have a `ray.init` of the block that starts a local Ray leave out the processes that it can do without.

    Args:
        shows_output: the driver prints what workers write, for which their logs have to be read.
    """
    from ray._private.node import Node

    left_out = _STARTS if shows_output else (*_STARTS, _START_OF_LOG_READER)
    # Another version of Ray, which may name them otherwise, starts all of its processes.
    replaced = {name: getattr(Node, name) for name in left_out if hasattr(Node, name)}
    for name in replaced:
        setattr(Node, name, _start_nothing)
    try:
        yield
    finally:
        for name, method in replaced.items():
            setattr(Node, name, method)


def _start_nothing(node: Any, **options: Any) -> None:
    """Stand for a method of Ray that starts a process."""
