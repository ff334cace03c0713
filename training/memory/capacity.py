"""How much memory a device has for training: given by the user, or read from the machine."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from pipelines.errors import ResourceError, UsageError

UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")


def parse_size(text: str) -> int:
    """Bytes of a size such as 24GiB, 16 GB, 512MiB or 8000000000.

    Raises:
        UsageError: not a size, or below one byte.
    """
    # No memory has a size of as many digits, and the number of bytes has to be finite.
    match = re.fullmatch(r"([0-9]{1,24}(?:\.[0-9]{1,24})?)\s*([a-z]*)", text.strip().lower())
    size = float(match[1]) * UNITS.get(match[2], 0) if match else 0
    if not match or size < 1:
        raise UsageError(f"{text[:40]}: not a memory size", "write it like 24GiB, 16GB or 512MiB")
    return int(size)


def available_memory(kind: str, workers: int = 1) -> int:
    """Bytes that one worker may use on this machine.

    Args:
        kind: cpu (what is free or what the control group allows, whichever is less, shared by the workers) or cuda
            (what is free on the current GPU; each worker has a GPU of its own).
        workers: on this machine.

    Raises:
        ResourceError: this machine has no usable GPU, or does not report its free memory.
    """
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise ResourceError(
                "no usable GPU on this machine", "give its memory as --device-memory, or set --device-kind cpu"
            )
        free, _ = torch.cuda.mem_get_info()
        return int(free)
    return min([_free_memory(), *_cgroup_allowances()]) // max(1, workers)


def _free_memory() -> int:
    try:
        lines = MEMINFO.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration) as error:
        raise ResourceError(
            f"{MEMINFO}: does not report the free memory of this machine", "give it as --device-memory"
        ) from error


def _cgroup_allowances() -> list[int]:
    """What the control groups of this process still allow: limit minus use, at every level that has a limit."""
    try:
        entries = [line.split(":", 2) for line in CGROUP.read_text().splitlines()]
    except OSError:
        return []
    allowances = []
    for _, controllers, path in entries:
        is_version_1 = "memory" in controllers.split(",")
        if controllers and not is_version_1:
            continue
        top = CGROUPS / "memory" if is_version_1 else CGROUPS
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if is_version_1 else ("memory.max", "memory.current")
        folder = top / path.lstrip("/")
        for level in (folder, *folder.parents):
            limit, use = (_read_number(level / name) for name in names)
            if limit is not None and use is not None:
                cached = _cached_files(level / "memory.stat", "total_" if is_version_1 else "")
                allowances.append(max(0, limit - max(0, use - cached)))
            if level == top:
                break
    return allowances


def _cached_files(path: Path, prefix: str) -> int:
    """Bytes of cached files in a group, which the system drops when memory is requested."""
    try:
        rows = dict(line.split() for line in path.read_text().splitlines())
        return sum(int(rows.get(f"{prefix}{name}", 0)) for name in ("inactive_file", "active_file"))
    except (OSError, ValueError):
        return 0


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
