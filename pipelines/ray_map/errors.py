"""How often a call whose worker dies is tried again, and what the driver raises in the end."""

from __future__ import annotations

from typing import Any

from pipelines import os_errors
from pipelines.errors import RaygeneError, ResourceError, one_line

MAX_RETRIES = 2


def explained(error: Any) -> Exception:
    """What to raise for a `RayTaskError`: the error of a user as it was raised, or one that explains the system's."""
    if isinstance(error.cause, RaygeneError):
        return error.cause
    if isinstance(error.cause, OSError):
        return os_errors.explained(error.cause, "a worker")
    return error


def lost_too_often(error: Exception) -> ResourceError:
    """The error for a call whose worker died `MAX_RETRIES + 1` times."""
    return ResourceError(
        f"a worker was lost {MAX_RETRIES + 1} times ({one_line(error, 200)})", "free memory, then run again"
    )
