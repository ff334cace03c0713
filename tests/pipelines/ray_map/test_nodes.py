from __future__ import annotations

from typing import Any

import pytest

from pipelines.ray_map.nodes import ClusterTooSmallError, Node, Shortage, held_by_any, nodes_of

CPU, GPU = Node(1, 0), Node(4, 1)


class Changing:
    """Nodes and a clock that a test sets."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes, self.seconds, self.looks = list(nodes), 0.0, 0

    def living(self) -> list[Node]:
        self.looks += 1
        return self.nodes

    def shortage(self, cpus: int = 1, gpus: int = 0) -> Shortage:
        return Shortage(held_by_any(cpus, gpus), "a task needs it", self.living, lambda: self.seconds)


def test_what_a_record_does_not_name_the_node_does_not_have() -> None:
    records: list[dict[str, Any]] = [{"Resources": {"CPU": 4.0, "GPU": 1.0, "memory": 1e9}}, {"Resources": {}}]
    assert nodes_of(records) == [Node(4, 1), Node(0, 0)]


def test_a_shortage_that_lasts_is_an_error_with_what_is_left() -> None:
    cluster = Changing(CPU)
    shortage = cluster.shortage(cpus=2)
    for seconds in range(0, 120, 10):
        cluster.seconds = seconds
        shortage.require()
    cluster.seconds = 125
    with pytest.raises(ClusterTooSmallError, match=r"a task needs it, but 1 CPU and 0 GPUs on 1 node are left: add a"):
        shortage.require()


def test_a_node_that_comes_back_ends_a_shortage() -> None:
    cluster = Changing()
    shortage = cluster.shortage(gpus=1)
    for seconds, nodes in ((0, []), (100, [GPU]), (200, []), (300, [GPU])):
        cluster.seconds, cluster.nodes = seconds, nodes
        shortage.require()


def test_the_cluster_is_looked_at_every_few_seconds() -> None:
    cluster = Changing(CPU)
    shortage = cluster.shortage()
    for _ in range(100):
        shortage.require()
    assert cluster.looks == 1


@pytest.mark.parametrize(
    ("cpus", "gpus", "expected"), [(1, 0, True), (4, 0, True), (5, 0, False), (1, 1, True), (1, 2, False)]
)
def test_work_is_held_by_a_node_and_not_by_several_together(cpus: int, gpus: int, expected: bool) -> None:
    assert held_by_any(cpus, gpus)([CPU, GPU, CPU]) is expected
