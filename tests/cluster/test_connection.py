from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.connection import address_of, environment, of_job, prepare_environment, reason, require_answer
from cluster.experiment import ClusterConfig
from pipelines.errors import ResourceError


@pytest.mark.parametrize(
    ("configured", "given", "expected"),
    [
        ("local", "", "local"),
        ("10.0.0.1:6379", "", "10.0.0.1:6379"),
        ("local", "10.0.0.2:6379", "10.0.0.2:6379"),
        ("local", "http://127.0.0.1:8265", "local"),
    ],
)
def test_a_job_has_its_own_cluster_and_a_dashboard_is_none(configured: str, given: str, expected: str) -> None:
    assert address_of(ClusterConfig(address=configured), given) == expected


def test_variables_of_the_job_we_are_in_are_known() -> None:
    told = '{"runtime_env": {"env_vars": {"MALLOC_ARENA_MAX": "2"}}, "metadata": {}}'
    assert of_job({"RAY_JOB_CONFIG_JSON_ENV_VAR": told}) == {"MALLOC_ARENA_MAX": "2"}
    assert of_job({}) == of_job({"RAY_JOB_CONFIG_JSON_ENV_VAR": "null"}) == {}


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "[::1]:1"])
def test_a_dead_address_is_one_line_at_once(address: str) -> None:
    with pytest.raises(ResourceError, match="no Ray there"):
        require_answer(address)


@pytest.mark.parametrize("verbose", [False, True])
def test_verbose_or_not_nothing_is_reported_home_and_gpus_stay_visible(verbose: bool) -> None:
    found = environment(verbose=verbose)
    assert found["RAY_USAGE_STATS_ENABLED"] == "0"
    assert found["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] == "0"


def test_verbose_takes_away_settings_of_noise_only() -> None:
    quiet = set(environment(verbose=False)) - set(environment(verbose=True))
    of_ray = {"RAY_DATA_DISABLE_PROGRESS_BARS", "RAY_DEDUP_LOGS", "RAY_TRAIN_ENABLE_PRINT_PATCH"}
    assert quiet == of_ray | {"KINETO_LOG_LEVEL", "TORCH_CPP_LOG_LEVEL"}


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


def test_processes_started_elsewhere_use_the_cache_that_a_relative_path_named_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in environment(verbose=False):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setenv("RAYGENE_CACHE", "cache")
    monkeypatch.chdir(tmp_path)
    prepare_environment(verbose=False)
    program = "import os; print(os.environ['RAYGENE_CACHE'])"
    found = subprocess.run([sys.executable, "-c", program], cwd="/", capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(tmp_path / "cache")
