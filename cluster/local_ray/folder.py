"""The folder of a local Ray: logs, sockets and what does not fit into memory, for nobody but its user.

Every run has one of its own, which is removed when Ray has ended. The folder of a killed run is removed by the next
one. The run holds a lock on the marker in its folder for as long as it lives: the kernel releases it when the process
ends, however it ends, so that no process id has to be trusted.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipelines.display import format_size
from pipelines.errors import ResourceError

PREFIX = "raygene-"
MARKER = "raygene-run.json"
FOR_RAY = "r"
"""What Ray takes for its own inside the folder: it opens its directory to everybody, which must not be ours."""
_SOCKET_BYTES = 107
_BELOW = len("/raygene-12345678/r/session_2026-11-28_17-35-13_028786_4194304/sockets/plasma_store")
LONGEST = _SOCKET_BYTES - _BELOW
"""Bytes of the longest directory in which Ray's sockets still get a path: Unix allows them 107 bytes."""
_ENOUGH_BYTES = 16 << 20
"""Logs of a short run."""


@dataclass(frozen=True)
class Run:
    """A run of this user.

    Attributes:
        folder: its folder.
        size: bytes of its files.
        lives: whether it, or a process that it started, may still live.
    """

    folder: str
    size: int
    lives: bool


def parents(environment: Mapping[str, str]) -> list[Path]:
    """The directories that are tried for a run's folder: that of `RAY_TMPDIR` alone, else of `TMPDIR`, and `/tmp`."""
    if chosen := environment.get("RAY_TMPDIR"):
        return [Path(chosen).absolute()]
    return [*dict.fromkeys(Path(name).absolute() for name in (environment.get("TMPDIR"), "/tmp", "/var/tmp") if name)]


@contextmanager
def run_folder(environment: Mapping[str, str], *, keep: bool = False) -> Iterator[Path]:
    """Make the folder of this run, which only this user can enter, and remove it and those of killed runs.

    Args:
        environment: names the directory that it is in.
        keep: leave it, for its logs; the next run removes it.

    Raises:
        ResourceError: there is no place for it.
    """
    for parent in parents(environment):
        remove_ended(parent)
    folder, marker = _create(environment)
    try:
        yield folder
    finally:
        if not keep:
            _remove(folder)
        marker.close()


def remove_ended(parent: Path) -> None:
    """Remove the folders of this user's runs in a directory whose processes have all ended."""
    for folder in _folders(parent):
        with _locked(folder) as is_locked:
            if is_locked and not _has_processes(folder):
                _remove(folder)


def runs(environment: Mapping[str, str]) -> list[Run]:
    """The runs of this user that have a folder, living and ended."""
    found = []
    for parent in parents(environment):
        for folder in _folders(parent):
            with _locked(folder) as is_locked:
                found.append(Run(str(folder), _size(folder), not is_locked or _has_processes(folder)))
    return found


def _create(environment: Mapping[str, str]) -> tuple[Path, IO[str]]:
    """The new folder, and its marker, which is open and locked."""
    reasons = []
    for parent in parents(environment):
        if (length := len(os.fsencode(parent))) > LONGEST:
            reasons.append(f"{parent} is {length - LONGEST} bytes too long for the paths of its sockets")
            continue
        try:
            if (free := shutil.disk_usage(parent).free) < _ENOUGH_BYTES:
                reasons.append(f"{parent} has {format_size(free)} free")
                continue
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        except OSError as error:
            reasons.append(f"{parent}: {error.strerror or error}")
            continue
        try:
            return folder, _mark(folder)
        except OSError as error:
            reasons.append(f"{parent}: {error.strerror or error}")
            shutil.rmtree(folder, ignore_errors=True)
    raise ResourceError(
        f"no folder for Ray's files ({'; '.join(reasons)})",
        "set RAY_TMPDIR to a short path on a local disk with free space",
    )


def _mark(folder: Path) -> IO[str]:
    """Write the marker. It gets its name once it is locked, so that nobody takes it for that of an ended run.

    Raises:
        OSError: it cannot be written, or the file system has no locks, which Ray needs too.
    """
    path = folder / f".{MARKER}"
    stream = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        json.dump({"pid": os.getpid(), **_machine()}, stream)
        stream.flush()
        path.rename(folder / MARKER)
    except BaseException:
        stream.close()
        raise
    return stream


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the run of a folder has ended; if so, the lock that it held is held while the block lasts."""
    try:
        stream = (folder / MARKER).open("r+", encoding="utf-8")
    except OSError:
        # Another start has just removed it.
        yield False
        return
    with stream:
        try:
            run = json.load(stream)
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A run that ended in between has removed its folder, and the lock is that of a file without a name.
            (folder / MARKER).stat()
        except (OSError, ValueError):
            yield False
            return
        yield isinstance(run, dict) and _has_ended(run)


def _has_ended(run: Mapping[str, object]) -> bool:
    """Whether the process of a marker whose lock is free has ended: locks of another machine may not be seen here."""
    machine = _machine()
    return run.get("boot") == machine["boot"] or run.get("host") == machine["host"]


def _machine() -> dict[str, str]:
    """What tells this machine, and its time since it was started, from others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    return {"host": platform.node(), "boot": boot}


def _folders(parent: Path) -> list[Path]:
    """The folders of this user's runs in a directory: made by raygene, and closed to everybody else."""
    folders = []
    with suppress(OSError):
        for folder in sorted(parent.glob(f"{PREFIX}*")):
            facts = folder.lstat()
            is_private = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077
            if is_private and (folder / MARKER).is_file():
                folders.append(folder)
    return folders


def _has_processes(folder: Path) -> bool:
    """Whether a process of this machine names the folder in its command line, or has a file in it open."""
    inside, own = os.fsencode(folder), str(os.getpid())
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if inside in (process / "cmdline").read_bytes():
                return True
            for descriptor in (process / "fd").iterdir():
                if own != process.name and descriptor.readlink().is_relative_to(folder):
                    return True
    return False


def _size(folder: Path) -> int:
    size = 0
    # Ray removes files and directories meanwhile, which `os.walk` leaves out.
    for directory, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with suppress(OSError):
                size += Path(directory, name).lstat().st_blocks * 512
    return size


def _remove(folder: Path) -> None:
    """Remove a folder; the marker last, so that the next start removes what could not be removed now."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if path.name == MARKER:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()
        if [path.name for path in folder.iterdir()] == [MARKER]:
            (folder / MARKER).unlink()
            folder.rmdir()
