"""Rows of CSV and TSV text as spreadsheets write it: quoted fields, line breaks in them, semicolons, `sep=`.

Fields are as RFC 4180 has them. A row without quotes is cut by the delimiter alone, so that a field may have the length
of a chromosome: Python's csv module refuses fields above 131,072 letters and takes four bytes for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import InputError
from pipelines.inputs.numbered_lines import lines_of

DELIMITERS = ("\t", ",", ";")
MAX_LINE = 1 << 30
"""Letters of the longest line that is read; reading one takes about five times as many bytes."""
_EXCEL_DELIMITER = "sep="
_BETWEEN_BLANKS = re.compile(r'"([^"]*)"|(\S+)')


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        number: of its first line, from 1.
        fields: its columns, without quotes.
    """

    number: int
    fields: list[str]

    @property
    def is_blank(self) -> bool:
        """Whether no column holds anything."""
        return not any(field.strip() for field in self.fields)


@dataclass(frozen=True)
class Table:
    """A header and the rows below it.

    Attributes:
        header: the first row that is not blank; its first column may begin with `#`.
        delimiter: between columns; None for blanks.
        rows: those below, without blank ones.
    """

    header: Row
    delimiter: str | None
    rows: Iterator[Row]


def read_table(path: Path, columns: Iterable[str], *, loose: bool = False) -> Table:
    """Open a table whose delimiter is a tab, comma or semicolon, whichever its header shows.

    Args:
        path: plain or compressed.
        columns: lower-case names of columns; a delimiter that leaves more of them in the header goes first.
        loose: whether blanks may separate columns, and lines above the header that begin with # are comments. One
            that names two of the columns is the header.

    Raises:
        InputError: the file cannot be read, is empty, or has a line of more than `MAX_LINE` letters or a quote
            without end; also while the rows are read.
    """
    lines, known = _bounded_lines(path), set(columns)
    number, line = _next_line(lines)
    choices: tuple[str, ...] = DELIMITERS
    if line.lower().startswith(_EXCEL_DELIMITER) and line.strip()[len(_EXCEL_DELIMITER) :] in {*DELIMITERS, ""}:
        choices = (line[len(_EXCEL_DELIMITER) :][:1] or "\t",)
        number, line = _next_line(lines)
    while loose and line.startswith("#") and max(_header_score(line, choice, known) for choice in choices) < (2, 0):
        number, line = _next_line(lines)
    if not line:
        raise InputError(f"{path}: is empty", "give a file with a header and rows")
    if loose and not any(delimiter in line for delimiter in choices):
        return Table(Row(number, _split_at_blanks(line)), None, _rows(lines, None, path))
    delimiter = max(choices, key=lambda choice: _header_score(line, choice, known))
    header = _row(number, line, lines, delimiter, path)
    return Table(header, delimiter, _rows(lines, delimiter, path))


def _next_line(lines: Iterator[tuple[int, str]]) -> tuple[int, str]:
    """The next line that is not blank; an empty one at the end."""
    return next(((number, line) for number, line in lines if line.strip()), (0, ""))


def column_name(field: str) -> str:
    """A column of a header as it is compared: lower case, without blanks and a leading `#`."""
    return field.strip().lower().removeprefix("#").strip()


def _header_score(line: str, delimiter: str, known: set[str]) -> tuple[int, int]:
    try:
        fields = _split(line, delimiter) or []
    except ValueError:
        fields = []
    # The first delimiter wins where two score the same, so that a tab goes before a comma.
    return sum(column_name(field) in known for field in fields), int(len(fields) > 1)


def _bounded_lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in lines_of(path, MAX_LINE):
        if len(line) > MAX_LINE:
            raise InputError(
                f"{path}: line {number}: longer than {MAX_LINE:,} letters",
                "give one sequence a line; a genome belongs in a FASTA file",
            )
        yield number, line


def _rows(lines: Iterator[tuple[int, str]], delimiter: str | None, path: Path) -> Iterator[Row]:
    for number, line in lines:
        row = Row(number, _split_at_blanks(line)) if delimiter is None else _row(number, line, lines, delimiter, path)
        if not row.is_blank:
            yield row


def _row(number: int, line: str, following: Iterator[tuple[int, str]], delimiter: str, path: Path) -> Row:
    """The row that begins in a line; a quoted field may go on in the lines that follow."""
    fields = _fields(line, delimiter, path, number)
    parts, letters = [line], len(line)
    while fields is None:
        _, continued = next(following, (0, None))
        letters += len(continued or "")
        if continued is None or letters > MAX_LINE:
            raise InputError(
                f"{path}: line {number}: not a row of CSV (a quote that begins here does not end)", "fix the line"
            )
        parts.append(continued)
        # A doubled quote stands for one within a field, so that only an odd number of them can end it.
        if continued.count('"') % 2:
            fields = _fields("\n".join(parts), delimiter, path, number)
    return Row(number, fields)


def _fields(text: str, delimiter: str, path: Path, number: int) -> list[str] | None:
    try:
        return _split(text, delimiter)
    except ValueError as error:
        raise InputError(f"{path}: line {number}: not a row of CSV ({error})", "fix the line") from error


def _split(text: str, delimiter: str) -> list[str] | None:
    """The fields of a row; None if a quoted field does not end in the text.

    Raises:
        ValueError: letters after the closing quote of a field.
    """
    if '"' not in text:
        return text.split(delimiter)
    fields: list[str] = []
    position = 0
    while True:
        if text.startswith('"', position):
            end = _closing_quote(text, position + 1)
            if end < 0:
                return None
            fields.append(text[position + 1 : end].replace('""', '"'))
            position = end + 1
            if position < len(text) and not text.startswith(delimiter, position):
                raise ValueError(f"{text[position : position + 10]!r} after a closing quote")
        else:
            end = text.find(delimiter, position)
            end = len(text) if end < 0 else end
            fields.append(text[position:end])
            position = end
        if position >= len(text):
            return fields
        position += len(delimiter)


def _split_at_blanks(line: str) -> list[str]:
    """The fields of a row with blanks between them, of which R writes some in quotes."""
    if '"' not in line:
        return line.split()
    return [quoted or plain for quoted, plain in _BETWEEN_BLANKS.findall(line)]


def _closing_quote(text: str, position: int) -> int:
    """The position of the quote that ends a field; -1 if there is none."""
    while True:
        position = text.find('"', position)
        if position < 0 or not text.startswith('"', position + 1):
            return position
        position += 2
