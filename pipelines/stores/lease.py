"""One writer of a folder in a store at a time, by a file that names it.

The file is renewed while its writer lives. It is taken over once it has not been renewed for `EXPIRES_S` seconds, or at
once where its writer was a process of this machine that has ended. It is made by a conditional write where a driver can
do that (`conditional`): then one of two writers that begin in the same moment is refused. Without, each writes the file
and reads it again after `SETTLE_S` seconds, so that the last one stays; two may hold it if a write takes longer than
that. Taking over an expired file is not atomic anywhere. Both are noticed by `Lease.check`, which writers call before
what they wrote becomes valid. Expiry compares the clocks of two machines, which may differ by a minute.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from pipelines.errors import BusyError, RaygeneError
from pipelines.stores import conditional
from pipelines.stores.store import Store

NAME = ".raygene-lease.json"
RENEW_S, EXPIRES_S = 45.0, 240.0
SETTLE_S = 1.0
_TRIES = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """Who holds a lease.

    Attributes:
        token: of this lease alone.
        host: name of the machine.
        machine: tells machines, containers and boots of one name apart.
        process: its number.
        started: when the process began, in the machine's own units; its number may be another's later.
        since, renewed: seconds since 1970.
    """

    token: str
    host: str
    machine: str
    process: int
    started: str
    since: float
    renewed: float

    @classmethod
    def this_process(cls) -> Holder:
        """A new holder: this process."""
        now = time.time()
        number = os.getpid()
        return cls(uuid.uuid4().hex, socket.gethostname(), _machine(), number, _started(number), now, now)

    @property
    def has_ended(self) -> bool:
        """Whether it was a process of this machine that is no more."""
        is_here = self.machine == _machine() and self.host == socket.gethostname()
        return is_here and _started(self.process) != self.started

    @property
    def expires_in(self) -> float:
        """Seconds until it counts as gone; negative once it does."""
        return self.renewed + EXPIRES_S - time.time()

    def content(self) -> bytes:
        """The file's content."""
        return json.dumps({**asdict(self), "renewed": time.time()}, indent=1).encode()


def _read_text(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8").strip()
    return ""


def _machine() -> str:
    """What only processes that see each other's numbers have in common."""
    with suppress(OSError):
        return f"{_read_text('/proc/sys/kernel/random/boot_id')} {Path('/proc/self/ns/pid').readlink()}"
    return f"{uuid.getnode():x}"


def _started(process: int) -> str:
    """When a process began; empty if there is none."""
    # The name of the program, in brackets, may hold anything.
    status = _read_text(f"/proc/{process}/stat").rpartition(")")[2].split()
    if status:
        return "" if status[0] == "Z" else status[19]
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "running"


@dataclass
class Lease:
    """The right to write a folder of a store.

    Attributes:
        store: the folder.
        holder: this process.
        aborted_uploads: how many unfinished uploads of earlier writers were ended.
    """

    store: Store
    holder: Holder
    aborted_uploads: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)
    _renewal: threading.Thread | None = None

    def check(self) -> None:
        """Make sure that nobody else has taken the folder over.

        Raises:
            BusyError: somebody has.
            StorageError: the store cannot be reached.
        """
        current = read(self.store)
        if current is None or current.token != self.holder.token:
            by = f"a process of {current.host}" if current else "another process"
            raise BusyError(
                f"{self.store}: {by} has taken it over since this one was last heard of",
                "let that one finish, or stop it, and run this command again",
            )

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_S):
            try:
                self.check()
                self.store.write(NAME, self.holder.content())
            except BusyError as error:
                _log.warning("%s", error)
                return
            except RaygeneError as error:
                _log.warning("%s; the lease is renewed again in %d s", error, RENEW_S)

    def _release(self) -> None:
        self._ended.set()
        if self._renewal is not None:
            # A renewal on its way would put the file again after it is deleted.
            self._renewal.join()
        with suppress(RaygeneError):
            current = read(self.store)
            if current is not None and current.token == self.holder.token:
                self.store.delete([NAME])


def read(store: Store) -> Holder | None:
    """The holder of a folder; None if there is none, or what is there names none."""
    content = store.read_if_present(NAME)
    if content is None:
        return None
    try:
        document = json.loads(content)
        return Holder(**{item.name: document[item.name] for item in fields(Holder)})
    except (ValueError, TypeError, LookupError):
        return None


@contextmanager
def hold(store: Store) -> Iterator[Lease]:
    """Hold the exclusive right to write a folder of a store; what is not guaranteed is in the module's docstring.

    Unfinished uploads of earlier writers are ended first, where that is possible.

    Raises:
        BusyError: another process holds it; the line names it.
        StorageError: the store cannot be written.
    """
    lease = Lease(store, Holder.this_process())
    _acquire(lease)
    try:
        lease.aborted_uploads = conditional.abort_uploads(store.address, store.path("")) or 0
        lease._renewal = threading.Thread(target=lease._renew, name="lease of a folder", daemon=True)
        lease._renewal.start()
        yield lease
    finally:
        lease._release()


def _acquire(lease: Lease) -> None:
    store = lease.store
    for _ in range(_TRIES):
        current = read(store)
        if current is not None and not current.has_ended and current.expires_in > 0:
            raise _busy(store, current)
        # One that names nobody, or an old one.
        store.delete([NAME])
        created = store.create(NAME, lease.holder.content())
        if created:
            return
        if created is None:
            store.write(NAME, lease.holder.content())
            time.sleep(SETTLE_S)
            current = read(store)
            if current is not None and current.token == lease.holder.token:
                return
    raise BusyError(f"{store}: another process is writing it", "wait for it, or choose another location")


def _busy(store: Store, holder: Holder) -> BusyError:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(holder.since))
    return BusyError(
        f"{store}: process {holder.process} of {holder.host} has been writing it since {when}",
        f"wait for it, or choose another location; if it was killed, the folder is free in {holder.expires_in:.0f} s",
    )
