"""The runtime environment of a job: its variables, and what a file asks Ray to install. The code is sent separately."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.address import MASK
from pipelines.documents import yaml_reader
from pipelines.errors import InputError, UsageError, one_line

STOP_WAIT_S = 60
"""By default Ray kills a job 3 s after asking it to stop, which may be too soon for a training to save a checkpoint."""
MIN_SECRET = 4
_CODE_URI = "gcs://raygene.zip"
"""Stands for the code, so that Ray validates what goes with it: a container, for one, does not."""


def environment(variables: Sequence[str], path: str | None) -> dict[str, Any]:
    """The runtime environment of a job, without its files.

    Args:
        variables: `NAME=VALUE`, each.
        path: of a YAML file with further keys of Ray's runtime environment.

    Raises:
        UsageError: a variable of another form, or a file with keys that Ray or raygene refuses.
        InputError: the file is missing or not YAML.
    """
    keys = {} if path is None else _read(path)
    env_vars = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S), **_env_vars(path, keys.get("env_vars"))}
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not equals or not _is_name(name):
            raise UsageError(f"--env {name}: not of the form NAME=VALUE", "write --env NAME=VALUE")
        env_vars[name] = value
    runtime_env = {**keys, "env_vars": env_vars}
    if path is not None:
        _require_valid(path, runtime_env)
    return runtime_env


def _read(path: str) -> dict[str, Any]:
    try:
        keys = yaml_reader.read(Path(path), "a YAML file") or {}
    except InputError as error:
        raise InputError(f"--runtime-env {error.problem}", error.fix) from error
    if not isinstance(keys, dict):
        raise UsageError(f"--runtime-env {path}: no keys", "write keys of Ray's runtime_env, such as 'pip: [requests]'")
    if "working_dir" in keys:
        raise UsageError(f"--runtime-env {path}: working_dir: raygene sends its own files", "leave it out")
    return keys


def _env_vars(path: str | None, values: Any) -> dict[str, str]:
    values = {} if values is None else values
    if not isinstance(values, Mapping):
        raise UsageError(f"--runtime-env {path}: env_vars: not a mapping", "write 'env_vars: {NAME: value}'")
    for name, value in values.items():
        if not _is_name(str(name)) or not isinstance(value, str | int | float):
            raise UsageError(
                f"--runtime-env {path}: env_vars: {name}: not a name with a value", "write 'env_vars: {NAME: value}'"
            )
    return {str(name): str(value) for name, value in values.items()}


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*", text) is not None


def _require_valid(path: str, runtime_env: Mapping[str, Any]) -> None:
    """Have Ray validate a runtime environment together with code, before anything is sent."""
    from ray.runtime_env import RuntimeEnv

    try:
        RuntimeEnv(**{**runtime_env, "working_dir": _CODE_URI})
    except (TypeError, ValueError, AttributeError, OSError) as error:
        raise _invalid(path, error, runtime_env) from error


@contextmanager
def validation_errors(path: str | None, runtime_env: Mapping[str, Any]) -> Iterator[None]:
    """Turn Ray's refusal of a runtime environment while a job is submitted into a usage error.

    Args:
        path: of the file with the runtime environment; None without one.
        runtime_env: the environment, whose variables may be secrets that Ray quotes.

    Raises:
        UsageError: Ray refuses it.
    """
    import requests

    try:
        yield
    except requests.RequestException:
        # Some of these are ValueErrors too, but are about the server's answer.
        raise
    except ValueError as error:
        raise _invalid(path, error, runtime_env) from error


def _invalid(path: str | None, error: Exception, runtime_env: Mapping[str, Any]) -> UsageError:
    text = str(error)
    for value in runtime_env.get("env_vars", {}).values():
        # Shorter ones, such as 1, are no secrets, and stand in words.
        text = text.replace(value, MASK) if len(value) >= MIN_SECRET else text
    source = f"--runtime-env {path}" if path is not None else "the runtime environment"
    return UsageError(
        f"{source}: {one_line(text, 200)}",
        "see Ray's documentation of runtime_env",
    )
