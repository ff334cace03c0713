"""The records of a file of labelled sequences: CSV or TSV with columns, or FASTA with a file of labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import InputError
from pipelines.inputs import alphabet
from pipelines.inputs.delimited import Row, column_name, read_table
from pipelines.inputs.numbered_lines import lines_of
from pipelines.labels.labels_file import Label, label_of, require_single

SEQUENCE, LABEL, NAME = "sequence", "label", "name"
# What R and pandas write where a table has no sequence. Both are letters of the IUPAC code, of which a sequence of two
# or three is never made.
_MISSING = {"na", "nan"}


@dataclass(frozen=True)
class LabelledSequence:
    """One sequence.

    Attributes:
        name: its own, or the name that its file and line give.
        letters: as written, ASCII.
        label: 1 gene, 0 negative; or the name of a class.
    """

    name: str
    letters: bytes
    label: int | str


def table_records(path: Path, default_name: str, *, of_classes: bool = False) -> Iterator[LabelledSequence]:
    """The rows of a CSV or TSV file with the columns sequence, label and, if the file has it, name.

    Args:
        path: of the file.
        default_name: a row without a name is named `default_name:line`.
        of_classes: whether labels are names of classes; else they say gene or negative.

    Raises:
        InputError: without these columns, or a row that is damaged, has no label, or has the name of another; with the
            line.
    """
    table = read_table(path, {SEQUENCE, LABEL, NAME})
    names = [column_name(field) for field in table.header.fields]
    if missing := {SEQUENCE, LABEL} - set(names):
        raise InputError(
            f"{path}: line {table.header.number}: no column {min(missing)!r}",
            "give CSV or TSV with the columns sequence and label, or FASTA, which begins with >",
        )
    for column in (SEQUENCE, LABEL, NAME):
        require_single(names, column, path, table.header.number)
    position = {name: names.index(name) for name in (SEQUENCE, LABEL, NAME) if name in names}
    lines: dict[str, int] = {}
    for row in table.rows:
        _require_width(row, len(names), path)
        name = row.fields[position[NAME]].strip() if NAME in position else ""
        if name:
            _require_new(name, lines, path, row.number)
        sequence = row.fields[position[SEQUENCE]]
        yield LabelledSequence(
            name or f"{default_name}:{row.number}",
            b"" if sequence.strip().lower() in _MISSING else _letters(sequence, path, row.number),
            label_of(row.fields[position[LABEL]], path, row.number, of_classes=of_classes),
        )


def fasta_records(path: Path, labels: dict[str, Label], labels_path: Path) -> Iterator[LabelledSequence]:
    """The sequences of a FASTA file with their labels.

    Args:
        path: of the file.
        labels: name to label.
        labels_path: the file of labels, for errors.

    Raises:
        InputError: a sequence without a name or a label, or with the name of another; with the line.
    """
    name, start, parts = "", 0, list[bytes]()
    lines: dict[str, int] = {}
    # The empty header, which is not in the file, ends the last sequence.
    for number, line in itertools.chain(lines_of(path), [(0, ">")]):
        if not line.startswith(">"):
            parts.append(_letters(line, path, number))
            continue
        if name:
            _require_new(name, lines, path, start)
            if name not in labels:
                raise InputError(f"{labels_path}: no label of {name!r} in {path}", "add its line")
            yield LabelledSequence(name, b"".join(parts), labels[name].value)
        name, start, parts = (line[1:].split() or [""])[0], number, []
        if number and not name:
            raise InputError(f"{path}: line {number}: a sequence without a name", "name it")


def _require_new(name: str, lines: dict[str, int], path: Path, number: int) -> None:
    if (earlier := lines.setdefault(name, number)) != number:
        raise InputError(f"{path}: line {number}: {name[:60]!r} is also the name in line {earlier}", "rename one")


def _require_width(row: Row, columns: int, path: Path) -> None:
    # Spreadsheets add empty columns at the end of some rows.
    if len(row.fields) < columns or any(field.strip() for field in row.fields[columns:]):
        raise InputError(f"{path}: line {row.number}: {len(row.fields)} columns instead of {columns}", "fix the line")


def _letters(text: str, path: Path, number: int) -> bytes:
    text = text.strip()
    if "\n" in text:
        # A line break within a quoted field.
        text = "".join(text.split("\n"))
    if text and not (text.isascii() and text.isalpha()):
        raise InputError(f"{path}: line {number}: {text[:20]!r} is not a sequence", "use letters of the IUPAC code")
    letters = text.encode("ascii")
    if letter := alphabet.foreign_letter(letters):
        raise InputError(f"{path}: line {number}: {alphabet.describe(letter)}", alphabet.FIX)
    return letters
