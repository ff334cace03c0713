"""The one family of errors that a user can cause; each is one line that names the cause and the fix.

Anything outside this family that reaches the terminal is a defect of raygene.
"""

from __future__ import annotations

from pipelines.address import masked


class RaygeneError(Exception):
    """A problem that a user can fix.

    The text is for people and may change; programs read the class, `code` and `key`. Credentials in it are masked.

    Args:
        problem: what is wrong, beginning with the file, line or key concerned.
        fix: what to do about it, in the imperative.
        code: the kind of problem, for programs (default: the class's).
        key: the configuration key concerned, such as `training.device`; None if the problem is not about one.
    """

    exit_status = 1
    code = "error"

    def __init__(self, problem: str, fix: str = "", *, code: str | None = None, key: str | None = None) -> None:
        # Most texts quote a path or an address, or what a driver said about one.
        self.problem, self.fix = masked(problem), masked(fix)
        super().__init__(self.problem, self.fix)
        self.code = code or type(self).code
        self.key = key

    def __str__(self) -> str:
        text = f"{self.problem}: {self.fix}" if self.fix else self.problem
        return " ".join(text.split())


def one_line(error: object, limit: int) -> str:
    """An error's message, or a text, as one line of at most `limit` letters, without credentials.

    They are masked first: half of a secret would not be found.
    """
    return " ".join(masked(str(error)).split())[:limit]


class UsageError(RaygeneError):
    """A configuration key, a flag or a value that raygene does not accept."""

    exit_status = 2
    code = "usage"


class InputError(RaygeneError):
    """A genome, annotation or interval file that is missing, damaged or does not fit the others."""

    code = "input"


class DatasetError(RaygeneError):
    """A token dataset that is missing, incomplete, or unfit for the request."""

    code = "dataset"


class BundleError(RaygeneError):
    """A model bundle that is missing, damaged, or does not match the data."""

    code = "bundle"


class DependencyError(RaygeneError):
    """A program or package that raygene needs and that is not installed on this machine."""

    code = "dependency"


class ResourceError(RaygeneError):
    """Workers, GPUs, memory or disk that the machine or cluster does not have."""

    code = "resource"


class StorageError(ResourceError):
    """A file or directory that cannot be written: a full disk, missing permissions, no file locks."""

    code = "storage"


class BusyError(ResourceError):
    """A directory that another process is writing."""

    code = "busy"


class TrainingError(RaygeneError):
    """A training run that cannot continue, for example because the loss is no longer a number."""

    code = "training"
