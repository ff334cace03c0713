"""Pictures as SVG, written by hand: a page of many takes milliseconds, and no plotting library is loaded for it.

All are `WIDTH` wide, so that letters have the same size on the page. Text passes `display.shown`, and is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import escape

from pipelines import report
from pipelines.display import shown
from pipelines.report import Svg

WIDTH = 400
"""Units of a picture's width: a letter of 10 has 9 pixels on a phone, and 12 where two pictures lie side by side."""
GRID, SOFT = "#d9dee6", "#5b6575"
# Space above: a page may show pictures on a ground of their own.
_TOP = 5
# Of a letter of 10 units on average, with a reserve.
_LETTER = 0.62
Point = tuple[float, float]


class Picture:
    """A picture under construction; y counts downwards."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def rectangle(self, x: float, y: float, width: float, height: float, colour: str, **style: str) -> None:
        """Fill a rectangle."""
        box = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
        self._parts.append(f'<rect {box} fill="{colour}"{_attributes(style)}/>')

    def line(self, points: Iterable[Point], colour: str, width: float = 1, **style: str) -> None:
        """Draw a line through points."""
        drawn = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        stroke = f'fill="none" stroke="{colour}" stroke-width="{number(width)}"'
        self._parts.append(f'<polyline points="{drawn}" {stroke}{_attributes(style)}/>')

    def area(self, points: Iterable[Point], colour: str, **style: str) -> None:
        """Fill a polygon."""
        drawn = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._parts.append(f'<polygon points="{drawn}" fill="{colour}"{_attributes(style)}/>')

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 12,
        colour: str = report.INK,
        anchor: str = "start",
        **style: str,
    ) -> None:
        """Write a text; y is its base line, and `anchor` says which part of it is at x: start, middle or end."""
        place = f'x="{number(x)}" y="{number(y)}" font-size="{number(size)}" fill="{colour}"'
        self._parts.append(f'<text {place} text-anchor="{anchor}"{_attributes(style)}>{escape(shown(text))}</text>')

    def svg(self, height: float) -> Svg:
        """The picture, of a height."""
        head = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 {-_TOP} {WIDTH} {number(height + _TOP)}"'
        font = "font-family=\"system-ui,-apple-system,'Segoe UI',Roboto,sans-serif\""
        return Svg(f"<svg {head} {font}>{''.join(self._parts)}</svg>")


class Scale(NamedTuple):
    """Maps values to places on a picture, linearly.

    Attributes:
        low, high: values at the ends.
        start, end: places of the ends.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value."""
        return self.start + (value - self.low) * (self.end - self.start) / ((self.high - self.low) or 1)


def ticks(low: float, high: float, most: int) -> list[int]:
    """Round whole numbers from low to high, at equal distances: 1, 2 or 5 times a power of ten."""
    unit = 1
    while True:
        for factor in (1, 2, 5):
            step = unit * factor
            first = -(-int(low) // step) * step
            if (numbers := list(range(first, int(high) + 1, step))) and len(numbers) <= most:
                return numbers
            if not numbers:
                return []
        unit *= 10


def text_width(text: str, size: float) -> float:
    """About how wide a text is; not less for most texts."""
    return len(text) * size * _LETTER


def within(x: float, text: str, size: float) -> float:
    """The place of the middle of a text that stays in the picture, at x or as near as it can be."""
    half = text_width(text, size) / 2
    return min(max(x, half), WIDTH - half)


def number(value: float) -> str:
    """A number as SVG has it, to a tenth."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _attributes(style: dict[str, str]) -> str:
    return "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
