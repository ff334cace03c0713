from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.inputs import delimited
from pipelines.inputs.delimited import read_table


def rows(path: Path, text: str, *columns: str, loose: bool = False) -> list[list[str]]:
    path.write_bytes(text.encode())
    table = read_table(path, columns, loose=loose)
    return [table.header.fields, *(row.fields for row in table.rows)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\r\n1,2\r\n", [["a", "b"], ["1", "2"]]),
        ("\ufeffa\tb\n1\t2\n", [["a", "b"], ["1", "2"]]),
        ("a;b\n1;2\n", [["a", "b"], ["1", "2"]]),
        ("sep=;\na;b\n1;2,5\n", [["a", "b"], ["1", "2,5"]]),
        ('sep=\t\n"a"\t"b"\n1\t2\n', [["a", "b"], ["1", "2"]]),
        ('"a","b"\n"1","x, ""y"""\n', [["a", "b"], ["1", 'x, "y"']]),
        ('"a","b"\n"1","x\ny\r\nz"\n3,4\n', [["a", "b"], ["1", "x\ny\nz"], ["3", "4"]]),
        ('"a,x";"b"\n1;2\n', [["a,x", "b"], ["1", "2"]]),
        ("\n\na,b\n\n,\n , \n1,2\n", [["a", "b"], ["1", "2"]]),
        ("a,b,,\n1,2,,\n", [["a", "b", "", ""], ["1", "2", "", ""]]),
        ('a,b\n1,5"\n2,x"y"z\n', [["a", "b"], ["1", '5"'], ["2", 'x"y"z']]),
        ('a,b\n"",2\n3,""\n', [["a", "b"], ["", "2"], ["3", ""]]),
        ("a,b\r1,2\r", [["a", "b"], ["1", "2"]]),
    ],
)
def test_rows_are_read_as_spreadsheets_write_them(tmp_path: Path, text: str, expected: list[list[str]]) -> None:
    assert rows(tmp_path / "t.csv", text, "a", "b") == expected


def test_blanks_separate_columns_where_they_may(tmp_path: Path) -> None:
    assert rows(tmp_path / "t.txt", "s1 1\ns2   0\n", loose=True) == [["s1", "1"], ["s2", "0"]]


def test_a_row_has_the_number_of_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b\n\n"1\n2",3\n4,5\n')
    assert [row.number for row in read_table(tmp_path / "t.csv", ["a"]).rows] == [3, 5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a,b\n"1,2\n3,4\n', r"line 2: not a row of CSV \(a quote that begins here does not end\)"),
        ('a,b\n1,2\n"3"x,4\n', r"line 3: not a row of CSV \('x,4' after a closing quote\)"),
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("sep=;\n", "is empty"),
    ],
)
def test_what_is_no_table_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rows(tmp_path / "t.csv", text, "a", "b")


def test_a_line_above_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MAX_LINE", 10)
    with pytest.raises(InputError, match="line 2: longer than 10 letters"):
        rows(tmp_path / "t.csv", "a,b\n1,234567890\n", "a")
    with pytest.raises(InputError, match="line 2: not a row of CSV"):
        rows(tmp_path / "t.csv", 'a,b\n"1\n2\n3\n4\n5\n6\n7\n8\n9\n0\n1",2\n', "a")


@given(st.lists(st.lists(st.text(st.sampled_from('ab ",;\n\t'), max_size=6), min_size=2, max_size=4), max_size=4))
def test_rows_are_those_of_the_csv_module(tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["x", "y"], *table])
    expected = [row for row in csv.reader(io.StringIO(text.getvalue())) if any(field.strip() for field in row)]
    assert rows(path, text.getvalue(), "x", "y") == expected
