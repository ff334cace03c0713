from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest
from rich.console import Console

from cluster.options.flags import LOG_LEVELS
from cluster.screen.terminal import Terminal

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


@pytest.mark.parametrize(("width", "expected"), [(80, 1), (30, 2)])
def test_a_caption_is_as_wide_as_the_terminal_not_as_its_table(
    width: int, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    Terminal(width).table("Most and least frequent k-mers in train", ("k-mer", "n"), [("AAA", 554)])
    lines = capsys.readouterr().out.splitlines()
    caption = lines[: lines.index("")]
    assert " ".join(caption) == "Most and least frequent k-mers in train"
    assert len(caption) == expected


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


HOSTILE = "chr\x1b[2J\r\u202e\x9b1 [bold]x[/] [/red] https://u:S3CR3T@host"


def test_no_name_commands_the_terminal_and_no_credential_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    for show in (terminal.note, terminal.warn, terminal.error, terminal.say, terminal.heading):
        show(HOSTILE)
    terminal.table(HOSTILE, (HOSTILE, "n"), [(HOSTILE, 1)])
    with terminal.stage(HOSTILE, 2) as stage:
        stage.describe(HOSTILE)
        stage.advance()
    captured = capfd.readouterr()
    text = captured.out + captured.err
    assert not set(text) & set("\x1b\r\x9b\u202e")
    assert "S3CR3T" not in text
    assert text.count("[/red]") >= 6


def test_a_live_bar_takes_brackets_for_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    terminal = Terminal()
    monkeypatch.setattr(terminal, "_errors", Console(file=stream, force_terminal=True, width=200))
    with terminal.stage("reading [/red]", 2) as stage:
        stage.describe("\x1b[2J[/blue]")
        stage.advance()
    assert "[/red]" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()


def test_a_secret_in_two_pieces_of_a_log_is_masked(capfd: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    for piece in ("one\ntwo https://u:S3C", "R3T@host\x1b[2J", " three\r", "\nfour"):
        terminal.write(piece)
    terminal.flush()
    assert capfd.readouterr().out == "one\ntwo https://***@host\\x1b[2J three\nfour"


def test_tracebacks_warnings_and_logs_of_libraries_are_clean(capfd: pytest.CaptureFixture[str]) -> None:
    script = """
import logging, threading, warnings
from cluster.options.flags import LOG_LEVELS
from cluster.screen.terminal import clean_messages_of_libraries
clean_messages_of_libraries()
logging.getLogger("driver").warning("Retrying after %s", "/x?token=S3CR3T \x1b[2J")
warnings.warn("proxy http://u:S3CR3T@proxy")
def fail():
    try:
        raise OSError("https://u:S3CR3T@host \\x1b[2J")
    except OSError as error:
        raise ValueError("wrapped") from error
thread = threading.Thread(target=fail)
thread.start()
thread.join()
try:
    fail()
except ValueError:
    logging.getLogger("driver").exception("failed")
fail()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "S3CR3T" not in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stderr.count("https://***@host") == 3
    assert "Retrying after" in done.stderr
    assert "UserWarning: proxy http://***@proxy" in done.stderr


@pytest.mark.parametrize(
    ("level", "expected"), [("info", ["a note", "warning: care"]), ("warning", ["warning: care"]), ("error", [])]
)
def test_a_level_leaves_out_what_is_less_important(
    level: str, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    terminal.level = LOG_LEVELS.index(level)
    with terminal.stage("stage", 2) as stage:
        stage.advance()
    terminal.note("a note")
    terminal.warn("care")
    terminal.error("wrong")
    terminal.say("result")
    written = capsys.readouterr()
    assert written.out == "result\n"
    assert written.err.splitlines() == [*expected, "raygene: error: wrong"]


def test_a_table_in_a_file_has_no_blanks_at_the_end_of_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().table("Caption", ("name", "figure"), [("a", 1), ("a longer name", 12)])
    lines = capsys.readouterr().out.splitlines()
    assert "a longer name" in "".join(lines)
    assert all(line == line.rstrip() for line in lines)


def test_no_color_leaves_plain_text_on_a_terminal_and_of_other_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    terminal = Terminal()
    terminal.error("wrong")
    terminal.write("\x1b[31mraygene: error:\x1b[0m of a job\n")
    written = capsys.readouterr()
    assert written.err == "raygene: error: wrong\n"
    assert written.out == "raygene: error: of a job\n"


def test_a_log_has_rate_unit_and_time_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr("cluster.screen.terminal.time.monotonic", lambda: now)
    with Terminal().stage("encoding", 100, unit="windows") as stage:
        stage.describe("chr1")
        now = 104.0
        stage.advance(5)
        now = 114.0
        stage.advance(25)
    assert capsys.readouterr().err.splitlines()[0] == "encoding: 30 of 100 windows, 2.5 windows/s, 28 s left; chr1"
