"""Ports of a local Ray: free ones, so that it holds none by which another Ray of the machine is known.

`ray.init` gives the agent of a machine the port 52365. A head that is started there later has no agent then, and its
job server can start no job.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

FREE = 0
"""Has a process of Ray listen on a free port."""
AGENT = "dashboard_agent_listen_port"


@contextmanager
def free_ports() -> Iterator[None]:
    """Have a Ray that is started in the block listen on free ports alone; `ray.init` has no option for its agent's."""
    parameter: Any = import_module("ray._private.parameter")
    original = parameter.RayParams
    if AGENT not in inspect.signature(original).parameters:
        yield
        return
    parameter.RayParams = partial(original, **{AGENT: FREE})
    try:
        yield
    finally:
        parameter.RayParams = original
