"""Distributions as bars: lengths on a scale of decades, scores, exons of a gene."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pipelines import report
from pipelines.report import Svg
from training.annotate.page import svg
from training.annotate.page.summary import SCORE_BINS, Lengths
from training.annotate.page.svg import WIDTH, Picture, Scale

PER_DECADE = 10
"""Bars of lengths."""
MAX_EXONS = 15
"""The last bar is of genes with so many and more."""
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 56, WIDTH - 8, 28, 176, 214
_SECOND = "#9db8dc"
# Of a sequence.
_LANE, _FEW_LANES, _NAME_LETTERS = 30, 4, 11


def lengths(of: Lengths, what: str) -> Svg | None:
    """Lengths as bars of equal width on a logarithmic scale; None if all fall into one.

    Args:
        of: the lengths.
        what: they are of.
    """
    bars: dict[int, int] = {}
    for length, count in of.counts.items():
        at = math.floor(math.log10(max(length, 1)) * PER_DECADE + 1e-9)
        bars[at] = bars.get(at, 0) + count
    if len(bars) < 2:
        return None
    first, last = min(bars), max(bars) + 1
    picture, across = Picture(), Scale(first, last, _LEFT, _RIGHT)
    up = _frame(picture, max(bars.values()), what)
    for at, count in sorted(bars.items()):
        _bar(picture, across(at), across(at + 1), up, 0, count, report.GENE)
    for decade in range(first // PER_DECADE, last // PER_DECADE + 1):
        for factor in (1, 2, 5):
            place = (decade + math.log10(factor)) * PER_DECADE
            if first <= place <= last and (factor == 1 or last - first <= 2.5 * PER_DECADE):
                _tick(picture, across(place), f"{factor * 10**decade:,}")
    median = of.quantile(0.5)
    x = across(math.log10(median) * PER_DECADE)
    picture.line([(x, _TOP - 6), (x, _BOTTOM)], report.INK, 1.2, stroke_dasharray="4 3")
    anchor = "start" if x < (_LEFT + _RIGHT) / 2 else "end"
    picture.text(x + (5 if anchor == "start" else -5), _TOP - 8, f"median {median:,}", 12, report.INK, anchor)
    picture.text((_LEFT + _RIGHT) / 2, _HEIGHT - 6, "bases", 12, report.INK, "middle")
    return picture.svg(_HEIGHT)


def scores(of: Mapping[str, Sequence[int]]) -> Svg | None:
    """Scores as bars, genes with introns below those of one exon; None if all fall into one bar.

    Args:
        of: genes of each kind in equal parts from 0 to 1.
    """
    totals = [sum(parts) for parts in zip(*of.values(), strict=True)]
    if sum(map(bool, totals)) < 2:
        return None
    picture, across = Picture(), Scale(0, SCORE_BINS, _LEFT, _RIGHT)
    up = _frame(picture, max(totals), "genes")
    below = [0] * SCORE_BINS
    at = float(_LEFT)
    for (name, counts), colour in zip(reversed(list(of.items())), (report.GENE, _SECOND), strict=True):
        for number, count in enumerate(counts):
            if count:
                _bar(picture, across(number), across(number + 1), up, below[number], below[number] + count, colour)
            below[number] += count
        picture.rectangle(at, 4, 10, 10, colour)
        picture.text(at + 14, 13, name, 12, svg.SOFT)
        at += 30 + svg.text_width(name, 12)
    for tenth in range(0, 11, 2):
        _tick(picture, across(tenth * SCORE_BINS / 10), f"{tenth / 10:.1f}")
    picture.text((_LEFT + _RIGHT) / 2, _HEIGHT - 6, "score of a gene", 12, report.INK, "middle")
    return picture.svg(_HEIGHT)


def exons(of: Mapping[int, int]) -> Svg | None:
    """Genes by their number of exons; None if all have the same.

    Args:
        of: number of exons to number of genes.
    """
    if len(of) < 2:
        return None
    most = min(max(of), MAX_EXONS)
    counts = [of.get(number, 0) for number in range(1, most + 1)]
    counts[-1] += sum(count for number, count in of.items() if number > most)
    picture, across = Picture(), Scale(0, most, _LEFT, _RIGHT)
    up = _frame(picture, max(counts), "genes")
    for number, count in enumerate(counts):
        if count:
            _bar(picture, across(number + 0.08), across(number + 0.92), up, 0, count, report.GENE)
        text = f"{number + 1}+" if number + 1 == most < max(of) else f"{number + 1}"
        _tick(picture, across(number + 0.5), text, is_marked=False)
    picture.text((_LEFT + _RIGHT) / 2, _HEIGHT - 6, "exons of a gene", 12, report.INK, "middle")
    return picture.svg(_HEIGHT)


def along(of: Mapping[str, Sequence[Sequence[int]]], part_bases: int, parts: int, most: int) -> Svg:
    """Genes along sequences: a line for each, with bars of the forward strand above it and of the reverse below.

    Args:
        of: name of each sequence to the genes in its parts, on both strands.
        part_bases: bases of a part.
        parts: that the width stands for.
        most: genes that the longest bar stands for.
    """
    picture, lane = Picture(), _LANE if len(of) > _FEW_LANES else 2 * _LANE
    # Names of scaffolds differ in their ends.
    labels = [name if len(name) <= _NAME_LETTERS else f"{name[:4]}…{name[5 - _NAME_LETTERS :]}" for name in of]
    left = max(svg.text_width(label, 11) for label in labels) + 10
    across = Scale(0, parts, left, WIDTH - 4)
    for number, (label, strands) in enumerate(zip(labels, of.values(), strict=True)):
        middle = number * lane + lane / 2
        picture.text(left - 6, middle + 4, label, 11, report.INK, "end")
        for counts, colour, direction in zip(strands, (report.GENE, report.ACCENT), (-1, 1), strict=True):
            points: list[svg.Point] = [(left, middle)]
            for part, count in enumerate(counts):
                y = middle + direction * (lane / 2 - 3) * count / max(most, 1)
                points += [(across(part), y), (across(part + 1), y)]
            picture.area([*points, (across(len(counts)), middle)], colour)
        picture.line([(left, middle), (across(len(strands[0])), middle)], svg.SOFT, 0.6)
    bottom = len(of) * lane + 2
    picture.line([(left, bottom), (WIDTH - 4, bottom)], svg.SOFT, 0.8)
    for base in svg.ticks(0, parts * part_bases, 4):
        x, text = across(base / part_bases), _short(base)
        picture.line([(x, bottom), (x, bottom + 4)], svg.SOFT, 0.8)
        picture.text(svg.within(x, text, 11), bottom + 16, text, 11, svg.SOFT, "middle")
    return picture.svg(bottom + 22)


def _short(bases: int) -> str:
    for unit, name in ((10**6, "Mb"), (10**3, "kb")):
        if bases >= unit:
            return f"{bases / unit:,g} {name}"
    return f"{bases}"


def _frame(picture: Picture, most: int, what: str) -> Scale:
    """Draw the axes and lines of the grid; return the scale of counts."""
    up = Scale(0, most, _BOTTOM, _TOP)
    for count in svg.ticks(0, most, 5):
        y = up(count)
        picture.line([(_LEFT, y), (_RIGHT, y)], svg.GRID, 0.8)
        picture.text(_LEFT - 6, y + 4, f"{count:,}", 12, svg.SOFT, "end")
    middle = (_TOP + _BOTTOM) / 2
    picture.text(12, middle, what, 12, report.INK, "middle", transform=f"rotate(-90 12 {svg.number(middle)})")
    picture.line([(_LEFT, _BOTTOM), (_RIGHT, _BOTTOM)], svg.SOFT, 0.8)
    return up


def _bar(picture: Picture, left: float, right: float, up: Scale, low: int, high: int, colour: str) -> None:
    top = up(high)
    # One gene is seen too.
    height = max(up(low) - top, 0.8)
    picture.rectangle(left + 0.5, up(low) - height, right - left - 1, height, colour)


def _tick(picture: Picture, x: float, text: str, *, is_marked: bool = True) -> None:
    if is_marked:
        picture.line([(x, _BOTTOM), (x, _BOTTOM + 4)], svg.SOFT, 0.8)
    picture.text(svg.within(x, text, 12), _BOTTOM + 18, text, 12, svg.SOFT, "middle")
