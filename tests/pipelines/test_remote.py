from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import remote
from pipelines.errors import InputError


def test_a_path_and_a_file_address_are_local() -> None:
    assert remote.local_path("run/bundle") == remote.local_path(Path("run/bundle")) == Path("run/bundle")
    assert remote.local_path("file:///run/my%20bundle") == Path("/run/my bundle")
    assert remote.local_path("file://localhost/run") == Path("/run")
    assert remote.local_path("s3://bucket/run") is None


@pytest.mark.parametrize("address", ["file://run/bundle", "file://host/run"])
def test_a_file_address_without_a_whole_path_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="not an absolute path: write file:///and/the/path"):
        remote.local_path(address)


def test_an_address_is_shown_without_secrets() -> None:
    assert remote.redacted("s3://key:secret@bucket/run/?endpoint_override=x") == "s3://bucket/run"
    assert remote.redacted("https://host/run?signature=secret#part") == "https://host/run"
