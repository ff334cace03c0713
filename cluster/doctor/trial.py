"""Computes a number on GPUs: one may be visible and yet too old for its torch, full, or broken. A second or two each.

A context on a GPU takes some hundred MB of its memory, so that GPUs which others have reserved are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.errors import ResourceError

ANSWER_S = 30.0
"""Seconds in which a GPU has to answer, torch's import included."""
Trouble = tuple[str, str]
"""Problem and mend."""


def here(count: int) -> tuple[Trouble, ...]:
    """What is wrong with each of this machine's first GPUs."""
    import torch

    from training.hardware import devices

    found = []
    for index in range(count):
        try:
            devices.try_out(torch.device("cuda", index))
        except ResourceError as error:
            found.append(_told(error))
    return tuple(found)


def reserved() -> Iterator[str | Trouble | None]:
    """The GPU that Ray has reserved for this task, told at once; then what is wrong with it."""
    import ray

    assigned = ray.get_gpu_ids()
    yield str(assigned[0])
    from training.hardware import devices

    try:
        devices.of_worker("cuda", assigned)
    except ResourceError as error:
        yield _told(error)
        return
    yield None


def _told(error: ResourceError) -> Trouble:
    return error.problem.removeprefix("training.device: "), error.fix
