"""What one machine tells of itself: programs, devices, memory, disks, clock, and which files it reads and writes.

Under a second, but for torch's import (two). Nothing is changed, but for a file that is written and
removed where outputs are to go.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

from cluster.doctor import files
from pipelines import storage
from pipelines.errors import DependencyError
from pipelines.negatives import bedtools
from training.hardware.gpus import VARIABLES, Build, Hardware, hardware

SYSTEM = Path("/")


@dataclass(frozen=True)
class Disk:
    """A file system: where it was looked at, and its bytes."""

    path: str
    size: int
    free: int


@dataclass(frozen=True)
class Request:
    """What is asked of every machine.

    Attributes:
        inputs: files or folders to read, as paths or addresses.
        outputs: folders to write.
        probes: for each output, a file that the driver has just written there; absent where it could not.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    probes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Facts:
    """What a machine tells.

    Attributes:
        host: its name.
        python, ray: versions.
        torch: its build; None where it is missing.
        torch_trouble: why it could not be imported.
        bedtools: version, or empty.
        bedtools_trouble: why there is none.
        found: GPUs by their device files.
        amdsmi: whether the package is there by which Ray counts AMD GPUs.
        environment: variables that hide GPUs.
        memory, available: bytes of memory, and those free.
        shared: `/dev/shm`; None where there is none.
        disks: file systems of the cache and of temporary files.
        governors: of the CPUs, with the driver that obeys them, such as `powersave (acpi-cpufreq)`.
        read: bytes of each input, or -1 for a folder; absent if it cannot be read.
        unread: reason by input.
        unwritten: reason by output; empty where it can be written.
        unseen: outputs in which the driver's file is not seen from here.
    """

    host: str
    python: str
    ray: str
    torch: Build | None
    torch_trouble: str
    bedtools: str
    bedtools_trouble: str
    found: Hardware
    amdsmi: bool
    environment: dict[str, str]
    memory: int
    available: int
    shared: Disk | None
    disks: tuple[Disk, ...]
    governors: tuple[str, ...]
    read: dict[str, int]
    unread: dict[str, str]
    unwritten: dict[str, str]
    unseen: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def gather(request: Request, root: Path = SYSTEM) -> Facts:
    """Ask this machine.

    Args:
        request: what to look at.
        root: where its file system begins, for what its kernel tells.
    """
    read, unread = files.reading(request.inputs)
    names = {name for names in VARIABLES.values() for name in names}
    torch_build, torch_trouble = _torch()
    program, program_trouble = _bedtools()
    memory, available = _memory(root)
    return Facts(
        host=socket.gethostname(),
        python=platform.python_version(),
        ray=_version("ray"),
        torch=torch_build,
        torch_trouble=torch_trouble,
        bedtools=program,
        bedtools_trouble=program_trouble,
        found=hardware(root),
        amdsmi=util.find_spec("amdsmi") is not None,
        environment={name: os.environ[name] for name in sorted(names) if name in os.environ},
        memory=memory,
        available=available,
        shared=_disk(root / "dev/shm"),
        disks=_disks(),
        governors=governors(root),
        read=read,
        unread=unread,
        unwritten={place: reason for place in request.outputs if (reason := files.writing(place))},
        unseen=tuple(place for place, probe in request.probes if not files.is_seen(probe)),
    )


def versions() -> dict[str, str]:
    """Python and Ray of this process, by the name of their check."""
    return {"Python": platform.python_version(), "Ray": _version("ray")}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _torch() -> tuple[Build | None, str]:
    try:
        from training.hardware.gpus import build

        return build(), ""
    except (ImportError, OSError) as error:
        return None, " ".join(str(error).split())[:200]


def _bedtools() -> tuple[str, str]:
    try:
        return bedtools.version(), ""
    except DependencyError as error:
        return "", error.problem


def _memory(root: Path) -> tuple[int, int]:
    """Bytes of memory, and those available; zeros where the kernel does not tell."""
    try:
        rows = dict(line.split(":", 1) for line in (root / "proc/meminfo").read_text().splitlines())
        return tuple(int(rows[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))  # type: ignore[return-value]
    except (OSError, KeyError, ValueError):
        return 0, 0


def _disk(path: Path) -> Disk | None:
    try:
        size, _, free = shutil.disk_usage(path)
    except OSError:
        return None
    return Disk(str(path), size, free)


def _disks() -> tuple[Disk, ...]:
    """The file systems of the cache and of temporary files, one for each device."""
    found: dict[int, Disk] = {}
    for wanted in (storage.cache_directory(), Path(os.environ.get("RAY_TMPDIR") or "/tmp")):
        folder = next((one for one in (wanted, *wanted.parents) if one.exists()), Path("/"))
        if (disk := _disk(folder)) is not None:
            found.setdefault(folder.stat().st_dev, disk)
    return tuple(found.values())


def governors(root: Path) -> tuple[str, ...]:
    """Frequency governors of the CPUs, each with its driver; none where the machine does not tell, as most virtual ones."""
    found = set()
    for folder in root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq"):
        try:
            governor, driver = ((folder / name).read_text().strip() for name in ("scaling_governor", "scaling_driver"))
        except OSError:
            continue
        found.add(f"{governor} ({driver})")
    return tuple(sorted(found))
