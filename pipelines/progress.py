"""What long work tells whoever waits for it: stages with a count, notes and warnings.

The packages only know this protocol; the terminal that shows it lives in `cluster`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Stage(Protocol):
    """One piece of long work under way."""

    def advance(self, amount: float = 1) -> None:
        """Count `amount` more as done."""

    def describe(self, text: str) -> None:
        """Say in a few words where the work is."""


class Progress(Protocol):
    """Where stages, notes and warnings go."""

    def stage(self, title: str, total: float | None = None) -> AbstractContextManager[Stage]:
        """Open a stage of `total` units (unknown when None)."""

    def note(self, text: str) -> None:
        """Tell a fact worth knowing."""

    def warn(self, text: str) -> None:
        """Tell a fact worth acting on."""


class _SilentStage:
    def advance(self, amount: float = 1) -> None: ...

    def describe(self, text: str) -> None: ...


class Silent:
    """Progress that goes nowhere: for library use and tests. Notes and warnings are kept in lists."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    @contextmanager
    def stage(self, title: str, total: float | None = None) -> Iterator[Stage]:
        yield _SilentStage()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
