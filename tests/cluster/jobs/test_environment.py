from __future__ import annotations

from pathlib import Path

import pytest
import requests

from cluster.jobs.environment import environment, judged
from pipelines.errors import InputError, UsageError


def test_variables_are_given_to_the_job_beside_those_of_a_file_and_training_has_time_to_save(tmp_path: Path) -> None:
    path = tmp_path / "env.yaml"
    path.write_text("pip: [amdsmi]\nenv_vars: {A: 1, B: two}\n")
    found = environment(["B=2=3", "C="], str(path))
    assert found["pip"] == ["amdsmi"]
    assert found["env_vars"] == {"RAY_JOB_STOP_WAIT_TIME_S": "60", "A": "1", "B": "2=3", "C": ""}


def test_a_variable_without_a_value_is_refused_without_showing_what_was_given() -> None:
    with pytest.raises(UsageError, match=r"^--env SECRET: not of the form NAME=VALUE"):
        environment(["SECRET"], None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("working_dir: .", "raygene sends its own files"),
        ("[a, b]", "holds working_dir or no keys"),
        ("env_vars: [A=1]", "env_vars: no mapping"),
        ("env_vars: {A: [1]}", "env_vars: A: no name with a value"),
        ("env_vars: {A B: 1}", "env_vars: A B: no name with a value"),
        ("pip: 5", "--runtime-env"),
        ("{pip: [a], conda: b}", "--runtime-env"),
        ("image_uri: raygene:cuda", "'image_uri' field currently cannot be used together"),
        ("container: {image: raygene:cuda}", "'container' field currently cannot be used together"),
    ],
)
def test_a_runtime_environment_that_ray_would_not_take_is_refused_by_the_name_of_its_file(
    tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "env.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        environment([], str(path))
    assert told in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_runtime_environment_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        environment([], str(tmp_path / "none.yaml"))


def test_what_ray_refuses_before_it_asks_for_the_job_is_no_failure_of_the_server() -> None:
    with pytest.raises(UsageError, match=r"^--runtime-env env\.yaml: a local path"), judged("env.yaml"):
        raise ValueError("a local path")
    with pytest.raises(requests.exceptions.JSONDecodeError), judged("env.yaml"):
        requests.Response().json()
