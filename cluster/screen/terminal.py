"""What a command shows: progress, notes and one-line errors on standard error, results on standard output.

On a terminal progress is a live bar; in a log it is a line every few seconds. Every text passes `display.shown`: what
comes from files, addresses and other programs cannot command the terminal, and no credential is shown.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Any, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cluster.process import signals
from cluster.screen import progress_text
from cluster.screen.progress_text import duration
from pipelines import display
from pipelines.display import log_of_another_program
from pipelines.progress import Silent, Stage
from pipelines.stores.copy_names import with_addresses

LOG_INTERVAL_S = 5.0
LOG_WIDTH = 120
"""Width of a table where standard output is not a terminal."""
MAX_ROWS = 40
MIN_TEXT_WIDTH = 8
NO_NOTES, NO_WARNINGS = 2, 3
"""Levels from which on notes and progress are left out, and warnings too."""
MAX_PENDING = 1 << 16
"""Characters of an unfinished line of a log that are kept back."""


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def shown(text: str) -> str:
    """A text as people may see it: see `display.shown`; what has a copy on this node is named by its address."""
    return display.shown(with_addresses(text))


class _Bar:
    """A stage as a live bar."""

    def __init__(self, progress: Progress, task: TaskID, speed: progress_text.Speed) -> None:
        self._progress, self._task, self._speed = progress, task, speed

    def advance(self, amount: float = 1) -> None:
        self._speed.advance(amount, time.monotonic())
        self._progress.advance(self._task, amount)

    def describe(self, text: str) -> None:
        self._progress.update(self._task, detail=shown(text))


class _Position(ProgressColumn):
    """What is done of what, how fast, and the time left."""

    def render(self, task: Task) -> Text:
        speed: progress_text.Speed = task.fields["speed"]
        parts = [duration(task.elapsed or 0.0)]
        if task.total or task.completed:
            parts = [progress_text.position(task.completed, task.total, speed.unit), *parts]
        return Text(", ".join([*parts, *speed.text(time.monotonic())]))


class _Log:
    """A stage as lines in a log, at most one every few seconds."""

    def __init__(self, console: Console, title: str, speed: progress_text.Speed) -> None:
        self._console, self._title, self._speed = console, title, speed
        self._detail, self._last = "", time.monotonic()

    def advance(self, amount: float = 1) -> None:
        self._speed.advance(amount, time.monotonic())
        self._log()

    def describe(self, text: str) -> None:
        self._detail = shown(text)

    def _log(self) -> None:
        if time.monotonic() - self._last < LOG_INTERVAL_S:
            return
        self._last = time.monotonic()
        parts = [progress_text.position(self._speed.done, self._speed.total, self._speed.unit)]
        parts += self._speed.text(self._last)
        line = f"{self._title}: {'; '.join(filter(None, [', '.join(parts), self._detail]))}"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


class _ErrorConsole(Console):
    """Standard error, also after a signal, when `sys.stderr` may lead nowhere."""

    @property
    def file(self) -> IO[str]:
        return signals.own_stderr() or Console.file.fget(self)  # type: ignore[attr-defined]

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file


class Terminal:
    """Shows progress on standard error and results on standard output.

    Args:
        width: characters in a line of the result (default: that of the terminal, or `LOG_WIDTH` in a file).
    """

    def __init__(self, width: int | None = None) -> None:
        self._errors = _ErrorConsole(stderr=True, emoji=False, color_system=_colours())
        width = width or (None if sys.stdout.isatty() else LOG_WIDTH)
        self._output = Console(emoji=False, color_system=_colours(), width=width)
        self._pending = ""
        self.level = 1
        """Of `flags.LOG_LEVELS`."""

    @contextmanager
    def stage(self, title: str, total: float | None = None, *, unit: str = "") -> Iterator[Stage]:
        """Show the progress of a stage, and at its end its duration if that is two seconds or more."""
        if self.level >= NO_NOTES:
            with Silent().stage(title) as silent:
                yield silent
            return
        began = time.monotonic()
        title, speed = shown(title), progress_text.Speed(total, unit)
        if self._errors.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                _Position(),
                TextColumn("{task.fields[detail]}", markup=False),
            )
            with Progress(*columns, console=self._errors, transient=True) as progress:
                yield _Bar(progress, progress.add_task(title, total=total, detail="", speed=speed), speed)
        else:
            yield _Log(self._errors, title, speed)
        if (seconds := time.monotonic() - began) >= 2:
            self._errors.print(Text(f"{title}: {seconds:.0f} s", "dim"), soft_wrap=True)

    def note(self, text: str) -> None:
        """Show a fact worth knowing."""
        if self.level < NO_NOTES:
            self._print(self._errors, text)

    def warn(self, text: str) -> None:
        """Show a fact worth acting on."""
        if self.level < NO_WARNINGS:
            self._print(self._errors, text, ("warning:", "yellow"))

    def error(self, text: str) -> None:
        """Show an error as one line."""
        self._print(self._errors, text, ("raygene: error:", "bold red"))

    def interrupted(self, text: str) -> None:
        """Show that a signal ended the command."""
        self._print(self._errors, text, ("raygene:", "bold"))

    def heading(self, text: str) -> None:
        """Begin a part of a longer result."""
        self.flush()
        self._output.rule(Text(shown(text), "bold"), align="left", style="dim")

    def say(self, text: str) -> None:
        """Print a line of the result."""
        self._print(self._output, text)

    def write(self, text: str) -> None:
        """Write a piece of another process's log; an unfinished line waits for its end, for it may break a secret."""
        text = self._pending + text
        lines = text.removesuffix("\r")
        end = max(lines.rfind("\n") + 1, lines.rfind("\r") + 1, len(text) - MAX_PENDING)
        self._pending = text[end:]
        self._write(text[:end])

    def flush(self) -> None:
        """Write what `write` has kept back."""
        text, self._pending = self._pending, ""
        self._write(text)

    def _write(self, text: str) -> None:
        if text:
            clean = log_of_another_program(text)
            sys.stdout.write(clean if _colours() else _COLOUR.sub("", clean))
            sys.stdout.flush()

    def _print(self, console: Console, text: str, *before: tuple[str, str]) -> None:
        self.flush()
        if console is self._errors:
            signals.mark_answered()
        words = [part for word in before for part in (word, " ")]
        console.print(Text.assemble(*words, shown(text)), highlight=False, soft_wrap=True)

    def table(self, caption: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table of the result; columns that hold only numbers are aligned to the right.

        In a narrow terminal text folds and headings wrap, but a number is never cut or folded: where not even the
        numbers fit, the table is wider than the terminal.
        """
        from pipelines.report import format_cell  # plots come with it, and --help need not wait for them

        self.flush()
        header = [shown(name) for name in header]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        cells = [[format_cell(cell) for cell in row] for row in rows]
        shown_cells = [[shown(cell) for cell in row] for row in cells[:MAX_ROWS]]
        min_widths = []
        for index, name in enumerate(header):
            column = [row[index] for row in cells]
            is_numeric = all(map(_is_number, column))
            min_widths.append(_min_width(name, column[:MAX_ROWS], is_numeric=is_numeric))
            table.add_column(
                Text(name),
                justify="right" if is_numeric else "left",
                min_width=min_widths[-1],
                # Without it rich takes away from this column first and, as it may not, exceeds the terminal.
                no_wrap=is_numeric and cell_len(name) <= min_widths[-1],
                overflow="fold",
            )
        for row in shown_cells:
            table.add_row(*map(Text, row))
        # As a title of rich's it would be folded to the width of the table.
        title = Text(shown(caption), "bold")
        # Two characters between columns, and one at each edge.
        width = max(sum(min_widths) + 2 * len(min_widths), self._output.width)
        if self._output.is_terminal:
            Console(width=width, emoji=False, color_system=_colours()).print(title, table, sep="\n", crop=False)
        else:
            # A file is no place for the blanks that fill a line of a terminal.
            text = io.StringIO()
            Console(file=text, width=width, emoji=False).print(title, table, sep="\n", crop=False)
            sys.stdout.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))
        if len(rows) > MAX_ROWS:
            self.say(f"… and {len(rows) - MAX_ROWS:,} more rows")


def _colours() -> Literal["auto"] | None:
    """None where the user wants no colours, nor other marks of the terminal: NO_COLOR (https://no-color.org)."""
    return None if os.environ.get("NO_COLOR") else "auto"


def _min_width(name: str, column: Sequence[str], *, is_numeric: bool) -> int:
    """Characters that a column has at least: its longest number, or its longest word but at most `MIN_TEXT_WIDTH`."""
    if is_numeric:
        return max(map(cell_len, column), default=1)
    return min(MIN_TEXT_WIDTH, max(map(cell_len, " ".join([name, *column]).split()), default=1))


def _is_number(cell: str) -> bool:
    text = cell.replace(",", "").rstrip("%").strip()
    return text in {"", "–"} or text.replace(".", "", 1).lstrip("-").isdigit()


def clean_messages_of_libraries() -> None:
    """Have tracebacks, warnings and log messages of all libraries in this process pass `display` as well.

    A driver's exception quotes the whole address, and so does the traceback that `--debug` shows.
    """
    sys.excepthook = _show_traceback
    sys.unraisablehook = lambda event: _show_traceback(event.exc_type, event.exc_value, event.exc_traceback)
    threading.excepthook = lambda event: _show_traceback(event.exc_type, event.exc_value, event.exc_traceback)
    logging.setLogRecordFactory(_clean_record)
    warnings.formatwarning = _format_warning


def _show_traceback(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, /) -> None:
    sys.stderr.write(log_of_another_program("".join(traceback.format_exception(kind, error, trace))))


def _clean_record(*arguments: Any, **keywords: Any) -> logging.LogRecord:
    record = logging.LogRecord(*arguments, **keywords)
    try:
        record.msg, record.args = log_of_another_program(record.getMessage()), None
    except (TypeError, ValueError, KeyError):
        # The message does not fit its arguments; logging itself reports it.
        return record
    if record.exc_info and record.exc_info[0]:
        record.exc_text = log_of_another_program("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
    return record


def _format_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return log_of_another_program(f"{filename}:{lineno}: {category.__name__}: {message}\n")
