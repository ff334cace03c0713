"""The runtime environment of a job: variables, and what a file asks Ray to install; its code is sent by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import InputError, UsageError

STOP_WAIT_S = 60
"""Ray kills a job 3 s after asking it to stop, in which training may not have saved where it is."""
_SENT = "gcs://raygene.zip"
"""Stands for the code, which is sent by itself, where Ray judges what goes with it: a container does not."""


def environment(given: Sequence[str], path: str | None) -> dict[str, Any]:
    """The runtime environment of a job, without its files.

    Args:
        given: `NAME=VALUE`, each.
        path: of a YAML file with further keys of Ray's.

    Raises:
        UsageError: not of that form, not what Ray takes, or files are named in it.
        InputError: the file is missing or not YAML.
    """
    found = {} if path is None else _read(path)
    variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S), **_variables(path, found.get("env_vars"))}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not _is_name(name):
            raise UsageError(f"--env {name}: not of the form NAME=VALUE", "write --env NAME=VALUE")
        variables[name] = value
    whole = {**found, "env_vars": variables}
    if path is not None:
        _require_taken(path, whole)
    return whole


def _read(path: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        told = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise InputError(f"--runtime-env {path}: {told}", "name a YAML file") from error
    if not isinstance(found, dict) or "working_dir" in found:
        raise UsageError(f"--runtime-env {path}: holds working_dir or no keys", "raygene sends its own files")
    return found


def _variables(path: str | None, given: Any) -> dict[str, str]:
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise UsageError(f"--runtime-env {path}: env_vars: no mapping", "write 'env_vars: {NAME: value}'")
    for name, value in given.items():
        if not _is_name(str(name)) or not isinstance(value, str | int | float):
            raise UsageError(
                f"--runtime-env {path}: env_vars: {name}: no name with a value", "write 'env_vars: {NAME: value}'"
            )
    return {str(name): str(value) for name, value in given.items()}


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*", text) is not None


def _require_taken(path: str, whole: Mapping[str, Any]) -> None:
    """See that Ray takes it beside the code: it judges before it sends anything, in errors of several kinds."""
    from ray.runtime_env import RuntimeEnv

    try:
        RuntimeEnv(**{**whole, "working_dir": _SENT})
    except (TypeError, ValueError, AttributeError, OSError) as error:
        raise _refused(path, error) from error


@contextmanager
def judged(path: str | None) -> Iterator[None]:
    """Turn what Ray refuses of a runtime environment as it is handed over, before it asks for the job, into one line.

    Args:
        path: of the file that gave it; None without one.

    Raises:
        UsageError: Ray refuses it.
    """
    import requests

    try:
        yield
    except requests.RequestException:
        # Some are ValueErrors too, and come of the server's answer.
        raise
    except ValueError as error:
        raise _refused(path, error) from error


def _refused(path: str | None, error: Exception) -> UsageError:
    whose = f"--runtime-env {path}" if path is not None else "the runtime environment"
    return UsageError(
        f"{whose}: {' '.join(str(error).split())[:200]}",
        "see Ray's documentation of runtime_env",
    )
