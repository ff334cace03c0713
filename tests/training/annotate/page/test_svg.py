from __future__ import annotations

from xml.etree import ElementTree

import pytest

from training.annotate.page import svg
from training.annotate.page.svg import Picture, Scale


def test_texts_cannot_become_markup() -> None:
    picture = Picture()
    picture.text(1, 2, "<script>alert(1)</script>\x1b[31m")
    drawn = picture.svg(10)
    assert "<script>" not in drawn
    assert "\x1b" not in drawn
    ElementTree.fromstring(drawn)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 43, 5, [0, 10, 20, 30, 40]),
        (0, 0, 5, [0]),
        (1001, 1500, 4, [1200, 1400]),
        (7, 7, 3, [7]),
        (0, 1_200_000, 4, [0, 500_000, 1_000_000]),
    ],
)
def test_ticks_are_round_and_few(low: int, high: int, most: int, expected: list[int]) -> None:
    assert svg.ticks(low, high, most) == expected


def test_a_scale_maps_its_ends_to_its_places() -> None:
    scale = Scale(10, 20, 0, 100)
    assert [scale(value) for value in (10, 15, 20)] == [0, 50, 100]
    assert Scale(5, 5, 0, 100)(5) == 0


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (0.04, "0"), (-0.04, "0"), (-0.5, "-0.5"), (12.349, "12.3")])
def test_numbers_have_a_tenth_at_most(value: float, text: str) -> None:
    assert svg.number(value) == text


def test_a_text_near_a_border_is_moved_into_the_picture() -> None:
    half = svg.text_width("1,000", 12) / 2
    assert svg.within(svg.WIDTH, "1,000", 12) == svg.WIDTH - half
    assert svg.within(0, "1,000", 12) == half
    assert svg.within(200, "1,000", 12) == 200
