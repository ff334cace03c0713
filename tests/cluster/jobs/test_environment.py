from __future__ import annotations

from pathlib import Path

import pytest
import requests

from cluster.jobs.environment import environment, validation_errors
from pipelines.errors import InputError, UsageError


def test_variables_of_flags_and_file_are_joined_and_training_has_time_to_save(tmp_path: Path) -> None:
    path = tmp_path / "env.yaml"
    path.write_text("pip: [amdsmi]\nenv_vars: {A: 1, B: two}\n")
    runtime_env = environment(["B=2=3", "C="], str(path))
    assert runtime_env["pip"] == ["amdsmi"]
    assert runtime_env["env_vars"] == {"RAY_JOB_STOP_WAIT_TIME_S": "60", "A": "1", "B": "2=3", "C": ""}


def test_a_variable_without_a_value_is_refused_and_only_its_name_shown() -> None:
    with pytest.raises(UsageError, match=r"^--env SECRET: not of the form NAME=VALUE"):
        environment(["SECRET"], None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("working_dir: .", "raygene sends its own files"),
        ("[a, b]", "no keys: write keys of Ray's runtime_env"),
        ("env_vars: [A=1]", "env_vars: not a mapping"),
        ("env_vars: {A: [1]}", "env_vars: A: not a name with a value"),
        ("env_vars: {A B: 1}", "env_vars: A B: not a name with a value"),
        ("pip: 5", "--runtime-env"),
        ("{pip: [a], conda: b}", "--runtime-env"),
        ("image_uri: raygene:cuda", "'image_uri' field currently cannot be used together"),
        ("container: {image: raygene:cuda}", "'container' field currently cannot be used together"),
    ],
)
def test_a_runtime_environment_that_ray_refuses_is_an_error_with_its_file(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = tmp_path / "env.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        environment([], str(path))
    assert expected in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_missing_file_with_a_runtime_environment_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        environment([], str(tmp_path / "none.yaml"))


def test_rays_refusal_of_a_runtime_environment_is_not_a_failure_of_the_server() -> None:
    with pytest.raises(UsageError, match=r"^--runtime-env env\.yaml: a local path"), validation_errors("env.yaml", {}):
        raise ValueError("a local path")
    with pytest.raises(requests.exceptions.JSONDecodeError), validation_errors("env.yaml", {}):
        requests.Response().json()


def test_rays_refusal_does_not_show_the_values_of_variables() -> None:
    variables = {"env_vars": {"AWS_SECRET_ACCESS_KEY": "wJalr/K7MDENG", "A": "1"}}
    with (
        pytest.raises(UsageError, match=r"expected str, got \*\*\* and 1") as refused,
        validation_errors(None, variables),
    ):
        raise ValueError("expected str, got wJalr/K7MDENG and 1")
    assert "wJalr" not in str(refused.value)
