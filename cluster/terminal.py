"""What the terminal shows: progress of long work, notes, tables and one-line errors.

Progress goes to standard error; on a terminal it is a live bar, in a log a line every few seconds.
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

LOG_EVERY_S = 5.0
MOST_ROWS = 40
GAP = 2
LEAST_TEXT = 8


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
    """Progress on a terminal or in a log; also prints tables to standard output.

    Args:
        width: letters in a line of the result; that of the terminal, or 120 in a file, if absent.
    """

    def __init__(self, width: int | None = None) -> None:
        self._errors = Console(stderr=True, emoji=False)
        self._output = Console(emoji=False, width=width or (None if sys.stdout.isatty() else 120))

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

    def pass_on(self, text: str) -> None:
        """Write text that is laid out already, such as another process's log, as it is."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def table(self, caption: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table of the result; columns that hold numbers only are aligned to the right.

        Where the terminal is narrow, text folds and headings wrap. A number is never cut nor folded: where not even
        the numbers fit, the table is wider than the terminal.
        """
        from pipelines.report import format_cell  # plots come with it, and --help need not wait for them

        table = Table(
            title=caption,
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, GAP - 1, 0, 0),
        )
        cells = [[format_cell(cell) for cell in row] for row in rows]
        numeric = [all(_is_number(row[column]) for row in cells) for column in range(len(header))]
        fitted = widths(header, cells[:MOST_ROWS], numeric, self._output.width)
        for name, right, width in zip(header, numeric, fitted, strict=True):
            table.add_column(escape(name), justify="right" if right else "left", width=width, overflow="fold")
        for row in cells[:MOST_ROWS]:
            table.add_row(*map(escape, row))
        Console(width=max(_whole(fitted), self._output.width), emoji=False).print(table)
        if len(rows) > MOST_ROWS:
            self.say(f"… and {len(rows) - MOST_ROWS:,} more rows")


def widths(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool], room: int) -> list[int]:
    """The width of each column of a table, in letters.

    Until the table fits, text folds between words (first column first), then headings of numbers wrap between
    words, and at last both inside words. Numbers keep their full width, fit or not.

    Args:
        header: names of the columns.
        rows: the cells.
        numeric: whether a column holds numbers only.
        room: of the whole table, gaps included.
    """
    columns = list(zip(*rows, strict=True)) or [() for _ in header]
    named = [(name, *column) for name, column in zip(header, columns, strict=True)]
    longest_word = [max(map(cell_len, " ".join(column).split()), default=1) for column in named]
    least = [
        max(map(cell_len, column), default=1) if right else min(LEAST_TEXT, word)
        for column, right, word in zip(columns, numeric, longest_word, strict=True)
    ]
    found = [max(map(cell_len, column)) for column in named]
    excess = _whole(found) - room
    for column in sorted(range(len(found)), key=numeric.__getitem__):
        taken = max(min(excess, found[column] - max(longest_word[column], least[column])), 0)
        found[column] -= taken
        excess -= taken
    while excess > 0 and found != least:
        widest = max(range(len(found)), key=lambda column: (found[column] > least[column], found[column]))
        found[widest] -= 1
        excess -= 1
    return found


def _whole(columns: Sequence[int]) -> int:
    """The width of a table: a space at both edges, and the gaps."""
    return sum(columns) + GAP * (len(columns) - 1) + 2


def _is_number(cell: str) -> bool:
    text = cell.replace(",", "").rstrip("%").strip()
    return text in {"", "–"} or text.replace(".", "", 1).lstrip("-").isdigit()
