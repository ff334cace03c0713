"""The GPUs of a machine, and what its torch can do with them.

What there is is read from the files that GPU drivers make (NVIDIA: `/dev/nvidia0`, …; AMD: `/dev/kfd` and
`/dev/dri/renderD128`, …), not from torch: a torch built for CPUs sees no GPU anywhere. Looking costs a millisecond;
asking torch takes its import, and up to a second where it is built for GPUs.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.errors import ResourceError

Environment = Mapping[str, str]
Kind = Literal["cuda", "rocm", "cpu"]

HIDING = {"", "-1", "none", "void", "nodevfiles"}
"""Values of a visibility variable that leave no GPU."""
VARIABLES = {
    "nvidia": ("CUDA_VISIBLE_DEVICES",),
    "amd": ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
}
AMD_VENDOR = 0x1002
LEAST_VRAM = 6 << 30
"""Bytes of its own memory from which an AMD device is no graphics unit of a CPU, which ROCm does not serve."""


@dataclass(frozen=True)
class Hardware:
    """GPUs of a machine, by maker, as far as this process may see them."""

    nvidia: int = 0
    amd: int = 0

    def __str__(self) -> str:
        found = [f"{count} {name} GPU{'s' if count > 1 else ''}" for name, count in self._named() if count]
        return " and ".join(found) or "no GPU"

    def __bool__(self) -> bool:
        return bool(self.nvidia or self.amd)

    def _named(self) -> list[tuple[str, int]]:
        return [("NVIDIA", self.nvidia), ("AMD", self.amd)]


@dataclass(frozen=True)
class Build:
    """A build of torch.

    Attributes:
        kind: what it was built for.
        version: as torch tells it.
        usable: GPUs it can reach.
        trouble: why it can reach none; empty if it can, or if it was built for CPUs.
    """

    kind: Kind
    version: str
    usable: int = 0
    trouble: str = ""


def hardware(root: Path = Path("/")) -> Hardware:
    """The GPUs that a machine's drivers offer; AMD graphics within a CPU (little memory of its own) do not count.

    Args:
        root: where the file system begins.
    """
    nvidia = len(list(root.glob("dev/nvidia[0-9]*")))
    nodes = root.glob("dev/dri/renderD*") if (root / "dev/kfd").exists() else []
    return Hardware(nvidia, sum(_computes(root / "sys/class/drm" / node.name / "device") for node in nodes))


def _computes(device: Path) -> bool:
    """Whether a render node is an AMD GPU to compute on; so it is where the system tells nothing about it."""
    vendor, memory = _number(device / "vendor"), _number(device / "mem_info_vram_total")
    return vendor in (None, AMD_VENDOR) and not 0 < (memory or 0) < LEAST_VRAM


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(), 0)
    except (OSError, ValueError):
        return None


def hidden_by(environment: Environment, maker: str) -> str | None:
    """The variable that hides all GPUs of a maker (`nvidia` or `amd`) on purpose, as `NAME=value`; None if there is none."""
    for name in VARIABLES[maker]:
        if environment.get(name, "0").split(",")[0].strip().lower() in HIDING:
            return f"{name}={environment[name]}"
    return None


def visible(found: Hardware, environment: Environment) -> Hardware:
    """The GPUs that are left when those hidden on purpose are not counted."""
    return Hardware(
        0 if hidden_by(environment, "nvidia") else found.nvidia, 0 if hidden_by(environment, "amd") else found.amd
    )


def build() -> Build:
    """What this process's torch was built for, and the GPUs it reaches."""
    import torch

    kind: Kind = "rocm" if torch.version.hip else "cuda" if torch.version.cuda else "cpu"
    if kind == "cpu":
        return Build(kind, torch.__version__)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        usable = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return Build(kind, torch.__version__, usable, "" if usable else _trouble())


def _trouble() -> str:
    import torch

    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return one_line(error)
    return "it finds none"


def one_line(error: Exception) -> str:
    """The first sentence of an error's message."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.split(". ")[0].rstrip(".")[:160]


def require_names_ray_takes(found: Hardware, environment: Environment) -> None:
    """Refuse the one variable with which Ray does not start where there are AMD GPUs.

    Raises:
        ResourceError: `ROCR_VISIBLE_DEVICES` is set and `HIP_VISIBLE_DEVICES` is not.
    """
    if found.amd and "ROCR_VISIBLE_DEVICES" in environment and "HIP_VISIBLE_DEVICES" not in environment:
        raise ResourceError(
            "ROCR_VISIBLE_DEVICES: Ray takes HIP_VISIBLE_DEVICES only",
            "unset it, and set HIP_VISIBLE_DEVICES instead",
        )
