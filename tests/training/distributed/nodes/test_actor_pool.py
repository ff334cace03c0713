from __future__ import annotations

from typing import Any

import pytest

from pipelines.errors import ResourceError
from pipelines.ray_map.nodes import Node
from training.distributed.nodes import actor_pool
from training.distributed.nodes.actor_pool import Pool

LAPTOP, SERVER = [Node(4, 0)], [Node(16, 2), Node(8, 0), Node(1, 4)]


@pytest.mark.parametrize(
    ("nodes", "requested", "device", "expected"),
    [
        (LAPTOP, None, "auto", Pool(4, use_gpu=False)),
        (LAPTOP, 2, "auto", Pool(2, use_gpu=False)),
        (SERVER, None, "auto", Pool(3, use_gpu=True)),
        (SERVER, None, "cpu", Pool(25, use_gpu=False)),
        (SERVER, 1, "cuda", Pool(1, use_gpu=True)),
    ],
)
def test_every_gpu_or_else_every_cpu_scores(
    nodes: list[Node], requested: int | None, device: str, expected: Pool
) -> None:
    assert actor_pool.choose_pool(nodes, requested, device) == expected


@pytest.mark.parametrize(
    ("nodes", "requested", "device"), [(LAPTOP, 5, "auto"), (LAPTOP, None, "cuda"), (SERVER, 4, "auto")]
)
def test_what_ray_would_wait_for_for_ever_is_refused(nodes: list[Node], requested: int | None, device: str) -> None:
    with pytest.raises(ResourceError, match=r"--workers \d: each needs"):
        actor_pool.choose_pool(nodes, requested, device)


@pytest.mark.ray
def test_the_pool_of_the_connected_cluster_has_an_actor_for_each_of_its_cpus(ray_session: Any) -> None:
    import ray

    cpus = int(ray.cluster_resources()["CPU"])
    assert actor_pool.on_cluster(None, "cpu") == Pool(cpus, use_gpu=False)
    with pytest.raises(ResourceError, match=f"set it to {cpus}"):
        actor_pool.on_cluster(cpus + 1, "cpu")
