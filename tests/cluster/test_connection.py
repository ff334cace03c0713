from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ray.exceptions import AuthenticationError

from cluster.connection import (
    _start_error,
    address_of,
    environment,
    job_variables,
    prepare_environment,
    reason,
    require_reachable,
)
from cluster.experiment import ClusterConfig
from pipelines.errors import ResourceError


@pytest.mark.parametrize(
    ("configured", "ray_address", "expected"),
    [
        ("local", "", "local"),
        ("10.0.0.1:6379", "", "10.0.0.1:6379"),
        ("local", "10.0.0.2:6379", "10.0.0.2:6379"),
        ("local", "http://127.0.0.1:8265", "local"),
    ],
)
def test_a_job_uses_its_own_cluster_and_a_dashboards_address_is_ignored(
    configured: str, ray_address: str, expected: str
) -> None:
    assert address_of(ClusterConfig(address=configured), ray_address) == expected


def test_the_variables_of_this_job_are_read() -> None:
    options = '{"runtime_env": {"env_vars": {"MALLOC_ARENA_MAX": "2"}}, "metadata": {}}'
    assert job_variables({"RAY_JOB_CONFIG_JSON_ENV_VAR": options}) == {"MALLOC_ARENA_MAX": "2"}
    assert job_variables({}) == job_variables({"RAY_JOB_CONFIG_JSON_ENV_VAR": "null"}) == {}


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "[::1]:1"])
def test_a_dead_address_is_one_line_at_once(address: str) -> None:
    with pytest.raises(ResourceError, match="no Ray there"):
        require_reachable(address)


@pytest.mark.parametrize("verbose", [False, True])
def test_verbose_or_not_no_usage_is_reported_and_gpus_stay_visible(verbose: bool) -> None:
    variables = environment(verbose=verbose)
    assert variables["RAY_USAGE_STATS_ENABLED"] == "0"
    assert variables["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] == "0"


@pytest.mark.parametrize("verbose", [False, True])
def test_messages_of_ray_have_no_colours_where_nobody_wants_them(
    verbose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "RAY_COLOR_PREFIX" not in environment(verbose=verbose)
    monkeypatch.setenv("NO_COLOR", "1")
    assert environment(verbose=verbose)["RAY_COLOR_PREFIX"] == "0"


def test_verbose_leaves_out_only_the_variables_that_silence() -> None:
    quiet = set(environment(verbose=False)) - set(environment(verbose=True))
    ray = {"RAY_DEDUP_LOGS", "RAY_TRAIN_ENABLE_PRINT_PATCH", "RAY_DATA_LOG_LEVEL"}
    assert quiet == ray | {"KINETO_LOG_LEVEL", "TORCH_CPP_LOG_LEVEL"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError(), "RuntimeError"),
        (TimeoutError(" \n"), "TimeoutError"),
        (ValueError("\nfirst\nsecond"), "first"),
    ],
)
def test_a_reason_is_one_line_even_of_an_empty_message(error: Exception, expected: str) -> None:
    assert reason(error) == expected


@pytest.mark.parametrize(
    ("address", "error", "expected"),
    [
        (
            "local",
            OSError(28, "No space left on device", "/tmp/x"),
            "/tmp/x: No space left on device: free space there",
        ),
        (
            "local",
            OSError(24, "Too many open files"),
            "Ray did not start: Too many open files: raise the limit of open",
        ),
        ("local", RuntimeError("a process died"), "Ray did not start (a process died): "),
        (
            "h:6379",
            AuthenticationError("no token was found"),
            "its token is missing here, or wrong (no token was found",
        ),
        ("h:6379", ConnectionError("refused"), "no Ray there (refused): start one or use local"),
    ],
)
def test_the_reason_why_ray_does_not_start_is_named(address: str, error: Exception, expected: str) -> None:
    assert expected in str(_start_error(address, error))


def test_variables_of_ray_that_the_user_has_set_are_named_where_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", "x")
    message = str(_start_error("local", ValueError("Expecting value: line 1")))
    assert "Ray did not start (Expecting value: line 1): correct or unset " in message
    assert "RAY_OVERRIDE_RESOURCES" in message


def test_a_variable_of_ours_is_named_where_the_user_has_set_it_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "RAY_enable_metrics_collection"
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", "x")
    monkeypatch.setenv(name, "0")
    assert name not in str(_start_error("local", ValueError("x")))
    monkeypatch.setenv(name, "yes")
    assert name in str(_start_error("local", ValueError("x")))


def test_a_variable_that_ray_itself_sets_is_not_why_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray  # noqa: F401 (sets it)

    for name in [name for name in os.environ if name.startswith("RAY_") and name != "RAY_CLIENT_MODE"]:
        monkeypatch.delenv(name)
    message = str(_start_error("local", RuntimeError("timed out during startup")))
    assert "run again when the machine is less busy" in message


LIMITED = """
import resource
from cluster.connection import _start_error
resource.setrlimit(resource.RLIMIT_{name}, (64, 64))
print(_start_error("local", RuntimeError("x")))
"""


@pytest.mark.parametrize(("name", "expected"), [("FSIZE", "ulimit -f"), ("NOFILE", "ulimit -n")])
def test_a_limit_with_which_ray_does_not_start_is_named(name: str, expected: str) -> None:
    code = LIMITED.format(name=name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert expected in done.stdout, done.stderr


def test_an_address_is_named_by_what_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(_start_error("h:1", ValueError("x"))).startswith("cluster.address h:1: ")
    monkeypatch.setenv("RAY_ADDRESS", "h:1")
    assert str(_start_error("h:1", ValueError("x"))).startswith("RAY_ADDRESS h:1: ")


def test_a_relative_cache_path_means_the_same_in_processes_of_other_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in environment(verbose=False):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setenv("RAYGENE_CACHE", "cache")
    monkeypatch.chdir(tmp_path)
    prepare_environment(verbose=False)
    program = "import os; print(os.environ['RAYGENE_CACHE'])"
    process = subprocess.run([sys.executable, "-c", program], cwd="/", capture_output=True, text=True, check=True)
    assert process.stdout.strip() == str(tmp_path / "cache")
