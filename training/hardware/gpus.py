"""The GPUs of a machine, and what its torch can do with them.

GPUs are found by the files that their drivers create (NVIDIA: `/dev/nvidia0`, …; AMD: `/dev/kfd` and
`/dev/dri/renderD128`, …), not by torch, because a torch built for CPUs sees no GPU anywhere. Reading them takes a
millisecond; torch has to be imported, and takes up to a second where it is built for GPUs.
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
"""Values of a visibility variable that hide all GPUs."""
VARIABLES = {
    "nvidia": ("CUDA_VISIBLE_DEVICES",),
    "amd": ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
}
AMD_VENDOR = 0x1002
MIN_VRAM = 6 << 30
"""Bytes of own memory below which an AMD device is the graphics unit of a CPU, which ROCm does not support."""


@dataclass(frozen=True)
class Hardware:
    """GPUs of a machine by vendor, as far as this process may see them."""

    nvidia: int = 0
    amd: int = 0

    def __str__(self) -> str:
        vendors = [("NVIDIA", self.nvidia), ("AMD", self.amd)]
        parts = [f"{count} {name} GPU{'s' if count > 1 else ''}" for name, count in vendors if count]
        return " and ".join(parts) or "no GPU"

    def __bool__(self) -> bool:
        return bool(self.nvidia or self.amd)


@dataclass(frozen=True)
class Build:
    """A build of torch.

    Attributes:
        kind: what it was built for.
        version: `torch.__version__`.
        usable: number of GPUs it can use.
        trouble: why it can use none; empty if it can, or if it was built for CPUs.
    """

    kind: Kind
    version: str
    usable: int = 0
    trouble: str = ""


def hardware(root: Path = Path("/")) -> Hardware:
    """The GPUs that a machine's drivers offer, without graphics units of AMD's CPUs, which have little own memory.

    Args:
        root: of the file system.
    """
    nvidia = len(list(root.glob("dev/nvidia[0-9]*")))
    nodes = root.glob("dev/dri/renderD*") if (root / "dev/kfd").exists() else []
    return Hardware(nvidia, sum(_is_amd_gpu(root / "sys/class/drm" / node.name / "device") for node in nodes))


def _is_amd_gpu(device: Path) -> bool:
    """Whether a render node is an AMD GPU to compute on; also True where the system reports nothing about it."""
    vendor, memory = _read_number(device / "vendor"), _read_number(device / "mem_info_vram_total")
    return vendor in (None, AMD_VENDOR) and not 0 < (memory or 0) < MIN_VRAM


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text(), 0)
    except (OSError, ValueError):
        return None


def hidden_by(environment: Environment, vendor: str) -> str | None:
    """The variable that hides all GPUs of a vendor (`nvidia` or `amd`), as `NAME=value`; None if no variable does."""
    for name in VARIABLES[vendor]:
        if environment.get(name, "0").split(",")[0].strip().lower() in HIDING:
            return f"{name}={environment[name]}"
    return None


def visible(gpus: Hardware, environment: Environment) -> Hardware:
    """The GPUs that no environment variable hides."""
    return Hardware(
        0 if hidden_by(environment, "nvidia") else gpus.nvidia, 0 if hidden_by(environment, "amd") else gpus.amd
    )


def build() -> Build:
    """What this process's torch was built for, and the GPUs it can use."""
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


def require_variables_ray_accepts(gpus: Hardware, environment: Environment) -> None:
    """Refuse the one variable with which Ray does not start on machines with AMD GPUs.

    Raises:
        ResourceError: `ROCR_VISIBLE_DEVICES` is set and `HIP_VISIBLE_DEVICES` is not.
    """
    if gpus.amd and "ROCR_VISIBLE_DEVICES" in environment and "HIP_VISIBLE_DEVICES" not in environment:
        raise ResourceError(
            "ROCR_VISIBLE_DEVICES: Ray accepts only HIP_VISIBLE_DEVICES",
            "unset it, and set HIP_VISIBLE_DEVICES instead",
        )
