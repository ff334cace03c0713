"""The token of a local Ray, without which nobody runs code in it.

Ray takes it from `RAY_AUTH_TOKEN`, the file of `RAY_AUTH_TOKEN_PATH` or `~/.ray/auth_token`. Where there is none, it
would write that file for everybody to read.
"""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

from pipelines import os_errors
from pipelines.errors import ResourceError

_PRIVATE = 0o600


def prepare(environment: MutableMapping[str, str], warn: Callable[[str], None]) -> None:
    """Have a token ready for a local Ray, in a file that only its user reads.

    Args:
        environment: of this process; gets `RAY_AUTH_TOKEN` where the file cannot be written.
        warn: called with a sentence if others can read the file, and that cannot be changed.

    Raises:
        ResourceError: the file of `RAY_AUTH_TOKEN_PATH` cannot be read or is empty.
    """
    if not _uses_default_file(environment):
        return
    path = default_path()
    try:
        if not has_token(path):
            _write(path)
        elif path.stat().st_mode & 0o077:
            path.chmod(_PRIVATE)
    except OSError as error:
        if has_token(path):
            warn(f"{path}: others can read Ray's token, and its mode cannot be changed ({os_errors.cause(error)})")
        else:
            environment["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def default_path() -> Path:
    """The file in which Ray looks for a token if no variable names one."""
    return Path("~/.ray/auth_token").expanduser()


def has_token(path: Path) -> bool:
    """Whether a file can be read and holds a token."""
    try:
        return bool(path.read_bytes().strip())
    except OSError:
        return False


def require_usable(environment: Mapping[str, str], path: Path) -> None:
    """Require that the token which this process would send to a cluster can be read, if there is one.

    Args:
        environment: of this process.
        path: the file in which Ray looks for a token if no variable names one.

    Raises:
        ResourceError: it cannot.
    """
    if not _uses_default_file(environment):
        return
    try:
        path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ResourceError(
            f"{path}: Ray's token cannot be read ({os_errors.cause(error)})",
            f"{os_errors.read_fix(error)}, or set RAY_AUTH_TOKEN_PATH",
        ) from error


def _uses_default_file(environment: Mapping[str, str]) -> bool:
    """Whether Ray takes the token from its own file, which no variable replaces.

    Raises:
        ResourceError: the file of `RAY_AUTH_TOKEN_PATH` cannot be read or is empty.
    """
    if environment.get("RAY_AUTH_MODE", "token").lower() != "token" or environment.get("RAY_AUTH_TOKEN"):
        return False
    if named := environment.get("RAY_AUTH_TOKEN_PATH"):
        require_token_in(named)
        return False
    return True


def readable_by_others(environment: Mapping[str, str]) -> str:
    """The mode of the file with Ray's token if others can read it, such as `0644`; else empty."""
    if environment.get("RAY_AUTH_TOKEN"):
        return ""
    path = Path(environment.get("RAY_AUTH_TOKEN_PATH") or default_path())
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return ""
    return f"{mode:04o}" if mode & 0o077 else ""


def require_token_in(path: str) -> None:
    """Require that the file which `RAY_AUTH_TOKEN_PATH` names holds a token.

    Raises:
        ResourceError: it cannot be read, or is empty.
    """
    fix = "name the file that holds the cluster's token, or unset RAY_AUTH_TOKEN_PATH"
    try:
        if not Path(path).expanduser().read_bytes().strip():
            raise ResourceError(f"RAY_AUTH_TOKEN_PATH {path}: the file is empty", fix)
    except OSError as error:
        raise ResourceError(f"RAY_AUTH_TOKEN_PATH {path}: cannot be read ({os_errors.cause(error)})", fix) from error


def _write(path: Path) -> None:
    """Write a new token, unless another process has just done so.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w") as stream:
            stream.write(secrets.token_hex(32))
        if path.exists():
            # Empty: Ray would not start with it.
            temporary.replace(path)
        else:
            with suppress(FileExistsError):
                path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
