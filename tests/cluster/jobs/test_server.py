from __future__ import annotations

from pathlib import Path

import pytest

from cluster.jobs.server import DEFAULT, address_of, answering, connect, missing, use_token
from pipelines.errors import ResourceError, UsageError


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        (None, {}, DEFAULT),
        (None, {"RAY_ADDRESS": "http://head:8265"}, "http://head:8265"),
        (None, {"RAY_ADDRESS": "http://a:1", "RAY_API_SERVER_ADDRESS": "http://b:2"}, "http://b:2"),
        (None, {"RAY_ADDRESS": "auto", "RAY_API_SERVER_ADDRESS": "b:2"}, "http://b:2"),
        ("https://head/ray/", {"RAY_ADDRESS": "http://a:1"}, "https://head/ray"),
        ("head:8265", {"RAY_ADDRESS": "auto"}, "http://head:8265"),
    ],
)
def test_the_flag_comes_before_the_environment(given: str | None, environment: dict[str, str], expected: str) -> None:
    notes: list[str] = []
    assert address_of(given, environment, notes.append) == expected
    assert notes == []


@pytest.mark.parametrize("named", ["head:6379", "auto", "local", "ray://head:10001"])
def test_an_address_of_ray_itself_in_the_environment_is_passed_over_and_told(named: str) -> None:
    notes: list[str] = []
    assert address_of(None, {"RAY_ADDRESS": named}, notes.append) == DEFAULT
    (note,) = notes
    assert note.startswith(f"RAY_ADDRESS={named} is Ray's own address")


@pytest.mark.parametrize("address", ["ray://head:10001", "http://", "auto", "auto://", "head:port", "s3://bucket"])
def test_what_is_no_job_server_is_refused_by_the_name_it_was_given_under(address: str) -> None:
    for given, environment, whose in [
        (address, {}, "--address"),
        (None, {"RAY_API_SERVER_ADDRESS": address}, "RAY_API_SERVER_ADDRESS"),
    ]:
        with pytest.raises(UsageError, match=f"^{whose} {address}: not a job server's address: give that"):
            address_of(given, environment, print)


def test_a_token_is_used_where_there_is_one_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    for given, expected in [
        ({}, {}),
        ({"RAY_AUTH_TOKEN": "x"}, {"RAY_AUTH_TOKEN": "x", "RAY_AUTH_MODE": "token"}),
        ({"RAY_AUTH_TOKEN": "x", "RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "x", "RAY_AUTH_MODE": "disabled"}),
    ]:
        environment = dict(given)
        use_token(environment, tmp_path)
        assert environment == expected
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("x")
    environment = {}
    use_token(environment, tmp_path)
    assert environment == {"RAY_AUTH_MODE": "token"}


def test_nobody_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "disabled")
    with pytest.raises(ResourceError, match=r"http://127\.0\.0\.1:1: no job server there"):
        connect("http://127.0.0.1:1")


def test_what_no_single_node_has_is_told_with_what_the_largest_has() -> None:
    nodes = [{"CPU": 8.0}, {"CPU": 4.0, "GPU": 1.0}]
    assert missing({"GPU": 1, "CPU": 4}, nodes) is None
    assert missing({"GPU": 0, "CPU": 0}, []) is None
    assert missing({"GPU": 2}, nodes) == "no node has 2 GPUs: of 2 nodes the largest has 1 GPUs"
    assert (
        missing({"GPU": 1, "CPU": 8}, nodes)
        == "no node has 1 GPU and 8 CPUs: of 2 nodes the largest has 1 GPUs, 8 CPUs"
    )


def test_a_job_that_is_not_known_is_told_with_the_command_that_lists_those_of_that_server() -> None:
    with (
        pytest.raises(UsageError, match=r"see 'raygene submit list --address http://head:8265'$"),
        answering("http://head:8265", "j"),
    ):
        raise RuntimeError("Request failed with status code 404: no job")
