from __future__ import annotations

import pytest

from pipelines.errors import ResourceError
from pipelines.ray_map.nodes import Node
from training.distributed.nodes.placement import Placement, max_workers_per_node, missing_resources, place


def test_one_machine_is_shared_out_evenly() -> None:
    assert place([Node(8, 0)], 2, "auto") == Placement(4, use_gpu=False)
    assert place([Node(8, 0)], 3, "auto") == Placement(2, use_gpu=False)


def test_a_worker_is_not_promised_more_cpus_than_one_machine_has() -> None:
    assert place([Node(4, 0), Node(4, 0)], 1, "cpu") == Placement(4, use_gpu=False)
    assert place([Node(4, 0), Node(2, 0)], 3, "cpu") == Placement(2, use_gpu=False)


def test_auto_takes_gpus_where_there_are_any() -> None:
    nodes = [Node(8, 2), Node(8, 0)]
    assert place(nodes, 2, "auto") == Placement(4, use_gpu=True)
    assert place(nodes, 2, "cpu") == Placement(8, use_gpu=False)
    assert place([Node(8, 0)], 2, "auto") == Placement(4, use_gpu=False)


def test_gpus_of_several_nodes_serve_one_run() -> None:
    assert place([Node(16, 4), Node(16, 4)], 8, "auto") == Placement(4, use_gpu=True)
    assert place([Node(16, 4), Node(2, 1), Node(8, 0)], 5, "auto") == Placement(2, use_gpu=True)


def test_fewer_gpus_than_workers_are_no_reason_to_compute_on_cpus_in_silence() -> None:
    with pytest.raises(ResourceError, match=r"set training.workers to 2 or training.device to cpu"):
        place([Node(8, 2), Node(8, 0)], 3, "auto")


def test_a_gpu_without_a_cpu_beside_it_serves_no_worker() -> None:
    with pytest.raises(ResourceError, match=r"4 CPUs and 4 GPUs on 2 nodes: set training.workers to 1 or"):
        place([Node(1, 4), Node(3, 0)], 2, "auto")
    with pytest.raises(ResourceError, match=r"1 GPU on 2 nodes: set training.device to cpu"):
        place([Node(0, 1), Node(4, 0)], 1, "auto")


def test_too_few_gpus_or_cpus_are_an_error_with_those_of_the_cluster() -> None:
    with pytest.raises(ResourceError, match=r"16 CPUs and 2 GPUs on 2 nodes: set training.workers to 2"):
        place([Node(8, 2), Node(8, 0)], 3, "cuda")
    with pytest.raises(ResourceError, match=r"training.workers 9 need a CPU each.*set training.workers to 8"):
        place([Node(8, 0)], 9, "auto")
    with pytest.raises(ResourceError, match="add a node"):
        place([], 1, "auto")


def test_nothing_is_awaited_where_all_is_free() -> None:
    assert missing_resources(Placement(2, use_gpu=False), 2, {"CPU": 4.0, "memory": 1e9}) is None
    assert missing_resources(Placement(2, use_gpu=True), 2, {"CPU": 8.0, "GPU": 2.0}) is None


def test_what_other_work_holds_is_awaited() -> None:
    assert missing_resources(Placement(2, use_gpu=False), 2, {"CPU": 1.0}) == "4 CPUs (1 free now)"
    assert missing_resources(Placement(1, use_gpu=True), 1, {"CPU": 8.0}) == "1 GPU (0 free now)"
    assert (
        missing_resources(Placement(2, use_gpu=True), 2, {"GPU": 1.5})
        == "4 CPUs (0 free now) and 2 GPUs (1.5 free now)"
    )


def test_the_resources_have_rays_names() -> None:
    assert Placement(3, use_gpu=True).resources == {"CPU": 3, "GPU": 1}
    assert Placement(3, use_gpu=False).resources == {"CPU": 3}


@pytest.mark.parametrize(
    ("nodes", "share", "workers", "expected"),
    [
        ([Node(0, 0), Node(4, 0)], Placement(1, use_gpu=False), 4, 4),
        ([Node(8, 0), Node(4, 0)], Placement(4, use_gpu=False), 3, 2),
        ([Node(2, 0), Node(2, 0)], Placement(2, use_gpu=False), 2, 1),
        ([Node(16, 2), Node(16, 2)], Placement(4, use_gpu=True), 4, 2),
    ],
)
def test_workers_fill_one_machine_before_the_next(
    nodes: list[Node], share: Placement, workers: int, expected: int
) -> None:
    assert max_workers_per_node(nodes, share, workers) == expected
