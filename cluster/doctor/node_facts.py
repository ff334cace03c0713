"""What a node reports about itself: programs, devices, memory, disks, CPU frequency, and readable and writable files.

Takes less than a second, plus two for importing torch. Changes nothing, except that files are written to each output
directory and store, and removed again.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
from dataclasses import asdict, dataclass, field
from importlib import metadata, util
from pathlib import Path
from typing import Any

from cluster.doctor import file_access
from cluster.local_ray import folder, network, token
from cluster.local_ray.folder import Run
from cluster.local_ray.network import OpenPort
from pipelines import storage
from pipelines.errors import DependencyError, one_line
from pipelines.negatives import bedtools
from pipelines.stores import systems
from pipelines.stores.rehearsal import Operation, rehearse
from training.hardware.gpus import VARIABLES, Build, Hardware, hardware

SYSTEM = Path("/")


@dataclass(frozen=True)
class Disk:
    """A file system: a path on it, its bytes, and how many of them are free."""

    path: str
    size: int
    free: int


@dataclass(frozen=True)
class Request:
    """What every node is to try.

    Attributes:
        inputs: files or directories to read, as paths or addresses.
        outputs: directories to write.
        stores: addresses of folders in which verbs are to write.
        probes: pairs of an output and a file that the driver has just written there; none where it could not.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    probes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class NodeFacts:
    """What a node reports about itself.

    Attributes:
        host: name of the machine.
        python, ray: versions.
        torch: its build; None if torch cannot be imported.
        torch_trouble: why not.
        bedtools: its version; empty if there is none.
        bedtools_trouble: why not.
        hardware: GPUs by their device files.
        amdsmi: whether the package is installed with which Ray counts AMD GPUs.
        environment: variables that hide GPUs.
        memory, available: bytes of memory, and of those that are free.
        shared: `/dev/shm`; None if there is none.
        disks: file systems of the cache and of temporary files.
        governors: of the CPUs, with their driver, such as `powersave (acpi-cpufreq)`.
        read: bytes of each input that can be read, or -1 for a directory.
        unread: reason by input that cannot be read.
        unwritten: reason by output that cannot be written.
        rehearsed: what came of every operation, by address of a store.
        unseen: outputs in which this node does not see the driver's probe.
        open_ports: ports of Ray's processes of this user that other machines can reach.
        runs: folders of this user's local Rays, living and ended.
        token_readers: the mode of the file with Ray's token, such as `0644`, if others can read it; else empty.
    """

    host: str
    python: str
    ray: str
    torch: Build | None
    torch_trouble: str
    bedtools: str
    bedtools_trouble: str
    hardware: Hardware
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
    rehearsed: dict[str, list[Operation]] = field(default_factory=dict)
    open_ports: tuple[OpenPort, ...] = ()
    runs: tuple[Run, ...] = ()
    token_readers: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def gather(request: Request, root: Path = SYSTEM) -> NodeFacts:
    """The facts of this machine.

    Args:
        request: which files to try.
        root: of the file system from which kernel and device files are read.
    """
    read, unread = file_access.try_reading(request.inputs)
    names = {name for names in VARIABLES.values() for name in names}
    torch_build, torch_trouble = _torch()
    program, program_trouble = _bedtools()
    memory, available = _memory(root)
    return NodeFacts(
        host=socket.gethostname(),
        python=platform.python_version(),
        ray=_version("ray"),
        torch=torch_build,
        torch_trouble=torch_trouble,
        bedtools=program,
        bedtools_trouble=program_trouble,
        hardware=hardware(root),
        amdsmi=util.find_spec("amdsmi") is not None,
        environment={name: os.environ[name] for name in sorted(names) if name in os.environ},
        memory=memory,
        available=available,
        shared=_disk(root / "dev/shm"),
        disks=_disks(),
        governors=governors(root),
        read=read,
        unread=unread,
        unwritten={output: reason for output in request.outputs if (reason := file_access.try_writing(output))},
        unseen=tuple(output for output, probe in request.probes if not file_access.exists(probe)),
        rehearsed={systems.shown(address): rehearse(address) for address in request.stores},
        open_ports=network.open_ports(root),
        runs=tuple(folder.runs(os.environ)),
        token_readers=token.readable_by_others(os.environ),
    )


def versions() -> dict[str, str]:
    """Versions of Python and Ray in this process, by name of the check."""
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
        return None, one_line(error, 200)


def _bedtools() -> tuple[str, str]:
    try:
        return bedtools.version(), ""
    except DependencyError as error:
        return "", error.problem


def _memory(root: Path) -> tuple[int, int]:
    """Bytes of memory, and of those available; zeros where the kernel does not report them."""
    try:
        rows = dict(line.split(":", 1) for line in (root / "proc/meminfo").read_text().splitlines())
        return int(rows["MemTotal"].split()[0]) * 1024, int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 0, 0


def _disk(path: Path) -> Disk | None:
    try:
        size, _, free = shutil.disk_usage(path)
    except OSError:
        return None
    return Disk(str(path), size, free)


def _disks() -> tuple[Disk, ...]:
    """The file systems of the cache and of temporary files; one for each device."""
    disks: dict[int, Disk] = {}
    for directory in (storage.cache_directory(), *folder.parents(os.environ)[:1]):
        existing = next((path for path in (directory, *directory.parents) if path.exists()), Path("/"))
        if (disk := _disk(existing)) is not None:
            disks.setdefault(existing.stat().st_dev, disk)
    return tuple(disks.values())


def governors(root: Path) -> tuple[str, ...]:
    """Frequency governors of the CPUs, each with its driver; most virtual machines report none."""
    names = set()
    for directory in root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq"):
        try:
            governor, driver = (
                (directory / name).read_text().strip() for name in ("scaling_governor", "scaling_driver")
            )
        except OSError:
            continue
        names.add(f"{governor} ({driver})")
    return tuple(sorted(names))
