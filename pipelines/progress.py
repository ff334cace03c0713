"""What long-running work reports: stages with a count, notes and warnings.

The packages know only these protocols; `cluster.screen.terminal` displays them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Stage(Protocol):
    """One stage of long-running work, in progress."""

    def advance(self, amount: float = 1) -> None:
        """Count `amount` more as done."""

    def describe(self, text: str) -> None:
        """Describe the current step in a few words."""


class Progress(Protocol):
    """Receives stages, notes and warnings."""

    def stage(self, title: str, total: float | None = None, *, unit: str = "") -> AbstractContextManager[Stage]:
        """Open a stage.

        Args:
            title: what is done.
            total: how much of it; None: unknown.
            unit: what is counted, such as `bases`.
        """

    def note(self, text: str) -> None:
        """Report a fact worth knowing."""

    def warn(self, text: str) -> None:
        """Report a fact worth acting on."""


class _SilentStage:
    def advance(self, amount: float = 1) -> None: ...

    def describe(self, text: str) -> None: ...


class Recorded:
    """Progress that is displayed later, or elsewhere: notes and warnings in their order."""

    def __init__(self) -> None:
        self._said: list[tuple[bool, str]] = []

    @contextmanager
    def stage(self, title: str, total: float | None = None, *, unit: str = "") -> Iterator[Stage]:
        yield _SilentStage()

    def note(self, text: str) -> None:
        self._said.append((False, text))

    def warn(self, text: str) -> None:
        self._said.append((True, text))

    def replay(self, progress: Progress) -> None:
        """Report all of it."""
        for is_warning, text in self._said:
            (progress.warn if is_warning else progress.note)(text)


class Silent:
    """Progress that displays nothing, for library use and tests; notes and warnings are collected in lists."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    @contextmanager
    def stage(self, title: str, total: float | None = None, *, unit: str = "") -> Iterator[Stage]:
        yield _SilentStage()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
