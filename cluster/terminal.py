"""What the terminal shows: progress of long work, notes, tables and one-line errors.

Progress goes to standard error; on a terminal it is a live bar, in a log a line every few seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines.progress import Stage

LOG_EVERY_S = 5.0
MOST_ROWS = 40


class _Bar:
    """A stage as a live bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, amount: float = 1) -> None:
        self._progress.advance(self._task, amount)

    def describe(self, text: str) -> None:
        self._progress.update(self._task, detail=text)


class _Log:
    """A stage as lines in a log, at most one every few seconds."""

    def __init__(self, console: Console, title: str, total: float | None) -> None:
        self._console, self._title, self._total = console, title, total
        self._done, self._detail, self._last = 0.0, "", time.monotonic()

    def advance(self, amount: float = 1) -> None:
        self._done += amount
        self._tell()

    def describe(self, text: str) -> None:
        self._detail = text

    def _tell(self) -> None:
        if time.monotonic() - self._last < LOG_EVERY_S:
            return
        self._last = time.monotonic()
        done = f"{self._done:,.0f}" + (f" of {self._total:,.0f}" if self._total else "")
        self._console.print(
            f"{self._title}: {done} {self._detail}".rstrip(), highlight=False, markup=False, soft_wrap=True
        )


class Terminal:
    """Progress on a terminal or in a log; also prints tables to standard output."""

    def __init__(self) -> None:
        self._errors = Console(stderr=True)
        self._output = Console(width=None if sys.stdout.isatty() else 120)

    @contextmanager
    def stage(self, title: str, total: float | None = None) -> Iterator[Stage]:
        """Show a stage while it lasts, and how long it took if that was over two seconds."""
        began = time.monotonic()
        if self._errors.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
            more = (TimeElapsedColumn(), TextColumn("{task.fields[detail]}"))
            with Progress(*columns, *more, console=self._errors, transient=True) as progress:
                yield _Bar(progress, progress.add_task(title, total=total, detail=""))
        else:
            yield _Log(self._errors, title, total)
        if (seconds := time.monotonic() - began) >= 2:
            self._errors.print(f"{title}: {seconds:.0f} s", style="dim", highlight=False)

    def note(self, text: str) -> None:
        """Tell a fact worth knowing."""
        self._errors.print(escape(text), highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Tell a fact worth acting on."""
        self._errors.print(f"[yellow]warning:[/] {escape(text)}", highlight=False, soft_wrap=True)

    def error(self, text: str) -> None:
        """Print an error as one line."""
        self._errors.print(f"[bold red]raygene: error:[/] {escape(text)}", highlight=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        """Begin a part of a longer result."""
        self._output.rule(f"[bold]{escape(text)}", align="left", style="dim")

    def say(self, text: str) -> None:
        """Print a line of the result."""
        self._output.print(escape(text), highlight=False, soft_wrap=True)

    def table(self, caption: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table of the result; columns that hold numbers only are aligned to the right."""
        table = Table(title=caption, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for column, name in enumerate(header):
            numeric = all(_is_number(row[column]) for row in rows)
            table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
        for row in rows[:MOST_ROWS]:
            table.add_row(*(escape(_shown(cell)) for cell in row))
        self._output.print(table)
        if len(rows) > MOST_ROWS:
            self.say(f"… and {len(rows) - MOST_ROWS:,} more rows")


def _is_number(cell: object) -> bool:
    text = _shown(cell).replace(",", "").rstrip("%").strip()
    return text in {"", "–"} or text.replace(".", "", 1).lstrip("-").isdigit()


def _shown(cell: object) -> str:
    if isinstance(cell, bool) or cell is None:
        return "" if cell is None else str(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return str(cell)
