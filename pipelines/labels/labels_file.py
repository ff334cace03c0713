"""Files of labels: a name and a label in each row, in columns that the header names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import InputError
from pipelines.inputs.delimited import Row, column_name, read_table
from pipelines.labels.class_name import MAX_LETTERS, MISSING, class_name

NAME_COLUMNS = ("name", "id", "seq_id", "sequence_id", "seqid", "sequence_name", "accession", "sequence", "seq")
LABEL_COLUMNS = ("label", "labels", "target", "class", "y")
INVALID_LABEL = "invalid-label"
"""The code of the error that a field is neither 0 nor 1, nor the name of a class."""
_LABELS = {"gene": 1, "true": 1, "negative": 0, "false": 0}
# As whole numbers, or as the fractions that pandas, NumPy, R and spreadsheets make of them: 1.0, 0.000e+00, 1,0.
_ZERO_OR_ONE = re.compile(r"([01])(\.0*|,0+)?(e[+-]?0+)?")
# What a header does not say of its second column, so that it is a label, if a wrong one.
_NUMBER = re.compile(r"[+-]?[0-9]*[.,]?[0-9]+(e[+-]?[0-9]+)?")
_WRONG_LABELS = {*MISSING, "positive", "pos", "neg", "yes", "no", "t", "f"}


@dataclass(frozen=True)
class Label:
    """The label of one name.

    Attributes:
        value: 1 gene, 0 negative; or the name of a class.
        line: of the file, from 1.
    """

    value: int | str
    line: int


def read_labels(path: Path, *, of_classes: bool = False) -> dict[str, Label]:
    """Name to label.

    A header that names a column of names and one of labels (`NAME_COLUMNS` and `LABEL_COLUMNS`, in this order, in
    either case) decides where they are. Two columns without such names are name and label; their first row may be a
    header. Lines that begin with # are comments, a header apart.

    Args:
        path: of the file.
        of_classes: whether labels are names of classes; else they say gene or negative.

    Raises:
        InputError: unreadable, more columns than two without names for them, more than the header has, two columns of
            one name, a name without a label, a label that is none, or a name that occurs twice; with the line.
    """
    table = read_table(path, {*NAME_COLUMNS, *LABEL_COLUMNS}, loose=True)
    rows = [table.header, *table.rows]
    positions: tuple[int, int] | None = None
    header: Row | None = None
    labels: dict[str, Label] = {}
    for index, row in enumerate(rows):
        if positions is None and (named := _named_columns(row, path)):
            positions, header = named, row
            continue
        if row.fields[0].startswith("#"):
            continue
        if len(row.fields) < 2:
            raise InputError(f"{path}: line {row.number}: one column instead of two", "give name and label")
        if positions is None:
            positions = _positions_without_names(row, path, of_classes=of_classes)
            if index == _first_row(rows) and _is_header(row, of_classes=of_classes):
                header = row
                continue
        if header is not None:
            _require_width(row, header, path)
        _add(labels, row, positions, path, of_classes=of_classes)
    return labels


def is_label(text: str) -> bool:
    """Whether a field is a label."""
    return _value(text) is not None


def label_of(text: str, path: Path, number: int, *, of_classes: bool = False) -> int | str:
    """A field as 1 (gene) or 0 (negative), or as the name of a class.

    Raises:
        InputError: none of these; its `code` is `INVALID_LABEL`.
    """
    label = class_name(text) if of_classes else _value(text)
    if label is None:
        shown = repr(text.strip()[:20]) if text.strip() else "empty"
        if not of_classes:
            fix = (
                "use 1 (gene) or 0 (negative); for classes with names write task: classify, as "
                "examples/parts/experiment.yaml does"
            )
        elif text.strip().lower() in MISSING:
            fix = "it stands for a missing label, as NA, NaN, None and null do: call the class otherwise, such as other"
        else:
            fix = f"name its class, in at most {MAX_LETTERS} printable letters"
        raise InputError(f"{path}: line {number}: label {shown}", fix, code=INVALID_LABEL)
    return label


def _value(text: str) -> int | None:
    text = text.strip().lower()
    number = _ZERO_OR_ONE.fullmatch(text)
    return int(number[1]) if number else _LABELS.get(text)


def require_single(names: list[str], column: str, path: Path, number: int) -> None:
    """Refuse a header that has a column twice.

    Raises:
        InputError: it has.
    """
    if names.count(column) > 1:
        raise InputError(f"{path}: line {number}: two columns {column!r}", "rename one")


def _first_row(rows: list[Row]) -> int:
    return next((index for index, row in enumerate(rows) if not row.fields[0].startswith("#")), 0)


def _is_header(row: Row, *, of_classes: bool) -> bool:
    """Whether the first row is a header, where no names of columns tell."""
    name, label = column_name(row.fields[0]), row.fields[1].strip().lower()
    if of_classes:
        return name in NAME_COLUMNS or label in LABEL_COLUMNS
    if label in _LABELS:
        return name in NAME_COLUMNS
    return label not in _WRONG_LABELS and not _NUMBER.fullmatch(label) and not is_label(label)


def _require_width(row: Row, header: Row, path: Path) -> None:
    """Refuse a row that is wider than the header, whose columns are then not those that the header names."""
    width = len(header.fields)
    if any(field.strip() for field in row.fields[width:]):
        raise InputError(
            f"{path}: line {row.number}: {len(row.fields)} columns, but the header in line {header.number} has {width}",
            "name every column; R's write.table does with row.names=FALSE",
        )


def _named_columns(row: Row, path: Path) -> tuple[int, int] | None:
    """Where name and label are, if the row is a header that says so."""
    names = [column_name(field) for field in row.fields]
    found = [next((name for name in known if name in names), None) for known in (NAME_COLUMNS, LABEL_COLUMNS)]
    name, label = found
    if name is None or label is None or name == label:
        return None
    for column in (name, label):
        require_single(names, column, path, row.number)
    return names.index(name), names.index(label)


def _positions_without_names(row: Row, path: Path, *, of_classes: bool) -> tuple[int, int]:
    further = [field for field in row.fields[2:] if field.strip()]
    if further and (of_classes or not is_label(row.fields[1]) or any(is_label(field) for field in further)):
        raise InputError(
            f"{path}: line {row.number}: {len(row.fields)} columns, of which no header says which is the label",
            "name the columns in the first line, such as name and label",
        )
    return 0, 1


def _add(labels: dict[str, Label], row: Row, positions: tuple[int, int], path: Path, *, of_classes: bool) -> None:
    if len(row.fields) <= max(positions):
        raise InputError(f"{path}: line {row.number}: {len(row.fields)} columns, of which none is the label", "add it")
    name = row.fields[positions[0]].strip()
    if not name:
        raise InputError(f"{path}: line {row.number}: a label without a name", "name the sequence")
    value = label_of(row.fields[positions[1]], path, row.number, of_classes=of_classes)
    label = Label(value, row.number)
    if earlier := labels.get(name):
        same = "the same label" if earlier.value == label.value else "another label"
        raise InputError(
            f"{path}: line {row.number}: {name[:60]!r} has {same} in line {earlier.line}", "keep one of the two lines"
        )
    labels[name] = label
