"""How far a stage is, as text."""

from __future__ import annotations

import pytest

from cluster import progress_text


@pytest.mark.parametrize(
    ("done", "total", "unit", "expected"),
    [
        (1234, 5678, "windows", "1,234 of 5,678 windows"),
        (1234, None, "windows", "1,234 windows"),
        (3, 8, "", "3 of 8"),
        (2_500_000, 12_000_000, "bases", "2.5 of 12.0 Mb"),
        (0, 12_000_000, "bases", "0.0 of 12.0 Mb"),
        (500, 900, "bases", "500 of 900 bases"),
    ],
)
def test_a_position_has_its_unit(done: float, total: float | None, unit: str, expected: str) -> None:
    assert progress_text.position(done, total, unit) == expected


@pytest.mark.parametrize(
    ("done", "total", "unit", "seconds", "expected"),
    [
        (50, 100, "windows", 10, ["5.0 windows/s", "10 s left"]),
        (3_000_000, 30_000_000, "bases", 2, ["1.5M bases/s", "18 s left"]),
        (2, 4, "epochs", 400, ["3 min each", "7 min left"]),
        (50, None, "windows", 10, ["5.0 windows/s"]),
        (100, 100, "windows", 10, ["10 windows/s"]),
        (50, 100, "", 10, ["10 s left"]),
        (5, None, "s", 10, []),
        (50, 100, "windows", 1, []),
        (0, 100, "windows", 10, []),
    ],
)
def test_a_speed_has_a_rate_and_the_time_left(
    done: float, total: float | None, unit: str, seconds: float, expected: list[str]
) -> None:
    assert progress_text.speed(done, total, unit, seconds) == expected
