from __future__ import annotations

from typing import Any

import pytest

from pipelines.errors import ResourceError
from training.distributed.nodes.gpu_check import NO_GPU, NodeInventory, check, inventory_cluster
from training.hardware.gpus import Build, Hardware, hardware

CUDA = Build("cuda", "2.13.0+cu126", 2)
USABLE = NodeInventory("10.0.0.1", 2, Hardware(nvidia=2), CUDA, {})
BARE = NodeInventory("10.0.0.2", 0, Hardware(), NO_GPU, {})
FOR_CPUS = NodeInventory("10.0.0.3", 2, Hardware(nvidia=2), Build("cpu", "2.13.0+cpu"), {})
UNKNOWN = NodeInventory("10.0.0.4", 0, Hardware(amd=4), Build("rocm", "2.13.0+rocm6.4", 4), {})


def test_machines_with_usable_gpus_and_without_any_are_accepted() -> None:
    check([USABLE, BARE], "auto")
    check([USABLE, BARE], "cuda")


def test_the_machine_whose_gpus_cannot_be_used_is_named() -> None:
    with pytest.raises(ResourceError, match=r"machine 10\.0\.0\.3: .*2 NVIDIA GPUs, but torch 2.13.0\+cpu"):
        check([USABLE, FOR_CPUS], "auto")
    with pytest.raises(ResourceError, match=r"^training.device: this machine has 2 NVIDIA GPUs"):
        check([FOR_CPUS], "auto")


def test_gpus_that_ray_does_not_count_are_an_error_that_names_the_missing_package() -> None:
    with pytest.raises(
        ResourceError, match=r"machine 10\.0\.0\.4: .*4 AMD GPUs that Ray does not know: pip install amdsmi"
    ):
        check([USABLE, UNKNOWN], "cuda")


def test_gpus_that_ray_counts_and_nobody_sees_are_an_error() -> None:
    with pytest.raises(ResourceError, match=r"Ray counts 1 GPU, but this machine has none: start Ray with the true"):
        check([NodeInventory("node", 1, Hardware(), Build("cpu", "2.13.0+cpu"), {})], "auto")
    check([NodeInventory("without device files", 1, Hardware(), CUDA, {})], "auto")


def test_gpus_are_not_checked_when_only_cpus_are_requested_or_gpus_are_hidden() -> None:
    check([FOR_CPUS, UNKNOWN], "cpu")
    check([NodeInventory("node", 2, Hardware(nvidia=2), Build("cpu", "x"), {"CUDA_VISIBLE_DEVICES": ""})], "auto")


@pytest.mark.ray
def test_every_machine_of_the_cluster_is_inspected(ray_session: Any) -> None:
    (inventory,) = inventory_cluster()
    assert inventory.hardware == hardware()
    assert inventory.gpus == 0 or inventory.hardware
