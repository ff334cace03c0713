"""The one family of errors that a user can cause; each is one line with the culprit and the remedy.

Anything outside this family that reaches the terminal is a defect of raygene.
"""

from __future__ import annotations


class RaygeneError(Exception):
    """A problem a user can mend.

    Args:
        problem: what is wrong, opening with the file, line or key it is about.
        remedy: what to do about it, as an imperative.
    """

    exit_status = 1

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.problem}: {self.remedy}" if self.remedy else self.problem
        return " ".join(text.split())


class UsageError(RaygeneError):
    """A configuration key, a flag or a value that raygene does not accept."""

    exit_status = 2


class InputError(RaygeneError):
    """A genome, annotation or interval file that is missing, damaged or does not fit the others."""


class DatasetError(RaygeneError):
    """A token dataset that is missing, incomplete, or does not fit what is asked of it."""


class BundleError(RaygeneError):
    """A model bundle that is missing, damaged, or does not fit the data it is given."""


class DependencyError(RaygeneError):
    """A program or package that raygene needs and this machine lacks."""


class ResourceError(RaygeneError):
    """Workers, GPUs, memory or disk that the machine or cluster does not have."""


class StorageError(ResourceError):
    """A place that cannot be written: a full disk, or no right to it."""


class BusyError(ResourceError):
    """A place that another process is writing."""


class TrainingError(RaygeneError):
    """A training run that cannot go on, such as a loss that is no longer a number."""
