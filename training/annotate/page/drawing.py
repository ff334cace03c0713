"""A stretch of a sequence as a picture: for each strand the probabilities of states, and the gene models under them.

Exons are boxes, thinner where they are untranslated, and introns are lines with chevrons in reading direction. A
triangle marks the start codon and a bar the stop codon; dots go on where the end of the sequence cuts a gene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import report
from pipelines.gene_models.model import Gene, Spans
from pipelines.genome.region import Region
from pipelines.report import Svg
from training.annotate.page import svg
from training.annotate.page.probabilities import CLASSES
from training.annotate.page.svg import WIDTH, Picture, Scale

COLUMNS = 360
"""Of probabilities; a column is about a pixel."""
MAX_LINES = 4
"""Lines of gene models of a strand, one below the other."""
COLOURS = {"CDS": report.GENE, "intron": "#9db8dc", "UTR": "#d9a441", "intergenic": "#e6e9ee"}
_LEFT, _RIGHT = 28, WIDTH - 4
_AREA, _LINE = 52, 27
_THICK, _THIN, _MIN_WIDTH = 11, 6, 1.5
_CHEVRON, _SMALL = 26, 12
_NAMES = {"+": "forward strand", "-": "reverse strand"}


@dataclass(frozen=True)
class _Label:
    """What a gene model is called, and where that is written."""

    text: str
    left: float
    right: float
    is_at_end: bool


def draw(window: Region, probabilities: NDArray[np.float64], genes: Sequence[Gene], focus: str) -> Svg:
    """Draw a stretch.

    Args:
        window: the stretch.
        probabilities: mean of each of `CLASSES` in columns of equal width, shape (2, 4, columns).
        genes: those that overlap the stretch, each of one transcript.
        focus: name of the gene that the picture is about; in bold, and first of its line.
    """
    picture, across = Picture(), Scale(window.start, window.end, _LEFT, _RIGHT)
    _legend(picture, probabilities)
    top = 24.0
    for strand, name in enumerate(_NAMES):
        on_strand = [gene for gene in genes if gene.strand == name]
        top = _areas(picture, probabilities[strand], top, _NAMES[name])
        top = _models(picture, on_strand, focus, across, top)
    return picture.svg(_axis(picture, window, across, top))


def _legend(picture: Picture, probabilities: NDArray[np.float64]) -> None:
    """Write what the colours and marks mean, for those states that are to be seen."""
    at = float(_LEFT)
    is_seen: list[bool] = [bool(one.any()) for one in np.round(probabilities, 2).swapaxes(0, 1)]
    for name, colour in (item for item, seen in zip(COLOURS.items(), is_seen, strict=True) if seen):
        picture.rectangle(at, 2, 10, 10, colour)
        picture.text(at + 14, 11, name, 11, svg.SOFT)
        at += 22 + svg.text_width(name, 11)
    for name in ("start", "stop"):
        _mark(picture, name, at + 3, 7, 1)
        picture.text(at + 14, 11, name, 11, svg.SOFT)
        at += 22 + svg.text_width(name, 11)


def _areas(picture: Picture, probabilities: NDArray[np.float64], top: float, name: str) -> float:
    """Draw the probabilities of a strand on top of each other; return where they end."""
    picture.text(_LEFT, top + 10, name, 11, report.INK, font_weight="600")
    top += 15
    bottom = top + _AREA
    picture.rectangle(_LEFT, top, _RIGHT - _LEFT, _AREA, COLOURS["intergenic"])
    upper = np.round(probabilities[: len(CLASSES) - 1].cumsum(axis=0), 2)
    is_seen: list[bool] = [bool(one.any()) for one in np.round(probabilities, 2)]
    edges = _LEFT + np.arange(upper.shape[1] + 1) * (_RIGHT - _LEFT) / upper.shape[1]
    # The highest first, the others over it.
    for values, label, seen in reversed(list(zip(upper.tolist(), CLASSES, is_seen, strict=False))):
        if seen:
            picture.area(_steps(values, edges.tolist(), bottom), COLOURS[label])
    for value, y in (("1", top + 4), ("0", bottom + 1)):
        picture.text(_LEFT - 5, y + 3, value, 10, svg.SOFT, "end")
    picture.line([(_LEFT, top), (_LEFT, bottom)], svg.SOFT, 0.8)
    return bottom


def _steps(values: list[float], edges: list[float], bottom: float) -> list[svg.Point]:
    """The outline of columns that stand on a line."""
    points: list[svg.Point] = [(edges[0], bottom)]
    before = 0.0
    for index, value in enumerate(values):
        if value != before:
            points += [(edges[index], bottom - before * _AREA), (edges[index], bottom - value * _AREA)]
            before = value
    return [*points, (edges[-1], bottom - before * _AREA), (edges[-1], bottom)]


def _models(picture: Picture, genes: list[Gene], focus: str, across: Scale, top: float) -> float:
    """Draw the gene models of a strand; return where they end."""
    ordered = sorted(genes, key=lambda gene: (gene.gene_id != focus, gene.start))
    # Boxes and labels do not touch each other, but a label may stand below a box of another gene.
    lines: list[tuple[list[svg.Point], list[svg.Point]]] = []
    hidden = 0
    for gene in ordered:
        label = _label(gene, across, is_focus=gene.gene_id == focus)
        start, end = max(across(gene.start), _LEFT), min(across(gene.end), _RIGHT)
        space = 3 if label.text else 0.5
        wanted = ((start - space, end + space), (label.left - space, label.right + space))
        line = next((number for number, taken in enumerate(lines) if _are_free(taken, wanted)), len(lines))
        if line == MAX_LINES:
            hidden += 1
            continue
        if line == len(lines):
            lines.append(([], []))
        for taken, interval in zip(lines[line], wanted, strict=True):
            taken.append(interval)
        _model(picture, gene, label, across, top + 12 + line * _LINE, is_focus=gene.gene_id == focus)
    bottom = top + max(len(lines), 1) * _LINE + 8
    if not genes:
        picture.text((_LEFT + _RIGHT) / 2, top + 17, "no gene model", 10.5, svg.SOFT, "middle")
    if hidden:
        bottom += 12
        picture.text((_LEFT + _RIGHT) / 2, bottom - 4, f"and {hidden:,} more", 10.5, svg.SOFT, "middle")
    return bottom


def _are_free(taken: tuple[list[svg.Point], list[svg.Point]], wanted: tuple[svg.Point, svg.Point]) -> bool:
    return all(
        right <= start or left >= end
        for others, (left, right) in zip(taken, wanted, strict=True)
        for start, end in others
    )


def _label(gene: Gene, across: Scale, *, is_focus: bool) -> _Label:
    if _is_small(gene, across) and not is_focus:
        return _Label("", across(gene.start), across(gene.start), is_at_end=False)
    score = "" if gene.score is None else f" {gene.score:.2f}"
    text = f"{gene.gene_id}{score}"
    left, width = max(across(gene.start), _LEFT), svg.text_width(text, 10)
    if left + width <= _RIGHT:
        return _Label(text, left, left + width, is_at_end=False)
    return _Label(text, _RIGHT - width, _RIGHT, is_at_end=True)


def _is_small(gene: Gene, across: Scale) -> bool:
    """Whether a gene is too short for marks; those of long stretches would hide each other."""
    return across(gene.end) - across(gene.start) < _SMALL


def _model(picture: Picture, gene: Gene, label: _Label, across: Scale, y: float, *, is_focus: bool) -> None:
    transcript = gene.transcripts[0]
    first, last = max(across(gene.start), _LEFT), min(across(gene.end), _RIGHT)
    picture.line([(first, y), (last, y)], report.INK)
    for start, end in _seen(transcript.introns, across):
        _chevrons(picture, start, end, y, gene.strand)
    for spans, height, kind in ((transcript.exons, _THIN, "UTR"), (transcript.cds, _THICK, "CDS")):
        for start, end in _seen(spans, across):
            width = max(end - start, _MIN_WIDTH)
            picture.rectangle(start, y - height / 2, width, height, COLOURS[kind if transcript.cds else "CDS"])
    if is_focus or not _is_small(gene, across):
        _ends(picture, gene, across, y)
    if not label.text:
        return
    weight = {"font_weight": "700"} if is_focus else {}
    place, anchor = (label.right, "end") if label.is_at_end else (label.left, "start")
    picture.text(place, y + 16, label.text, 10, report.INK, anchor, **weight)


def _seen(spans: Spans, across: Scale) -> list[tuple[float, float]]:
    """Where spans lie on the picture, as far as they do."""
    return [
        (max(across(start), _LEFT), min(across(end), _RIGHT))
        for start, end in spans
        if start < across.high and end > across.low
    ]


def _chevrons(picture: Picture, start: float, end: float, y: float, strand: str) -> None:
    """Arrow heads along an intron, if there is space for one."""
    if end - start < 8:
        return
    count = max(round((end - start) / _CHEVRON), 1)
    tip = 2.5 if strand == "+" else -2.5
    for index in range(count):
        x = start + (index + 0.5) * (end - start) / count
        picture.line([(x - tip / 2, y - 3), (x + tip / 2, y), (x - tip / 2, y + 3)], report.INK)


def _ends(picture: Picture, gene: Gene, across: Scale, y: float) -> None:
    """Mark the start and the stop codon, or that an end of the sequence cuts the gene there."""
    transcript = gene.transcripts[0]
    spans = transcript.cds or transcript.exons
    outer = (spans[0][0], spans[-1][1])
    at_start, at_stop = outer if gene.strand == "+" else outer[::-1]
    forward = 1 if gene.strand == "+" else -1
    for kind, base, is_missing, direction in (
        ("start", at_start, transcript.is_partial_start, -forward),
        ("stop", at_stop, transcript.is_partial_stop, forward),
    ):
        if not across.low <= base <= across.high:
            continue
        x = across(base)
        if not is_missing:
            _mark(picture, kind, x, y, forward)
            continue
        for step in range(3):
            inside = x - direction * (3 + 4 * step)
            picture.rectangle(inside - 1, y - 1, 2, 2, "white")


def _mark(picture: Picture, kind: str, x: float, y: float, forward: int) -> None:
    if kind == "start":
        foot, half = x, 5.5
        picture.area([(foot, y - half), (foot + 7 * forward, y), (foot, y + half)], report.INK)
        return
    picture.rectangle(x - (2.5 if forward > 0 else 0), y - 7.5, 2.5, 15, report.NEGATIVE)


def _axis(picture: Picture, window: Region, across: Scale, top: float) -> float:
    """Draw the axis of positions; return where the picture ends."""
    picture.line([(_LEFT, top), (_RIGHT, top)], svg.SOFT, 0.8)
    # Positions of nine digits leave space for fewer.
    most = 5 if window.end < 1_000_000 else 4 if window.end < 100_000_000 else 3
    for base in svg.ticks(window.start + 1, window.end, most):
        x, text = across(base - 0.5), f"{base:,}"
        picture.line([(x, top), (x, top + 4)], svg.SOFT, 0.8)
        picture.text(svg.within(x, text, 11), top + 16, text, 11, svg.SOFT, "middle")
    name = f"{window.chromosome[:40]}, position in bases"
    picture.text((_LEFT + _RIGHT) / 2, top + 32, name, 11, svg.SOFT, "middle")
    return top + 38
