"""The one family of errors that a user can cause; each is one line with the culprit and the fix.

Anything outside this family that reaches the terminal is a defect of raygene.
"""

from __future__ import annotations


class RaygeneError(Exception):
    """A problem that a user can fix.

    Args:
        problem: what is wrong, opening with the file, line or key it is about.
        fix: what to do about it, as an imperative.
        code: what kind of problem it is, for programs (default: that of the class); the text is for people and may change.
        key: the configuration key it is about, such as `training.device`, if it is about one.
    """

    exit_status = 1
    code = "error"

    def __init__(self, problem: str, fix: str = "", *, code: str | None = None, key: str | None = None) -> None:
        super().__init__(problem, fix)
        self.problem = problem
        self.fix = fix
        self.code = code or type(self).code
        self.key = key

    def __str__(self) -> str:
        text = f"{self.problem}: {self.fix}" if self.fix else self.problem
        return " ".join(text.split())


class UsageError(RaygeneError):
    """A configuration key, a flag or a value that raygene does not accept."""

    exit_status = 2
    code = "usage"


class InputError(RaygeneError):
    """A genome, annotation or interval file that is missing, damaged or does not fit the others."""

    code = "input"


class DatasetError(RaygeneError):
    """A token dataset that is missing, incomplete, or does not fit what is asked of it."""

    code = "dataset"


class BundleError(RaygeneError):
    """A model bundle that is missing, damaged, or does not fit the data it is given."""

    code = "bundle"


class DependencyError(RaygeneError):
    """A program or package that raygene needs and this machine lacks."""

    code = "dependency"


class ResourceError(RaygeneError):
    """Workers, GPUs, memory or disk that the machine or cluster does not have."""

    code = "resource"


class StorageError(ResourceError):
    """A place that cannot be written: a full disk, or no right to it."""

    code = "storage"


class BusyError(ResourceError):
    """A place that another process is writing."""

    code = "busy"


class TrainingError(RaygeneError):
    """A training run that cannot go on, such as a loss that is no longer a number."""

    code = "training"
