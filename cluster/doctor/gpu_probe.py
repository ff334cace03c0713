"""Tests GPUs by computing a number on them: a GPU may be visible and yet too old for its torch, full, or broken.

A test takes a second or two. A context on a GPU takes some hundred MB of its memory, so that GPUs which other work has
reserved are not tested.
"""

from __future__ import annotations

from collections.abc import Iterator

from cluster.doctor.node_report import GpuProblem
from pipelines.errors import ResourceError

TIMEOUT_S = 30.0
"""Seconds in which a GPU has to answer, including the import of torch."""


def try_local_gpus(count: int) -> tuple[GpuProblem, ...]:
    """The problems of this machine's first `count` GPUs."""
    import torch

    from training.hardware import devices

    problems = []
    for index in range(count):
        try:
            devices.check_computes(torch.device("cuda", index))
        except ResourceError as error:
            problems.append(_problem(error))
    return tuple(problems)


def try_reserved_gpu() -> Iterator[str | GpuProblem | None]:
    """Yield the id of the GPU that Ray has reserved for this task; then its problem, or None.

    The id comes first, so that a GPU that never answers can be named.
    """
    import ray

    assigned = ray.get_gpu_ids()
    yield str(assigned[0])
    from training.hardware import devices

    try:
        devices.of_worker("cuda", assigned)
    except ResourceError as error:
        yield _problem(error)
    else:
        yield None


def _problem(error: ResourceError) -> GpuProblem:
    from training.hardware.devices import DeviceError

    return GpuProblem(error.detail if isinstance(error, DeviceError) else error.problem, error.fix)
