"""Checks every machine of a cluster, before workers start, for a GPU that would be left unused.

Without the check Ray would start the workers, and torch.distributed would fail with a message that names no fix. It
costs one small task per machine, a second in all; torch is imported only where there is a GPU.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import ResourceError
from pipelines.ray_map.nodes import living_records
from training.distributed.nodes import node_tasks
from training.hardware import devices
from training.hardware.devices import DeviceError
from training.hardware.gpus import VARIABLES, Build, Hardware, build, hardware, hidden_by

# A task has to start a process there and may have to import torch.
ANSWER_S = 60.0
NO_GPU = Build("cpu", "")


@dataclass(frozen=True)
class NodeInventory:
    """The GPUs of a machine, as its drivers, its torch and Ray know them.

    Attributes:
        host: name or address of the machine.
        gpus: as Ray counts them.
        hardware: as the drivers' device files show it.
        torch_build: its torch; `NO_GPU` if it was not imported, because there is no GPU.
        environment: the variables there that hide GPUs from Ray's workers.
    """

    host: str
    gpus: int
    hardware: Hardware
    torch_build: Build
    environment: dict[str, str]


def check(inventories: Sequence[NodeInventory], device: str) -> None:
    """See that no machine has a GPU that would be left unused.

    Args:
        inventories: of every machine.
        device: `training.device`.

    Raises:
        DeviceError: a machine has a GPU that its torch cannot use or that Ray does not count, or has none although Ray
            counts one. The error names the machine if there are several.
    """
    if device == "cpu":
        return
    for inventory in inventories:
        try:
            _check_machine(inventory, device)
        except DeviceError as error:
            if len(inventories) == 1:
                raise
            raise error.on(inventory.host) from error


def _check_machine(inventory: NodeInventory, device: str) -> None:
    hardware, environment = inventory.hardware, inventory.environment
    is_usable = devices.choose("auto", hardware, inventory.torch_build, environment) == "cuda"
    if is_usable and not inventory.gpus:
        raise devices.unknown_to_ray(device, hardware, environment)
    is_hidden = any(hidden_by(environment, maker) for maker in VARIABLES)
    if inventory.gpus and not is_usable and not is_hidden:
        counted = f"{inventory.gpus} GPU{'s' if inventory.gpus > 1 else ''}"
        raise DeviceError(
            f"Ray counts {counted}, but this machine has none",
            f"start Ray with the true --num-gpus, or {devices.TO_CPU}",
        )


def require(device: str) -> None:
    """`check` every machine of the cluster that Ray is connected to; none where only CPUs are requested.

    Args:
        device: `training.device`.

    Raises:
        ResourceError: as `check`, or a machine does not answer.
    """
    if device != "cpu":
        check(inventory_cluster(), device)


def inventory_cluster() -> list[NodeInventory]:
    """The inventory of every living machine of the cluster; Ray is connected.

    Raises:
        ResourceError: a machine does not answer.
    """
    import ray
    from ray.exceptions import RayError

    nodes = living_records()
    references = [node_tasks.start(inspect_machine, node, node_tasks.gpus(node) > 0) for node in nodes]
    try:
        answers = ray.get(references, timeout=ANSWER_S)
    except RayError as error:
        raise ResourceError(
            f"a machine of the cluster did not answer ({type(error).__name__})", "see 'ray status', and run again"
        ) from error
    return [
        NodeInventory(node["NodeManagerAddress"], node_tasks.gpus(node), *answer)
        for node, answer in zip(nodes, answers, strict=True)
    ]


def inspect_machine(ray_counts_gpu: bool) -> tuple[Hardware, Build, dict[str, str]]:
    """This machine's GPUs, its torch, and the variables of this process that hide GPUs.

    Args:
        ray_counts_gpu: whether Ray counts a GPU here. If so torch is asked even without device files, which a container
            may lack.
    """
    gpus = hardware()
    names = {name for names in VARIABLES.values() for name in names}
    return (
        gpus,
        build() if gpus or ray_counts_gpu else NO_GPU,
        {name: os.environ[name] for name in names if name in os.environ},
    )
