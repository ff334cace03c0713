"""Computes a number on GPUs: one may be visible and yet too old for its torch, full, or broken. A second or two each.

A context on a GPU takes some hundred MB of its memory, so that GPUs which others have reserved are left alone.
"""

from __future__ import annotations

from pipelines.errors import ResourceError

Trouble = tuple[str, str]
"""Problem and mend."""


def here(count: int) -> tuple[Trouble, ...]:
    """What is wrong with each of this machine's first GPUs."""
    import torch

    from training import devices

    found = []
    for index in range(count):
        try:
            devices.try_out(torch.device("cuda", index))
        except ResourceError as error:
            found.append(_told(error))
    return tuple(found)


def reserved() -> tuple[str, Trouble | None]:
    """The GPU that Ray has reserved for this task, and what is wrong with it."""
    import ray

    from training import devices

    assigned = ray.get_gpu_ids()
    try:
        devices.of_worker("cuda", assigned)
    except ResourceError as error:
        return str(assigned[0]), _told(error)
    return str(assigned[0]), None


def _told(error: ResourceError) -> Trouble:
    return error.problem.removeprefix("training.device: "), error.remedy
