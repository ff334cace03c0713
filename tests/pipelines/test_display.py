from __future__ import annotations

import pytest

from pipelines.display import escaped, log_of_another_program, shown

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
