"""Looks at every machine of a cluster before workers are started there: has it a GPU that would be left aside?

Ray would start them, and torch.distributed fail in words that name no mend. One small task a machine, a second in all;
torch is imported only where there is a GPU.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import ResourceError
from training.distributed import node_tasks
from training.hardware import devices
from training.hardware.devices import DeviceError
from training.hardware.gpus import VARIABLES, Build, Hardware, build, hardware, hidden_by

ANSWER_S = 60.0
NO_GPU = Build("cpu", "")


@dataclass(frozen=True)
class NodeInventory:
    """What a machine has.

    Attributes:
        host: its name or address.
        gpus: as Ray counts them.
        found: by its device files.
        torch_build: its torch; not asked where there is no GPU.
        environment: the visibility variables that Ray's workers have there.
    """

    host: str
    gpus: int
    found: Hardware
    torch_build: Build
    environment: dict[str, str]


def judge(sights: Sequence[NodeInventory], wanted: str) -> None:
    """See that no machine has a GPU that would be left aside.

    Args:
        sights: every machine.
        wanted: `training.device`.

    Raises:
        DeviceError: one has a GPU that its torch cannot use or that Ray does not know, or has none though Ray counts
            one; it is named if there are several.
    """
    if wanted == "cpu":
        return
    for sight in sights:
        try:
            _judge(sight, wanted)
        except DeviceError as error:
            if len(sights) == 1:
                raise
            raise error.on(sight.host) from error


def _judge(sight: NodeInventory, wanted: str) -> None:
    usable = devices.choose("auto", sight.found, sight.torch_build, sight.environment) == "cuda"
    if usable and not sight.gpus:
        raise devices.unknown_to_ray(wanted, sight.found, sight.environment)
    hidden = any(hidden_by(sight.environment, maker) for maker in VARIABLES)
    if sight.gpus and not usable and not hidden:
        counted = f"{sight.gpus} GPU{'s' if sight.gpus > 1 else ''}"
        raise DeviceError(
            f"Ray counts {counted}, but this machine has none",
            f"start Ray with the true --num-gpus, or {devices.TO_CPU}",
        )


def require(wanted: str) -> None:
    """`judge` every machine of the cluster that Ray is connected to; looks at none where CPUs are wanted.

    Raises:
        ResourceError: as `judge`, or a machine does not answer.
    """
    if wanted != "cpu":
        judge(survey(), wanted)


def survey() -> list[NodeInventory]:
    """What every living machine of the cluster has; Ray is connected.

    Raises:
        ResourceError: one does not answer.
    """
    import ray
    from ray.exceptions import RayError

    nodes = node_tasks.living()
    asked = [node_tasks.start(look, node, node_tasks.gpus(node) > 0) for node in nodes]
    try:
        told = ray.get(asked, timeout=ANSWER_S)
    except RayError as error:
        raise ResourceError(
            f"a machine of the cluster did not answer ({type(error).__name__})", "see 'ray status', and run again"
        ) from error
    return [
        NodeInventory(node["NodeManagerAddress"], node_tasks.gpus(node), *seen)
        for node, seen in zip(nodes, told, strict=True)
    ]


def look(expected: bool) -> tuple[Hardware, Build, dict[str, str]]:
    """What this machine has, its torch, and the visibility variables of this process.

    Args:
        expected: whether Ray counts a GPU here, for then torch is asked in any case.
    """
    found = hardware()
    names = {name for names in VARIABLES.values() for name in names}
    return (
        found,
        build() if found or expected else NO_GPU,
        {name: os.environ[name] for name in names if name in os.environ},
    )
