from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.display import escaped, format_compared, format_size, log_of_another_program, shown

HOSTILE = {
    "\x1b[2Jx": r"\x1b[2Jx",
    "a\rb": r"a\rb",
    "a\nb": r"a\nb",
    "a\tb": r"a\tb",
    "a\x08b": r"a\x08b",
    "a\x07": r"a\x07",
    "\x9b31m": r"\x9b31m",
    "chr\u202e1": r"chr\u202e1",
    "a\u200bb": r"a\u200bb",
    "a\u2028b": r"a\u2028b",
    "a\u2066b": r"a\u2066b",
    "\ufeffchr1": r"\ufeffchr1",
    "a\udcffb": r"a\udcffb",
    "a\U000e0041": r"a\U000e0041",
    "a\u3164b": r"a\u3164b",
    "a\x00b": r"a\x00b",
    "a\x7f": r"a\x7f",
}


@pytest.mark.parametrize("text", list(HOSTILE))
def test_what_cannot_be_seen_is_shown_by_its_code(text: str) -> None:
    assert escaped(text) == HOSTILE[text]
    assert shown(text) == HOSTILE[text]


@pytest.mark.parametrize("text", ["chr1", "Überzug α → β", "染色体1", "95 % at 1 000 bases", "a\\x1b"])
def test_letters_of_all_languages_and_spaces_stay(text: str) -> None:
    assert escaped(text) == text


def test_a_log_keeps_its_lines_and_plain_colours() -> None:
    assert log_of_another_program("a\r\n\tb\x1b[1;31mred\x1b[0m\n") == "a\n\tb\x1b[1;31mred\x1b[0m\n"
    assert log_of_another_program("10%\r20%\n") == "10%\n20%\n"


@pytest.mark.parametrize(
    "code", ["\x1b[2J", "\x1b[8m", "\x1b]0;title\x07", "\x1b[1A", "\x1bc", "\x9b2J", "\x1b[30;40m"]
)
def test_a_log_cannot_command_the_terminal(code: str) -> None:
    cleaned = log_of_another_program(f"before{code}after")
    assert "\x1b" not in cleaned
    assert "\x9b" not in cleaned


def test_a_log_is_without_credentials() -> None:
    assert "S3CR3T" not in log_of_another_program("pip --index-url https://u:S3CR3T@pypi.org/simple\n")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (0.7, "1 byte"),
        (512, "512 bytes"),
        (1_000, "1,000 bytes"),
        (2_048, "2 KiB"),
        (204_750, "200 KiB"),
        (1_500_000, "1.43 MiB"),
        (1_003 << 20, "1,003 MiB"),
        ((1 << 20) - 1, "1 MiB"),
        (1_023.6 * 2**20, "1 GiB"),
        (9.996 * 2**20, "10 MiB"),
        (2.5 * 2**30, "2.5 GiB"),
        (24 << 30, "24 GiB"),
        (10**15, "909 TiB"),
        (2_000 << 40, "2,000 TiB"),
        (-(3 << 20), "-3 MiB"),
    ],
)
def test_a_size_has_three_digits_and_the_unit_that_suits_it(size: float, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(1, 1 << 60))
def test_a_size_is_within_half_of_its_third_digit(size: int) -> None:
    number, unit = format_size(size).split()
    units = {"byte": 1, "bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
    assert float(number.replace(",", "")) * units[unit] == pytest.approx(size, rel=0.005)
    assert re.fullmatch(r"[0-9,]{1,9}|[0-9]\.[0-9]{1,2}|[0-9]{2}\.[0-9]", number)


@pytest.mark.parametrize(
    ("first", "second", "texts"),
    [
        (3 << 30, 1 << 20, ("3 GiB", "1 MiB")),
        ((100 << 20) + 200_000, 100 << 20, ("100.2 MiB", "100 MiB")),
        ((3 << 30) + (4 << 20), 3 << 30, ("3.004 GiB", "3 GiB")),
        (200, 0, ("200 bytes", "0 bytes")),
        ((3 << 30) + 1, (3 << 30) + 2, ("3 GiB", "3 GiB")),
        (5 << 30, 5 << 30, ("5 GiB", "5 GiB")),
    ],
)
def test_two_sizes_that_are_compared_read_differently_if_six_digits_tell_them_apart(
    first: int, second: int, texts: tuple[str, str]
) -> None:
    assert format_compared(first, second) == texts
