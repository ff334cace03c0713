"""Which device a process computes on: never the CPU by accident on a machine with a GPU.

torch calls AMD's GPUs `cuda` too, and Ray calls those of both vendors `GPU`. Choosing runs nothing on a GPU; checking
that it computes takes a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.errors import ResourceError
from training.hardware.gpus import Build, Environment, Hardware, build, hardware, hidden_by, one_line, visible

if TYPE_CHECKING:
    import torch

INDEX = "https://download.pytorch.org/whl/"
TO_CPU = "{to_cpu}"
"""In the fix of a `DeviceError`: where it says how to compute on CPUs instead."""
TORCH_CANNOT_USE_GPU = "torch-cannot-use-gpu"
"""Code of a `DeviceError`: the machine has a GPU, but its torch or driver does not reach it."""


class DeviceError(ResourceError):
    """A GPU that is missing, hidden, or does not compute, where the device's setting demands one.

    Args:
        detail: what is wrong, without the name of the setting.
        fix: what to do about it; `{to_cpu}` in it becomes how to set the device to cpu.
        code: what kind of problem it is, for programs.
        requested: value of the setting, to be named.
        setting: key or flag that chooses the device.
        machine: which machine it is about; empty if there is only one.
    """

    code = "device"

    def __init__(
        self,
        detail: str,
        fix: str,
        *,
        code: str | None = None,
        requested: str = "",
        setting: str = "training.device",
        machine: str = "",
    ) -> None:
        where = f"machine {machine}: " if machine else ""
        name = f"{setting} {requested}".rstrip()
        to_cpu = f"set {setting} to cpu"
        super().__init__(f"{where}{name}: {detail}", fix.replace(TO_CPU, to_cpu), code=code, key=setting)
        self.detail = detail
        self._make: Callable[..., DeviceError] = partial(
            type(self), detail, fix, code=code, requested=requested, setting=setting, machine=machine
        )

    def __reduce__(self) -> tuple[Callable[..., DeviceError], tuple[()]]:
        return self._make, ()

    def named(self, setting: str) -> DeviceError:
        """The same error where another key or flag chooses the device."""
        return self._make(setting=setting)

    def on(self, machine: str) -> DeviceError:
        """The same error, with the name of the machine."""
        return self._make(machine=machine)


def choose(requested: str, gpus: Hardware, torch_build: Build, environment: Environment) -> Literal["cpu", "cuda"]:
    """The kind of device to compute on.

    Args:
        requested: `training.device`: cpu, cuda, or auto (a GPU if there is one that no variable hides).
        gpus: of the machine.
        torch_build: what torch can do with them.
        environment: of the process.

    Raises:
        DeviceError: torch cannot use a visible GPU, or cuda is requested and there is no GPU.
    """
    if requested == "cpu":
        return "cpu"
    if torch_build.usable:
        return "cuda"
    visible_gpus = visible(gpus, environment)
    if visible_gpus:
        raise _unusable(visible_gpus, torch_build)
    if requested == "auto":
        return "cpu"
    variable = hidden_by(environment, "nvidia") or hidden_by(environment, "amd")
    if gpus and variable:
        raise DeviceError(f"{variable} hides {gpus}", f"unset the variable or {TO_CPU}", requested="cuda")
    raise DeviceError("this machine has no GPU", TO_CPU, requested="cuda")


def _unusable(gpus: Hardware, torch_build: Build) -> DeviceError:
    """The error for GPUs that torch cannot use."""
    problem = f"this machine has {gpus}, but torch {torch_build.version}"
    supported = {"cuda": gpus.nvidia, "rocm": gpus.amd, "cpu": 0}[torch_build.kind]
    if not supported:
        name, index = ("CUDA", "cu126") if gpus.nvidia else ("ROCm", "rocm6.4")
        built_for = {"cuda": "NVIDIA GPUs", "rocm": "AMD GPUs", "cpu": "CPUs only"}[torch_build.kind]
        return DeviceError(
            f"{problem} is built for {built_for}",
            f"install its build for {name} (pip install torch --index-url {INDEX}{index}, or a newer {name}) "
            f"or {TO_CPU}",
            code=TORCH_CANNOT_USE_GPU,
        )
    fix = (
        "update the driver or install torch for the CUDA version that the driver supports"
        if torch_build.kind == "cuda"
        else "update the driver, and add this user to the groups render and video"
    )
    trouble = torch_build.trouble or "it finds none"
    return DeviceError(f"{problem} can use none ({trouble})", f"{fix}, or {TO_CPU}", code=TORCH_CANNOT_USE_GPU)


def index_of(assigned: Sequence[str | int], torch_build: Build, environment: Environment) -> int:
    """The index in this process's torch of the first GPU that Ray assigned to it.

    Ray hides other workers' AMD GPUs (`HIP_VISIBLE_DEVICES`), but Ray Train's own `get_device` counts in
    `CUDA_VISIBLE_DEVICES`, which lists all GPUs of the node's workers: on ROCm it returns a GPU that torch does not
    have.

    Args:
        assigned: `ray.get_gpu_ids()`: values of the visibility variable, or indices on the machine.
        torch_build: decides which variable torch reads.
        environment: of the process.

    Raises:
        ResourceError: torch does not see that GPU.
    """
    first = str(assigned[0])
    names = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES") if torch_build.kind == "rocm" else ("CUDA_VISIBLE_DEVICES",)
    name = next((name for name in names if environment.get(name)), None)
    if name is None:
        index = int(first) if first.isdigit() else 0
    else:
        listed = [value.strip() for value in environment[name].split(",")]
        if first not in listed:
            raise ResourceError(
                f"{name}={environment[name]}: GPU {first}, which Ray assigned, is not in it", "unset it"
            )
        index = listed.index(first)
    # Indices count from 0: the number of GPUs itself is out of range.
    if index >= torch_build.usable:
        raise DeviceError(
            f"Ray assigned GPU {first}, but torch {torch_build.version} can use {torch_build.usable} GPUs"
            f"{f' ({torch_build.trouble})' if torch_build.trouble else ''}",
            f"compare 'ray status' and torch.cuda.device_count() on that node, or {TO_CPU}",
        )
    return index


def assigned_device(
    requested: str,
    assigned: Sequence[str | int],
    gpus: Hardware,
    torch_build: Build,
    environment: Environment,
) -> torch.device:
    """The device of a worker that Ray started.

    Args:
        requested: `training.device`.
        assigned: `ray.get_gpu_ids()`; empty for a worker that requested no GPU.
        gpus: of the worker's machine.
        torch_build: its torch.
        environment: of the worker.

    Raises:
        DeviceError: its machine has a GPU that torch cannot use, or that Ray does not know.
    """
    import torch

    if requested == "cpu":
        return torch.device("cpu")
    if assigned:
        if not torch_build.usable:
            choose("cuda", gpus, torch_build, environment)
        return torch.device("cuda", index_of(assigned, torch_build, environment))
    if choose(requested, gpus, torch_build, environment) == "cpu":
        return torch.device("cpu")
    raise unknown_to_ray(requested, gpus, environment)


def unknown_to_ray(requested: str, gpus: Hardware, environment: Environment) -> DeviceError:
    """The error for GPUs that torch can use and Ray does not offer."""
    return DeviceError(
        f"this machine has {visible(gpus, environment)} that Ray does not know",
        f"{'pip install amdsmi on every node, or ' if gpus.amd else ''}start Ray with --num-gpus, or {TO_CPU}",
        requested=requested,
    )


def require(requested: str, environment: Environment | None = None, root: Path = Path("/")) -> Literal["cpu", "cuda"]:
    """`choose` for the machine and torch of this process.

    Raises:
        DeviceError: as `choose`.
    """
    environment = os.environ if environment is None else environment
    return choose(requested, hardware(root), build(), environment)


def of_worker(requested: str, assigned: Sequence[str | int]) -> torch.device:
    """The device of this worker process, checked and made torch's current one.

    Args:
        requested: `training.device`.
        assigned: `ray.get_gpu_ids()`.

    Raises:
        ResourceError: as `assigned_device`, or the GPU does not compute.
    """
    import torch

    from training.hardware import allocator

    device = assigned_device(requested, assigned, hardware(), build(), os.environ)
    if device.type == "cuda":
        allocator.let_segments_grow()
        check_computes(device)
        torch.cuda.set_device(device)
    return device


def check_computes(device: torch.device) -> None:
    """Compute one number on a device: a visible GPU may be too old for this torch, full, or used by another process
    alone.

    Raises:
        DeviceError: it does not compute.
    """
    import torch

    try:
        result = (torch.ones(8, device=device) * 2).sum().item()
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(
            f"{device} does not compute ({one_line(error)})",
            f"install a torch that is built for this GPU, free it, or {TO_CPU}",
        ) from error
    if result != 16:
        raise DeviceError(f"{device} computes 8 x 2 as {result}", f"have it repaired, and {TO_CPU}")
