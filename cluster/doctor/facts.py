"""What one machine tells of itself: programs, devices, memory, disks, clock, and which files it reads and writes.

Under a second, but for torch's import (two). Nothing is changed, but for a file that is written and
removed where outputs are to go.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

from pipelines import bedtools, storage
from pipelines.errors import DependencyError, RaygeneError
from training.hardware import VARIABLES, Build, Hardware, hardware

SYSTEM = Path("/")
NO_SIZE = -1


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
        read: bytes of each input, or -1 for a folder or an address; absent if it cannot be read.
        unread: reason by input.
        unwritten: reason by output; empty where it can be written.
        unseen: outputs in which the driver's file is not seen from here.
        clock: seconds since 1970.
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
    clock: float

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def gather(request: Request, root: Path = SYSTEM) -> Facts:
    """Ask this machine.

    Args:
        request: what to look at.
        root: where its file system begins, for what its kernel tells.
    """
    read, unread = _reading(request.inputs)
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
        unwritten={place: reason for place in request.outputs if (reason := writing(place))},
        unseen=tuple(place for place, probe in request.probes if not _seen(probe)),
        clock=time.time(),
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _torch() -> tuple[Build | None, str]:
    try:
        from training.hardware import build

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


def _reading(inputs: Iterable[str]) -> tuple[dict[str, int], dict[str, str]]:
    read, unread = dict[str, int](), dict[str, str]()
    for place in inputs:
        try:
            read[place] = size_of(place)
        except (OSError, ValueError, RaygeneError) as error:
            unread[place] = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
    return read, unread


def size_of(place: str) -> int:
    """Bytes of a file after reading its first; -1 of a folder or an address.

    Raises:
        OSError: it cannot be read.
        ValueError: an address of a kind that no driver here serves.
    """
    if "://" in place:
        system, path = _system(place)
        if system.get_file_info(path).type.name == "NotFound":
            raise FileNotFoundError(2, "No such file or directory", place)
        return NO_SIZE
    local = Path(place)
    if local.is_dir():
        next(local.iterdir(), None)
        return NO_SIZE
    with local.open("rb") as stream:
        stream.read(1)
    return local.stat().st_size


def _system(address: str) -> tuple[Any, str]:
    from pyarrow import fs

    return fs.FileSystem.from_uri(address)


def writing(place: str) -> str:
    """Why nothing can be written into a folder; empty if it can. Of what is missing of it the nearest parent is tried."""
    try:
        probe = probe_in(place)
        keep(probe)
        remove(probe)
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
    return ""


def probe_in(place: str) -> str:
    """A name for a file in a folder, or in the nearest parent that is there."""
    name = f".raygene-doctor-{uuid.uuid4().hex}"
    if "://" in place:
        return f"{place.rstrip('/')}/{name}"
    return str(next(one for one in (Path(place), *Path(place).parents) if one.exists()) / name)


def keep(probe: str) -> None:
    """Write a small file.

    Raises:
        OSError, ValueError: it cannot be written.
    """
    if "://" in probe:
        system, path = _system(probe)
        with system.open_output_stream(path) as stream:
            stream.write(b"raygene")
    else:
        Path(probe).write_text("raygene", encoding="utf-8")


def remove(probe: str) -> None:
    """Remove what `keep` wrote. Raises as it does."""
    if "://" in probe:
        system, path = _system(probe)
        system.delete_file(path)
    else:
        Path(probe).unlink()


def _seen(probe: str) -> bool:
    try:
        size_of(probe)
    except (OSError, ValueError):
        return False
    return True
