from __future__ import annotations

from pathlib import Path

import pytest

from cluster.local_ray import token
from pipelines.errors import ResourceError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def prepared(environment: dict[str, str]) -> list[str]:
    """The warnings of `prepare`."""
    warnings: list[str] = []
    token.prepare(environment, warnings.append)
    return warnings


def test_a_new_token_is_written_for_its_user_alone(home: Path) -> None:
    assert prepared({}) == []
    path = home / ".ray" / "auth_token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text()) == 64
    assert [entry.name for entry in path.parent.iterdir()] == ["auth_token"]


def test_a_token_that_others_can_read_is_closed_to_them_and_stays_the_same(home: Path) -> None:
    path = home / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text("abc")
    path.chmod(0o644)
    assert prepared({}) == []
    assert (path.stat().st_mode & 0o777, path.read_text()) == (0o600, "abc")


def test_an_empty_token_file_is_replaced(home: Path) -> None:
    path = home / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text("\n")
    prepared({})
    assert len(path.read_text()) == 64


@pytest.mark.parametrize("blocked", [".ray", ".ray/auth_token"])
def test_where_no_file_can_be_written_the_token_is_the_processes_own(home: Path, blocked: str) -> None:
    if blocked == ".ray":
        (home / ".ray").write_text("a file")
    else:
        (home / ".ray" / "auth_token").mkdir(parents=True)
    environment: dict[str, str] = {}
    prepared(environment)
    assert len(environment["RAY_AUTH_TOKEN"]) == 64


@pytest.mark.parametrize("environment", [{"RAY_AUTH_TOKEN": "abc"}, {"RAY_AUTH_MODE": "disabled"}])
def test_a_choice_of_the_users_is_left_alone(home: Path, environment: dict[str, str]) -> None:
    before = dict(environment)
    prepared(environment)
    assert environment == before
    assert not (home / ".ray").exists()


@pytest.mark.parametrize(("text", "expected"), [(None, "No such file"), ("", "is empty"), ("folder", "Is a directory")])
def test_a_named_token_file_without_a_token_is_named(home: Path, text: str | None, expected: str) -> None:
    path = home / "token"
    if text == "folder":
        path.mkdir()
    elif text is not None:
        path.write_text(text)
    with pytest.raises(ResourceError, match=rf"RAY_AUTH_TOKEN_PATH {path}: .*{expected}"):
        prepared({"RAY_AUTH_TOKEN_PATH": str(path)})
