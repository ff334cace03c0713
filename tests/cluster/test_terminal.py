from __future__ import annotations

import re

import pytest

from cluster.terminal import Terminal, widths

WIDE = ("split", "label", "intervals", "shortest", "5 %", "median", "95 %", "longest", "mean GC")
ROWS = [
    ("train", "gene", 12_345, 34, 120, 512, 512, 512, 0.3914),
    ("validation", "negative", 1_234_567, 34, 120, 1_512, 12_512, 124_512, 0.3914),
]
FIGURES = re.compile(r"[\d,.]*\d[\d,.]*")


def printed(width: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    Terminal(width).table("Intervals", WIDE, ROWS)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_figure_of_a_wide_table_is_ever_cut(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(width, capsys)
    rule = next(number for number, line in enumerate(lines) if "───" in line)
    assert [FIGURES.findall(line) for line in lines[rule + 1 :] if FIGURES.search(line)] == [
        ["12,345", "34", "120", "512", "512", "512", "0.391"],
        ["1,234,567", "34", "120", "1,512", "12,512", "124,512", "0.391"],
    ]
    assert "…" not in "".join(lines)


@pytest.mark.parametrize("width", [80, 120])
def test_nine_columns_fit_the_terminal(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert max(len(line) for line in printed(width, capsys)) <= width


def test_text_folds_before_headings_of_numbers_wrap() -> None:
    header, rows, numeric = ("", "median bases"), [("rule: first six", "512")], (False, True)
    assert widths(header, rows, numeric, 40) == [15, 12]
    assert widths(header, rows, numeric, 26) == [10, 12]
    assert widths(header, rows, numeric, 18) == [5, 9]


def test_the_first_column_folds_first() -> None:
    assert widths(("rule", "looks at"), [("a long name", "a long account")], (False, False), 25) == [7, 14]


def test_numbers_keep_their_width_where_nothing_fits() -> None:
    assert widths(("chromosome", "median"), [("chromosome_1", "1,234,567")], (False, True), 5) == [8, 9]


def test_a_table_without_rows_shows_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(80).table("None", ("genome", "genes"), [])
    assert "genome  genes" in capsys.readouterr().out


def test_a_place_on_chromosome_x_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.say("GRCh38:X:100-200(+)")
    terminal.table("", ("place",), [("GRCh38:X:100-200(+)",)])
    terminal.error("GRCh38:train:1")
    shown = capsys.readouterr()
    assert shown.out.count("GRCh38:X:100-200(+)") == 2
    assert "GRCh38:train:1" in shown.err
