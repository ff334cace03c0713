from __future__ import annotations

import re

import pytest

from cluster.terminal import Terminal

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


def test_long_text_folds_and_numbers_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(40).table("", ("rule", "bases"), [("a rule with a long name of many words", 1_234_567)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    assert sum("1,234,567" in line for line in lines) == 1


def test_numbers_keep_their_width_where_nothing_fits(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(5).table("", ("chromosome", "median"), [("chromosome_1", 1_234_567)])
    lines = capsys.readouterr().out.splitlines()
    assert any("chromoso  1,234,567" in line for line in lines)


def test_a_table_in_a_file_is_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().table("Splits", ("split", "genes"), [("train", 7)])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "train" in shown


def test_rows_beyond_the_first_forty_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().table("", ("row",), [(f"r{number}",) for number in range(45)])
    shown = capsys.readouterr().out
    assert "r39" in shown
    assert "r40" not in shown
    assert "… and 5 more rows" in shown


def test_a_table_without_rows_shows_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(80).table("None", ("genome", "genes"), [])
    assert "genome  genes" in capsys.readouterr().out


def test_a_position_on_chromosome_x_is_not_an_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.say("GRCh38:X:100-200(+)")
    terminal.table("", ("interval",), [("GRCh38:X:100-200(+)",)])
    terminal.error("GRCh38:train:1")
    shown = capsys.readouterr()
    assert shown.out.count("GRCh38:X:100-200(+)") == 2
    assert "GRCh38:train:1" in shown.err
