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
    """The variable with which Ray's processes, where they start, keep no figures for a dashboard."""
    return {"RAY_enable_metrics_collection": "0"}


@contextmanager
def needed_only(*, shows_output: bool) -> Iterator[None]:
    """Have a `ray.init` of the block that starts a local Ray leave out the processes that it can do without.

    Args:
        shows_output: the driver prints what workers write, for which their logs have to be read.
    """
    from ray._private.node import Node

    left_out = _STARTS if shows_output else (*_STARTS, _START_OF_LOG_READER)
    # Another version of Ray, which may name them otherwise, starts all of its processes.
    methods = {name: getattr(Node, name) for name in left_out if hasattr(Node, name)}
    for name in methods:
        setattr(Node, name, _start_nothing)
    try:
        yield
    finally:
        for name, method in methods.items():
            setattr(Node, name, method)


def _start_nothing(node: Any, *arguments: Any, **options: Any) -> None:
    """Stand for a method of Ray that starts a process."""
