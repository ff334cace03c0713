from __future__ import annotations

import time

import pytest

from pipelines.inputs import name_pattern

NAMES = ["chr1", "chr2", "chr10", "chrM", "a" * 40 + "b", "ü(1)"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"chr\d", ["chr1", "chr2"]),
        (r"(?!chrM)chr.*", ["chr1", "chr2", "chr10"]),
        (r"chr(.)0|(?i:CHRm)", ["chr10", "chrM"]),
        (r"chr", []),
        (r"ü\(1\)", ["ü(1)"]),
        (r"", []),
    ],
)
def test_names_are_those_that_a_pattern_matches_as_a_whole(pattern: str, expected: list[str]) -> None:
    assert name_pattern.matching(pattern, NAMES) == set(expected)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)*", r"(a|aa)+$", r"(.*a){20}x", r"^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_a_pattern_that_backtracks_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    monkeypatch.setattr(name_pattern, "TIME_LIMIT_S", 0.3)
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"takes more than 0\.3 s"):
        name_pattern.matching(pattern, ["a" * 60 + "!"])
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("pattern", ["(", "[a", "a{99999999999999}", "(?P<x>a)(?P<x>b)", "*", "(" * 5000 + ")" * 5000])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a regular expression"):
        name_pattern.matching(pattern, NAMES)


def test_a_pattern_of_many_letters_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than"):
        name_pattern.matching("a" * 20_000, NAMES)


def test_many_names_are_matched_at_once() -> None:
    names = [f"contig{number}" for number in range(100_000)]
    assert len(name_pattern.matching(r"contig\d*7", names)) == 10_000
