"""The rows of files of nine columns, wherever sequences lie between them.

Formats: GFF3 1.26 of the Sequence Ontology, GTF 2.2, GFF2. Two files written end to end are read as one: sequences end
at the next row or `##gff-version`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import InputError
from pipelines.inputs.numbered_lines import MAX_ROW, coordinate, lines_of, require_row

COLUMNS = 9
# First letters of lines that are no row, or may be none.
_SPECIAL = frozenset({"", "#", ">", " ", "\t"})


class Rows:
    """The rows of a file, as line number and columns.

    Attributes:
        after_sequences: number of rows read so far that come after the first sequence.
        has_quoted: whether a row read so far has quotes around its column 9.
    """

    def __init__(self, path: Path) -> None:
        self.after_sequences = 0
        self.has_quoted = False
        self._path = path

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Yield every row.

        Raises:
            InputError: missing or damaged, a line that is neither row, comment nor sequence (with its number).
        """
        seen_sequences = 0
        for number, line in feature_lines(self._path):
            columns = line.split("\t")
            if len(columns) == COLUMNS:
                self.after_sequences += seen_sequences
                if columns[8].startswith('"') and (text := unquoted(columns[8])) != columns[8]:
                    self.has_quoted = True
                    columns[8] = text
                yield number, columns
            elif not line:
                seen_sequences = 1
            elif not line.startswith(("track ", "browser ")):
                raise InputError(
                    f"{self._path}: line {number}: {len(columns)} columns instead of 9",
                    "give tab-separated GFF3 or GTF",
                )


def feature_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of every line that is no comment and no sequence; an empty text where sequences begin.

    Sequences begin at `##FASTA` or at a header line (`>`). They end at `##gff-version` or at a line with tabs, which no
    sequence has.

    Raises:
        InputError: missing or damaged, a line without end, a row whose first column begins with `>`, a row among
            sequences that has no tabs.
    """
    in_sequences = False
    for number, line in lines_of(path, MAX_ROW):
        first = line[:1]
        if first not in _SPECIAL:
            if not in_sequences:
                if len(line) > MAX_ROW:
                    require_row(line, path, number)
                yield number, line
            elif "\t" in line.rstrip():
                require_row(line, path, number)
                in_sequences = False
                yield number, line
            elif " " in line.strip() and len(line[:MAX_ROW].split(None, COLUMNS)) >= COLUMNS:
                raise InputError(
                    f"{path}: line {number}: neither a sequence nor a row of 9 tab-separated columns",
                    "separate the columns by tabs",
                )
        elif first == "#":
            if line.startswith("##FASTA"):
                in_sequences = True
                yield number, ""
            elif line.startswith("##gff-version"):
                in_sequences = False
        elif first == ">":
            if _is_row(line):
                raise InputError(
                    f"{path}: line {number}: a row whose sequence name begins with '>'", "remove the '>' from the names"
                )
            if not in_sequences:
                in_sequences = True
                yield number, ""
        elif line and not line.isspace() and not in_sequences:
            # A row whose first column is empty or begins with a space.
            require_row(line, path, number)
            yield number, line


def unquoted(text: str) -> str:
    """Column 9 without the quotes that spreadsheets add: `"gene_id ""g1"";"` is `gene_id "g1";`."""
    text = text.strip()
    inner = text[1:-1]
    is_quoted = len(text) > 1 and text[0] == text[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if is_quoted else text


def _is_row(line: str) -> bool:
    columns = line.split("\t", COLUMNS)
    return len(columns) == COLUMNS and columns[3].isdecimal() and columns[4].isdecimal()


def location(columns: list[str], path: Path, number: int) -> tuple[int, int]:
    """Start and end of a row: columns 4 and 5, 1-based and closed, as 0-based half-open.

    Raises:
        InputError: not numbers, or not 1 <= start <= end.
    """
    first, last = coordinate(columns[3], path, number), coordinate(columns[4], path, number)
    if first > last or first < 1:
        raise InputError(
            f"{path}: line {number}: start {first} and end {last} are not 1 <= start <= end", "fix the line"
        )
    return first - 1, last
