"""Rows of BED files.

BED as the UCSC Genome Browser specifies it: 0-based half-open, tab-separated, 3 to 12 columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import InputError
from pipelines.genome.features import Feature
from pipelines.inputs.numbered_lines import MAX_ROW, coordinate, lines_of, require_row

_HEADERS = ("track", "browser")


def is_header(columns: list[str]) -> bool:
    """Whether a line is a track or browser line of UCSC, and not a row of a sequence with that name."""
    is_row = len(columns) == 9 or (len(columns) >= 3 and columns[1].isdigit())
    return not is_row and columns[0].split(" ")[0] in _HEADERS


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and columns of every row of a BED file; comments and header lines are skipped.

    Raises:
        InputError: missing or damaged, or a line without end.
    """
    for number, line in lines_of(path, MAX_ROW):
        if line.startswith("#"):
            continue
        require_row(line, path, number)
        columns = line.split("\t")
        if line.strip() and not is_header(columns):
            yield number, columns


def location(columns: list[str], path: Path, number: int) -> tuple[int, int]:
    """Start and end of a row, columns 2 and 3; the interval may be empty.

    Raises:
        InputError: fewer than 3 columns, not numbers, or a start beyond the end.
    """
    if len(columns) < 3:
        raise InputError(
            f"{path}: line {number}: {len(columns)} columns instead of 3 or more", "give tab-separated BED"
        )
    start, end = coordinate(columns[1], path, number), coordinate(columns[2], path, number)
    if start > end:
        raise InputError(
            f"{path}: line {number}: start {start} and end {end} are not 0 <= start <= end", "fix the line"
        )
    return start, end


def feature(columns: list[str], path: Path, number: int) -> Feature:
    """A row as an interval, with strand `.` if the row has none.

    Raises:
        InputError: not BED (with the line number).
    """
    start, end = location(columns, path, number)
    name = columns[3] if len(columns) > 3 and columns[3] else f"{columns[0]}:{start}-{end}"
    strand = columns[5] if len(columns) > 5 and columns[5] else "."
    if strand not in {"+", "-", "."}:
        raise InputError(f"{path}: line {number}: strand {strand!r}", "use +, - or .")
    return Feature(columns[0], start, end, strand, name, None)
