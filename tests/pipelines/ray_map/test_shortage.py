"""A cluster whose nodes have no CPU left, as after the loss of all that had one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipelines.ray_map.nodes import RETURN_VARIABLE
from tests.cluster.nodes.ray_nodes import ROOT

MAP = {
    "tasks": "map_tables(tables, str)",
    "actors": "map_tables_on_actors(tables, str, (), 2, use_gpu=False)",
}
PROGRAM = """
import pyarrow as pa
import ray
from pipelines.errors import RaygeneError
from pipelines.ray_map import map_tables, map_tables_on_actors

ray.init(address="local", num_cpus=0, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
tables = [pa.table({"x": [1]})]
try:
    list(MAP)
except RaygeneError as error:
    print(error)
"""


@pytest.mark.full
@pytest.mark.parametrize("kind", MAP)
def test_a_map_that_no_node_can_hold_ends_in_a_line(kind: str) -> None:
    """In a process of its own, which has a Ray of its own."""
    environment = os.environ | {RETURN_VARIABLE: "1"}
    command = [sys.executable, "-c", PROGRAM.replace("MAP", MAP[kind])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, cwd=ROOT)
    assert "needs a CPU, but 0 CPUs and 0 GPUs on 1 node are left: add a node" in done.stdout, done.stderr
