"""What a command shows: progress, notes and one-line errors on standard error, results on standard output.

On a terminal progress is a live bar; in a log it is a line every few seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines.progress import Stage

LOG_INTERVAL_S = 5.0
LOG_WIDTH = 120
"""Width of a table where standard output is not a terminal."""
MAX_ROWS = 40
MIN_TEXT_WIDTH = 8


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
        self._log()

    def describe(self, text: str) -> None:
        self._detail = text

    def _log(self) -> None:
        if time.monotonic() - self._last < LOG_INTERVAL_S:
            return
        self._last = time.monotonic()
        done = f"{self._done:,.0f}" + (f" of {self._total:,.0f}" if self._total else "")
        line = f"{self._title}: {done} {self._detail}".rstrip()
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


class Terminal:
    """Shows progress on standard error and results on standard output.

    Args:
        width: characters in a line of the result (default: that of the terminal, or `LOG_WIDTH` in a file).
    """

    def __init__(self, width: int | None = None) -> None:
        self._errors = Console(stderr=True, emoji=False)
        self._output = Console(emoji=False, width=width or (None if sys.stdout.isatty() else LOG_WIDTH))

    @contextmanager
    def stage(self, title: str, total: float | None = None) -> Iterator[Stage]:
        """Show the progress of a stage, and at its end its duration if that is two seconds or more."""
        began = time.monotonic()
        if self._errors.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[detail]}"),
            )
            with Progress(*columns, console=self._errors, transient=True) as progress:
                yield _Bar(progress, progress.add_task(title, total=total, detail=""))
        else:
            yield _Log(self._errors, title, total)
        if (seconds := time.monotonic() - began) >= 2:
            self._errors.print(f"{title}: {seconds:.0f} s", style="dim", highlight=False)

    def note(self, text: str) -> None:
        """Show a fact worth knowing."""
        self._errors.print(escape(text), highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Show a fact worth acting on."""
        self._errors.print(f"[yellow]warning:[/] {escape(text)}", highlight=False, soft_wrap=True)

    def error(self, text: str) -> None:
        """Show an error as one line."""
        self._errors.print(f"[bold red]raygene: error:[/] {escape(text)}", highlight=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        """Begin a part of a longer result."""
        self._output.rule(f"[bold]{escape(text)}", align="left", style="dim")

    def say(self, text: str) -> None:
        """Print a line of the result."""
        self._output.print(escape(text), highlight=False, soft_wrap=True)

    def write(self, text: str) -> None:
        """Write text as it is, such as another process's log."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def table(self, caption: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table of the result; columns that hold only numbers are aligned to the right.

        In a narrow terminal text folds and headings wrap, but a number is never cut or folded: where not even the
        numbers fit, the table is wider than the terminal.
        """
        from pipelines.report import format_cell  # plots come with it, and --help need not wait for them

        table = Table(
            title=caption,
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        cells = [[format_cell(cell) for cell in row] for row in rows]
        min_widths = []
        for index, name in enumerate(header):
            column = [row[index] for row in cells]
            is_numeric = all(map(_is_number, column))
            min_widths.append(_min_width(name, column[:MAX_ROWS], is_numeric=is_numeric))
            table.add_column(
                escape(name),
                justify="right" if is_numeric else "left",
                min_width=min_widths[-1],
                # Without it rich takes away from this column first and, as it may not, exceeds the terminal.
                no_wrap=is_numeric and cell_len(name) <= min_widths[-1],
                overflow="fold",
            )
        for row in cells[:MAX_ROWS]:
            table.add_row(*map(escape, row))
        # Two characters between columns, and one at each edge.
        width = max(sum(min_widths) + 2 * len(min_widths), self._output.width)
        Console(width=width, emoji=False).print(table, crop=False)
        if len(rows) > MAX_ROWS:
            self.say(f"… and {len(rows) - MAX_ROWS:,} more rows")


def _min_width(name: str, column: Sequence[str], *, is_numeric: bool) -> int:
    """Characters that a column has at least: its longest number, or its longest word but at most `MIN_TEXT_WIDTH`."""
    if is_numeric:
        return max(map(cell_len, column), default=1)
    return min(MIN_TEXT_WIDTH, max(map(cell_len, " ".join([name, *column]).split()), default=1))


def _is_number(cell: str) -> bool:
    text = cell.replace(",", "").rstrip("%").strip()
    return text in {"", "–"} or text.replace(".", "", 1).lstrip("-").isdigit()
