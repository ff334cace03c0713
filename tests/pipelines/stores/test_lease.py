from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.errors import BusyError
from pipelines.stores import conditional, lease
from pipelines.stores.lease import Holder
from pipelines.stores.store import Store


def put(store: Store, holder: Holder) -> None:
    store.write(lease.NAME, json.dumps(dataclasses.asdict(holder)).encode())


def elsewhere(**changes: object) -> Holder:
    return dataclasses.replace(Holder.this_process(), host="other-node", machine="another", **changes)


def token(store: Store) -> str | None:
    """Of the lease of a folder."""
    holder = lease.read(store)
    return holder and holder.token


def test_a_second_writer_is_told_who_the_first_is(store: Store) -> None:
    with (
        lease.hold(store),
        pytest.raises(BusyError, match=rf"process {os.getpid()} of \S+ has been writing it since .*: wait for it"),
        lease.hold(store),
    ):
        pass
    assert store.list() == {}


def test_a_lease_that_was_not_renewed_is_taken_over(store: Store) -> None:
    put(store, elsewhere(renewed=time.time() - lease.EXPIRES_S - 1))
    with lease.hold(store) as held:
        assert token(store) == held.holder.token


def test_a_lease_of_a_process_elsewhere_is_kept_until_then(store: Store) -> None:
    put(store, elsewhere())
    with pytest.raises(BusyError, match=r"of other-node .*; if it was killed, the folder is free in \d+ s"):
        lease.hold(store).__enter__()


def test_the_lease_of_a_process_of_this_machine_that_was_killed_is_taken_over_at_once(store: Store) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    put(store, dataclasses.replace(Holder.this_process(), process=ended.pid, started="1"))
    with lease.hold(store) as held:
        assert token(store) == held.holder.token


def test_a_file_that_names_no_holder_is_replaced(store: Store) -> None:
    store.write(lease.NAME, b"half a fi")
    with lease.hold(store) as held:
        assert token(store) == held.holder.token


def test_a_writer_that_was_taken_over_is_stopped_and_leaves_the_other_lease(store: Store) -> None:
    with lease.hold(store) as held:
        put(store, elsewhere())
        with pytest.raises(BusyError, match="a process of other-node has taken it over"):
            held.check()
    assert list(store.list()) == [lease.NAME]


def test_a_lease_is_renewed_while_its_writer_lives(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 0.01)
    with lease.hold(store) as held:
        times, deadline = set[float](), time.monotonic() + 60
        while len(times) < 3 and time.monotonic() < deadline:
            # None while it is being written.
            if (current := lease.read(store)) is not None:
                times.add(current.renewed)
        assert len(times) == 3
        assert token(store) == held.holder.token


def test_without_conditional_writes_the_last_of_two_writers_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditional, "create", lambda *_: None)
    other = elsewhere()

    def settle(seconds: float) -> None:
        assert seconds == lease.SETTLE_S
        put(store, other)

    monkeypatch.setattr(lease.time, "sleep", settle)
    with pytest.raises(BusyError, match="of other-node"):
        lease.hold(store).__enter__()
    current = lease.read(store)
    assert current is not None
    assert current.token == other.token


def test_a_file_is_made_only_where_there_is_none(store: Store) -> None:
    assert store.create("new", b"1") is True
    assert store.create("new", b"2") is False
    assert store.read("new") == b"1"


@pytest.mark.full
def test_a_lease_on_s3_keeps_a_second_writer_out(s3: str) -> None:
    store = Store("s3://data/leases/run")
    with lease.hold(store) as held:
        held.check()
        with pytest.raises(BusyError, match="s3://data/leases/run: process"):
            lease.hold(store).__enter__()
    assert store.list() == {}


@pytest.mark.full
def test_with_s3fs_writes_are_conditional_and_unfinished_uploads_end(s3: str, s3fs: str) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), s3fs]).strip(":")}
    root = Path(__file__).parents[3]
    script = [sys.executable, "-c", _WITH_S3FS, s3]
    done = subprocess.run(script, env=environment, cwd=root, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False", "3", "1"], done.stderr


_WITH_S3FS = """
import sys
import s3fs
from pipelines.stores import lease
from pipelines.stores.store import Store

store = Store("s3://data/conditional/run")
print(store.create("new", b"1"), store.create("new", b"2"))
system = s3fs.S3FileSystem(client_kwargs={"endpoint_url": sys.argv[1]})
for number in range(3):
    system.call_s3("create_multipart_upload", Bucket="data", Key=f"conditional/run/half-{number}")
system.call_s3("create_multipart_upload", Bucket="data", Key="conditional/other")
with lease.hold(store) as held:
    print(held.aborted_uploads)
print(len(system.call_s3("list_multipart_uploads", Bucket="data").get("Uploads", [])))
"""
