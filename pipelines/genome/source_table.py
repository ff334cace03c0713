"""A table of sources, one a row: what `sources` lists, for experiments of hundreds of genomes.

Columns are the keys of a source, and a cell that is empty is a key that is not set.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pipelines.config import SourceConfig, validate
from pipelines.config.section import accepts
from pipelines.errors import UsageError
from pipelines.inputs.delimited import Row, column_name, read_table

KEY = "table"
_KEYS = {field.alias or name: field for name, field in SourceConfig.model_fields.items()}
_NAMES = [key for key, field in _KEYS.items() if accepts(field.annotation, list[str])]
_MAX_LISTED = 5


def read(path: Path) -> list[dict[str, Any]]:
    """Read the sources of a table: TSV or CSV with a header, plain or compressed.

    Args:
        path: of the table; relative paths in it are relative to its folder.

    Returns:
        The keys of each row that has a value, as `sources` would list them; paths are absolute.

    Raises:
        InputError: the table cannot be read or is not one.
        UsageError: a column that is no key, or rows that are no source; with the line and the column of the first, and
            the lines of further ones.
    """
    table = read_table(path, _KEYS)
    columns = [column_name(field) for field in table.header.fields]
    _require_known(columns, path, table.header.number)
    sources: list[dict[str, Any]] = []
    lines: dict[str, int] = {}
    problems: list[tuple[int, UsageError]] = []
    for row in table.rows:
        try:
            source = _source(row, columns, path)
            earlier = lines.setdefault(source["genome"], row.number)
            if earlier != row.number:
                raise _problem(path, row.number, f"column genome: {source['genome']} is in line {earlier} too")
            sources.append(source)
        except UsageError as error:
            problems.append((row.number, error))
    if problems:
        raise _with_further_lines(problems)
    if not sources:
        raise UsageError(f"{path}: has no row below its header", "give a row for each genome", key=f"sources.{KEY}")
    return sources


def _require_known(columns: list[str], path: Path, line: int) -> None:
    for number, column in enumerate(columns, 1):
        if column in _KEYS and columns.index(column) == number - 1:
            continue
        near = difflib.get_close_matches(column, _KEYS, n=1, cutoff=0.5)
        what = "twice" if column in _KEYS else "no key of a source"
        hint = f"did you mean {near[0]}?" if near and column not in _KEYS else f"columns: {', '.join(_KEYS)}"
        raise UsageError(f"{path}: line {line}: column {number} ({column[:40]!r}): {what}", hint, key=f"sources.{KEY}")


def _source(row: Row, columns: list[str], path: Path) -> dict[str, Any]:
    if any(field.strip() for field in row.fields[len(columns) :]):
        raise _problem(path, row.number, f"{len(row.fields)} columns instead of {len(columns)}")
    cells = {column: field.strip() for column, field in zip(columns, row.fields, strict=False)}
    if not cells.get("genome"):
        raise _problem(path, row.number, "column genome: empty")
    values: dict[str, Any] = {key: _value(key, text, path.parent) for key, text in cells.items() if text}
    try:
        validate(SourceConfig, values, str(path))
    except UsageError as error:
        key = "" if error.key in (None, "configuration") else f"column {error.key}: "
        problem = error.problem.removeprefix(f"{path}: {error.key}: ")
        raise _problem(path, row.number, f"{key}{problem}") from error
    return values


def _value(key: str, text: str, folder: Path) -> Any:
    extra = _KEYS[key].json_schema_extra
    if isinstance(extra, dict) and extra.get("path"):
        return text if "://" in text else str((folder / Path(text).expanduser()).absolute())
    if key in _NAMES:
        is_expression = len(text) > 1 and text[0] == text[-1] == "/"
        return [text] if is_expression else [name.strip() for name in text.split(",")]
    return text


def _problem(path: Path, line: int, problem: str) -> UsageError:
    return UsageError(f"{path}: line {line}: {problem}", "correct the row", key=f"sources.{KEY}")


def _with_further_lines(problems: list[tuple[int, UsageError]]) -> UsageError:
    first, further = problems[0][1], [f"{line:,}" for line, _ in problems[1:]]
    if not further:
        return first
    listed = ", ".join(further[:_MAX_LISTED]) + (" …" if len(further) > _MAX_LISTED else "")
    lines = "line" if len(further) == 1 else "lines"
    return UsageError(f"{first.problem}; and {lines} {listed}", "correct the rows", key=first.key)
