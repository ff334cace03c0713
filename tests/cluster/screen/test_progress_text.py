"""How far a stage is, as text."""

from __future__ import annotations

import pytest

from cluster.screen import progress_text


@pytest.mark.parametrize(
    ("done", "total", "unit", "expected"),
    [
        (1234, 5678, "windows", "1,234 of 5,678 windows"),
        (1234, None, "windows", "1,234 windows"),
        (3, 8, "", "3 of 8"),
        (2_500_000, 12_000_000, "bases", "2.5 of 12.0 Mb"),
        (0, 12_000_000, "bases", "0.0 of 12.0 Mb"),
        (500, 900, "bases", "500 of 900 bases"),
        (1, None, "trials", "1 trial"),
        (0, 1, "batches", "0 of 1 batch"),
        (1, 2, "steps", "1 of 2 steps"),
        (1, 1, "s", "1 of 1 s"),
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
    ],
)
def test_a_speed_has_a_rate_and_the_time_left(
    done: float, total: float | None, unit: str, seconds: float, expected: list[str]
) -> None:
    speed = progress_text.Speed(total and total + 1, unit)
    speed.advance(1, 1000)
    speed.advance(done, 1000 + seconds)
    assert speed.text(1000 + seconds) == expected


def test_a_speed_is_unknown_until_the_second_part_is_done() -> None:
    speed = progress_text.Speed(100, "steps")
    assert speed.text(50) == []
    speed.advance(10, 60)
    assert speed.text(70) == []


def test_waiting_before_the_first_part_does_not_slow_the_speed() -> None:
    speed = progress_text.Speed(17_360, "steps")
    speed.advance(0, 0)
    for step in range(1, 48):
        speed.advance(1, 30 + step / 4)
    assert speed.text(30 + 47 / 4)[0] == "4.0 steps/s"


def test_what_an_earlier_run_has_done_does_not_raise_the_speed() -> None:
    speed = progress_text.Speed(10_000, "steps")
    speed.advance(5_000, 10)
    speed.advance(40, 20)
    assert speed.text(20) == ["4.0 steps/s", "21 min left"]


def test_the_time_left_falls_while_a_part_is_worked_on_and_the_rate_falls_when_it_takes_longer_than_others() -> None:
    speed = progress_text.Speed(7, "trials")
    for part in range(1, 4):
        speed.advance(1, 20.0 * part)
    assert speed.text(60) == ["20 s each", "80 s left"]
    assert speed.text(75) == ["20 s each", "65 s left"]
    assert speed.text(100) == ["30 s each", "80 s left"]
