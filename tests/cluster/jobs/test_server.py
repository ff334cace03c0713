from __future__ import annotations

from pathlib import Path

import pytest

from cluster.jobs.server import DEFAULT_ADDRESS, address_of, answering, connect, missing_resources, use_token
from pipelines.errors import ResourceError, UsageError


@pytest.mark.parametrize(
    ("option", "environment", "expected"),
    [
        (None, {}, DEFAULT_ADDRESS),
        (None, {"RAY_ADDRESS": "http://head:8265"}, "http://head:8265"),
        (None, {"RAY_ADDRESS": "http://a:1", "RAY_API_SERVER_ADDRESS": "http://b:2"}, "http://b:2"),
        (None, {"RAY_ADDRESS": "auto", "RAY_API_SERVER_ADDRESS": "b:2"}, "http://b:2"),
        ("https://head/ray/", {"RAY_ADDRESS": "http://a:1"}, "https://head/ray"),
        ("head:8265", {"RAY_ADDRESS": "auto"}, "http://head:8265"),
    ],
)
def test_the_flag_comes_before_the_environment(option: str | None, environment: dict[str, str], expected: str) -> None:
    notes: list[str] = []
    assert address_of(option, environment, notes.append) == expected
    assert notes == []


@pytest.mark.parametrize("address", ["head:6379", "auto", "local", "ray://head:10001"])
def test_an_address_of_ray_itself_in_the_environment_is_ignored_with_a_note(address: str) -> None:
    notes: list[str] = []
    assert address_of(None, {"RAY_ADDRESS": address}, notes.append) == DEFAULT_ADDRESS
    (note,) = notes
    assert note.startswith(f"RAY_ADDRESS={address} is Ray's own address")


@pytest.mark.parametrize("address", ["ray://head:10001", "http://", "auto", "auto://", "head:port", "s3://bucket"])
def test_another_address_is_refused_by_its_flag_or_variable(address: str) -> None:
    for option, environment, source in [
        (address, {}, "--address"),
        (None, {"RAY_API_SERVER_ADDRESS": address}, "RAY_API_SERVER_ADDRESS"),
    ]:
        with pytest.raises(UsageError, match=f"^{source} {address}: not a job server's address: give the dashboard"):
            address_of(option, environment, print)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("missing", "RAY_AUTH_TOKEN_PATH .*missing: cannot be read .No such file or directory."),
        ("empty", "RAY_AUTH_TOKEN_PATH .*empty: the file is empty"),
        ("", "auth_token: Ray's token cannot be read .Is a directory."),
    ],
)
def test_a_token_that_cannot_be_read_is_not_one_that_is_refused(tmp_path: Path, named: str, expected: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / ".ray" / "auth_token").mkdir(parents=True)
    environment = {"RAY_AUTH_TOKEN_PATH": str(tmp_path / named)} if named else {}
    with pytest.raises(ResourceError, match=expected):
        use_token(environment, tmp_path)


def test_a_token_is_sent_if_there_is_one_unless_the_user_forbids_it(tmp_path: Path) -> None:
    for variables, expected in [
        ({}, {}),
        ({"RAY_AUTH_TOKEN": "x"}, {"RAY_AUTH_TOKEN": "x", "RAY_AUTH_MODE": "token"}),
        ({"RAY_AUTH_TOKEN": "x", "RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "x", "RAY_AUTH_MODE": "disabled"}),
    ]:
        environment = dict(variables)
        use_token(environment, tmp_path)
        assert environment == expected
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("x")
    environment = {}
    use_token(environment, tmp_path)
    assert environment == {"RAY_AUTH_MODE": "token"}


def test_a_port_without_a_server_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "disabled")
    with pytest.raises(ResourceError, match=r"http://127\.0\.0\.1:1: no job server there"):
        connect("http://127.0.0.1:1")


def test_resources_that_no_node_has_are_named_with_the_largest_node() -> None:
    nodes = [{"CPU": 8.0}, {"CPU": 4.0, "GPU": 1.0}]
    assert missing_resources({"GPU": 1, "CPU": 4}, nodes) is None
    assert missing_resources({"GPU": 0, "CPU": 0}, []) is None
    assert missing_resources({"GPU": 2}, nodes) == "no node has 2 GPUs: of 2 nodes the largest has 1 GPUs"
    assert (
        missing_resources({"GPU": 1, "CPU": 8}, nodes)
        == "no node has 1 GPU and 8 CPUs: of 2 nodes the largest has 1 GPUs, 8 CPUs"
    )


def test_an_unknown_job_is_an_error_with_the_command_that_lists_that_servers_jobs() -> None:
    with (
        pytest.raises(UsageError, match=r"see 'raygene submit list --address http://head:8265'$"),
        answering("http://head:8265", "j"),
    ):
        raise RuntimeError("Request failed with status code 404: no job")


def test_a_head_whose_agent_has_no_port_is_named_as_the_cause() -> None:
    text = (
        "Request failed with status code 500: Traceback (most recent call last): … aiohttp.client_exceptions."
        "InvalidUrlClientError: http://127.0.0.1:-1/api/job_agent/jobs/."
    )
    expected = "its agent has no port, which another Ray.*--dashboard-agent-listen-port"
    with pytest.raises(ResourceError, match=expected), answering("http://head:8266"):
        raise RuntimeError(text)
