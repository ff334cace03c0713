from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pipelines.stores import lease, rehearsal
from pipelines.stores.rehearsal import Operation, rehearse
from pipelines.stores.store import Store
from tests.empty_store import empty_store

ALL = ["list", "put and read", "put in parts, read by range", "copy", "ETag", "delete"]


def test_every_operation_is_tried_and_nothing_is_left(store: Store, tmp_path: Path) -> None:
    done = rehearse(store.address)
    names = [*ALL, "lease, by a conditional write", "end of unfinished uploads"]
    assert done == [Operation(name) for name in names]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_first_operation_that_fails_is_the_last(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "copy", lambda self, source, target: self.write(target, b"another"))
    done = rehearse(store.address)
    assert [one.name for one in done] == ALL[:4]
    assert done[-1].problem == "the copy of a file has other bytes"
    assert done[-1].level == "failure"


def test_what_is_no_store_is_one_failure() -> None:
    (web,) = rehearse("https://host/run")
    assert (web.level, web.problem) == ("failure", "a web server, which takes no files")
    with empty_store() as variables:
        none = rehearse(f"s3://none/run?region=us-east-1&endpoint_override={variables['AWS_ENDPOINT_URL']}")
    assert [(one.name, one.level) for one in none] == [("list", "ok"), ("put and read", "failure")]


def test_without_a_driver_for_conditional_writes_that_is_a_warning(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SETTLE_S", 0.01)
    monkeypatch.setattr(Store, "create", lambda *_: None)
    warning = rehearse(store.address)[-2]
    assert (warning.level, warning.name) == ("warning", "lease")
    assert "two that begin within the same second may both write" in warning.problem


_SCRIPT = """
import json, sys
from pipelines.stores.rehearsal import rehearse
print(json.dumps([vars(one) for one in rehearse(sys.argv[1])]))
"""


def rehearsed(address: str, path: str = "") -> dict[str, dict[str, str]]:
    """What a process says of an address that has these packages too, by the names of the operations."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), path]).strip(":")}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, address],
        env=environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)}


def objects(server: str) -> str:
    """What the server says is in the bucket, its marks of folders included."""
    with urllib.request.urlopen(f"{server}/data?list-type=2&prefix=doctor") as answer:
        return answer.read().decode()


@pytest.mark.full
def test_s3_is_tried_with_and_without_the_optional_driver(s3: str, s3fs: str) -> None:
    alone = rehearsed("s3://data/doctor/runs")
    assert [name for name, one in alone.items() if one["level"] == "ok"] == ALL
    assert "s3fs is not installed" in alone["lease"]["problem"]
    assert "AbortIncompleteMultipartUpload" in alone["end of unfinished uploads"]["fix"]
    both = rehearsed("s3://data/doctor/runs", s3fs)
    assert [one["level"] for one in both.values()] == ["ok"] * 8
    assert "lease, by a conditional write" in both
    assert rehearsal.PREFIX not in objects(s3)


@pytest.mark.full
def test_a_missing_bucket_and_an_address_without_a_store_are_one_line_each(s3: str) -> None:
    assert rehearsed("s3://nowhere/runs")["put and read"]["problem"].startswith("there is no such bucket")
    place = "?endpoint_override=http://127.0.0.1:1&region=us-east-1"
    assert rehearsed(f"s3://data/runs{place}")["list"]["problem"].startswith("the store does not answer")
