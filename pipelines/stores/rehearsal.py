"""Tries on a store, with files that are deleted again, every operation that a verb is going to need there."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from pipelines.errors import RaygeneError
from pipelines.stores import conditional, lease, reading
from pipelines.stores.store import Store

IN_PARTS = 11 << 20
"""Bytes of a file that Arrow's S3 driver puts in parts, which have at least 10 MiB."""
PREFIX = ".raygene-doctor-"
"""What the name of the folder begins with in which everything happens."""
_SMALL, _LARGE, _COPY, _LEASED = "small", "in-parts", "copy", "leased"
_BLOCK = bytes(range(256)) * 4096
_RULE = "give the bucket a rule AbortIncompleteMultipartUpload"


@dataclass(frozen=True)
class Operation:
    """What came of one operation.

    Attributes:
        name: what was tried, such as `copy`.
        level: a warning if verbs work without it, with less certainty.
        problem: what is wrong; empty if nothing is.
        fix: what to do about it.
    """

    name: str
    level: Literal["ok", "warning", "failure"] = "ok"
    problem: str = ""
    fix: str = ""


def rehearse(address: str) -> list[Operation]:
    """Try everything at an address; what depends on an operation that failed is not tried.

    Args:
        address: of a folder, which need not exist. Nothing is left there.
    """
    try:
        store = Store(address).folder(f"{PREFIX}{uuid.uuid4().hex}")
    except RaygeneError as error:
        return [Operation("open", "failure", _without_place(error.problem), error.fix)]
    done = []
    try:
        for operation in _operations(store):
            done.append(replace(operation, problem=_without_place(operation.problem)))
            if operation.level == "failure":
                break
    finally:
        with suppress(RaygeneError):
            store.delete([_SMALL, _LARGE, _COPY, f"{_LEASED}/{lease.NAME}"])
        with suppress(RaygeneError):
            # For file systems whose folders are real ones.
            store.delete_folder("")
    return done


def _without_place(problem: str) -> str:
    """What is wrong, without the address that it begins with: that of a file which nobody knows."""
    return re.sub(r"^[a-z0-9+.-]+://\S*: ", "", problem)


def _operations(store: Store) -> Iterator[Operation]:
    yield _tried("list", store.list)
    yield _tried("put and read", lambda: _put_and_read(store))
    yield _tried("put in parts, read by range", lambda: _in_parts(store))
    yield _tried("copy", lambda: _copy(store))
    yield _tried("ETag", lambda: _version(store))
    yield _tried("delete", lambda: _delete(store))
    yield _leased(store)
    yield _uploads(store)


class _UnexpectedError(Exception):
    """The store did something else than was requested."""


def _tried(name: str, function: Callable[[], object]) -> Operation:
    try:
        function()
    except RaygeneError as error:
        return Operation(name, "failure", error.problem, error.fix)
    except _UnexpectedError as error:
        return Operation(name, "failure", str(error), "use another store, or ask its operators")
    return Operation(name)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise _UnexpectedError(problem)


def _put_and_read(store: Store) -> None:
    store.write(_SMALL, b"raygene")
    _require(store.read(_SMALL) == b"raygene", "a file that was put is read with other bytes")
    _require(_SMALL in store.list(), "a file that was put is not listed at once")


def _in_parts(store: Store) -> None:
    with store.replacing(_LARGE) as stream:
        for _ in range(IN_PARTS // len(_BLOCK)):
            stream.write(_BLOCK)
    start = len(_BLOCK) + 5
    _require(store.read_range(_LARGE, start, 9) == _BLOCK[5:14], "a part of a file is read with other bytes")


def _copy(store: Store) -> None:
    store.copy(_SMALL, _COPY)
    _require(store.read(_COPY) == b"raygene", "the copy of a file has other bytes")


def _version(store: Store) -> None:
    folder = reading.open_folder(store.address)
    before = folder.version(_SMALL)
    store.write(_SMALL, b"raygene changed")
    _require(before is not None, "files have neither an ETag nor a time of change")
    _require(folder.version(_SMALL) != before, "a file that was written again has the ETag of the earlier one")


def _delete(store: Store) -> None:
    names = [_SMALL, _LARGE, _COPY]
    store.delete(names)
    _require(not set(names) & set(store.list()), "a file that was deleted is still listed")


def _leased(store: Store) -> Operation:
    name = "lease"
    folder = store.folder(_LEASED)

    def lease_it() -> None:
        with lease.hold(folder) as held:
            held.check()

    leased = _tried(name, lease_it)
    if leased.level == "failure":
        return leased
    created = [store.create(_SMALL, content) for content in (b"first", b"second")]
    store.delete([_SMALL])
    if created == [True, False]:
        return Operation(f"{name}, by a conditional write")
    scheme = urlsplit(store.address).scheme.lower()
    package = conditional.DRIVERS.get(scheme)
    problem = "two that begin within the same second may both write: "
    if created[0] is None and package and not conditional.is_installed(scheme):
        return Operation(name, "warning", f"{problem}{package} is not installed", f"pip install {package}")
    return Operation(name, "warning", f"{problem}the store has no conditional write", "do not start two in one second")


def _uploads(store: Store) -> Operation:
    name = "end of unfinished uploads"
    scheme = urlsplit(store.address).scheme.lower()
    if scheme != "s3":
        return Operation(name)
    if not conditional.is_installed(scheme):
        package = conditional.DRIVERS[scheme]
        return Operation(name, "warning", f"{package} is not installed", f"pip install {package}, or {_RULE}")
    if conditional.abort_uploads(store.address, store.path("")) is None:
        return Operation(name, "warning", "they may not be listed, or not be ended", f"allow it, or {_RULE}")
    return Operation(name)
