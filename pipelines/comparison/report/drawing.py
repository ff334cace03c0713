"""Loci as pictures: the annotation above, each call set below; exons as boxes, CDS thicker, introns as lines.

Chevrons on introns and boxes point in reading direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipelines import report
from pipelines.comparison.loci import Comparison, span
from pipelines.gene_models.model import Gene, Spans, Transcript

MAX_ROWS, MAX_TRANSCRIPTS = 5, 3
"""Rows of a track, and transcripts of a gene, that are drawn."""
MAX_LETTERS = 24
_THICK, _THIN = 0.42, 0.2
_CHEVRONS = 24
"""Over the whole width, were it one intron."""
_LABEL = 0.46
# Bases are 1/400 of the width at least, else a short exon would not be seen.
_MIN_SHARE = 400
# Letters of a label that the width has space for.
_LETTERS = 62


@dataclass(frozen=True)
class Window:
    """A stretch of a sequence that is drawn, 0-based half-open."""

    chromosome: str
    start: int
    end: int

    def __str__(self) -> str:
        """As samtools writes it, 1-based and inclusive."""
        return f"{self.chromosome}:{self.start + 1}-{self.end}"


@dataclass(frozen=True)
class _Row:
    """A transcript, or a gene without any, with where its label goes."""

    gene: Gene
    transcript: Transcript | None
    start: int
    end: int
    label: str
    in_focus: bool


def window_of(chromosome: str, start: int, end: int, length: int) -> Window:
    """An interval with a tenth of it, and at least 100 bases, on either side."""
    flank = max((end - start) // 10, 100)
    return Window(chromosome, max(start - flank, 0), min(end + flank, length))


def draw(comparison: Comparison, window: Window, focus: Sequence[Gene] = ()) -> Figure:
    """Draw a window: the annotation, and every call set under it.

    Args:
        comparison: of the call sets.
        window: where.
        focus: genes and calls that it is about: drawn first, with those of their structure, and named in bold.
    """
    tracks = [("annotation", report.INK, comparison.genes)]
    tracks += [
        (call_set.name, report.series_style(number)[0], call_set.calls)
        for number, call_set in enumerate(comparison.call_sets)
    ]
    packed = [(name, colour, *_pack(_rows(genes, window, focus), window)) for name, colour, genes in tracks]
    heights = [1.1 + max(len(lines), 1) + (0.6 if hidden else 0) for _, _, lines, hidden in packed]
    x = f"{report.plain(window.chromosome, 40)}, position in bases"
    figure, axes = report.new_figure(x, "", height=0.8 + 0.29 * sum(heights))
    top = 0.0
    for (name, colour, lines, hidden), height in zip(packed, heights, strict=True):
        axes.axhline(top, color="#d9dee6", linewidth=0.6)
        _write(axes, 0.0, top - 0.4, report.plain(name, 50), color=colour, fontsize=9, fontweight="bold", ha="left")
        if not lines:
            _write(axes, 0.5, top - 1.4, "nothing here")
        for level, line in enumerate(lines):
            for row in line:
                _draw(axes, row, top - 1.45 - level, colour, window)
        if hidden:
            _write(axes, 0.5, top - 1.3 - len(lines), f"and {hidden:,} more")
        top -= height
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.set_xlim(window.start, window.end)
    axes.set_ylim(top, 0.05)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(axis="x", labelsize=9)
    return figure


def _write(axes: mpl.axes.Axes, share: float, y: float, text: str, **style: Any) -> None:
    """Write at a share of the width."""
    grey: dict[str, Any] = {"color": "#7b8494", "fontsize": 8, "ha": "center", "va": "center"}
    axes.text(share, y, text, transform=axes.get_yaxis_transform(), **(grey | style))


def _rows(genes: Sequence[Gene], window: Window, focus: Sequence[Gene]) -> list[_Row]:
    """Everything of a track in a window: first what the picture is about, then in the order of the genome."""
    structures = {structure for gene in focus for structure in _structures(gene)}
    rows: list[tuple[int, _Row]] = []
    for gene in genes:
        start, end = span(gene)
        if gene.chromosome != window.chromosome or start >= window.end or end <= window.start:
            continue
        in_focus = any(gene is one for one in focus)
        rank = 0 if in_focus else 1 if structures.intersection(_structures(gene)) else 2
        shown = gene.transcripts[:MAX_TRANSCRIPTS]
        strand = f" ({gene.strand.replace('-', '−')})" if gene.strand in "+-" else ""
        more = len(gene.transcripts) - len(shown)
        label = f"{report.plain(gene.gene_id, MAX_LETTERS)}{strand}" + (f", {more} more isoforms" if more else "")
        if not shown:
            rows.append((rank, _Row(gene, None, start, end, label, in_focus)))
        for number, one in enumerate(shown):
            rows.append((rank, _Row(gene, one, one.start, one.end, "" if number else label, in_focus)))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _structures(gene: Gene) -> set[tuple[str, Spans]]:
    return {(gene.strand, transcript.cds or transcript.exons) for transcript in gene.transcripts}


def _pack(rows: Sequence[_Row], window: Window) -> tuple[list[list[_Row]], int]:
    """Lay rows out on lines so that neither they nor their labels overlap.

    Returns:
        The lines, at most `MAX_ROWS`, and the number of rows that had no space.
    """
    lines: list[list[_Row]] = []
    taken: list[list[tuple[float, float]]] = []
    hidden = 0
    for row in rows:
        text_start, text_end = _label_ends(row, window)
        start, end = min(row.start, text_start), max(row.end, text_end)
        free = next(
            (line for line, others in enumerate(taken) if all(end <= one[0] or start >= one[1] for one in others)), None
        )
        if free is None:
            if len(lines) == MAX_ROWS:
                hidden += 1
                continue
            free = len(lines)
            lines.append([])
            taken.append([])
        lines[free].append(row)
        taken[free].append((start, end))
    return lines, hidden


def _label_ends(row: _Row, window: Window) -> tuple[float, float]:
    """Where a label begins and ends: it begins with its row, unless it would exceed the picture."""
    width = (len(row.label) + 1) * (window.end - window.start) / _LETTERS
    start = max(row.start, window.start)
    return (start, start + width) if start + width <= window.end else (window.end - width, window.end)


def _draw(axes: mpl.axes.Axes, row: _Row, y: float, colour: str, window: Window) -> None:
    exons = row.transcript.exons if row.transcript else ((row.start, row.end),)
    cds = row.transcript.cds if row.transcript else ()
    ends = [max(row.start, window.start), min(row.end, window.end)]
    axes.plot(ends, [y, y], color=colour, linewidth=1, solid_capstyle="butt", zorder=1)
    for parts, thickness in ((exons, _THIN), (cds, _THICK)):
        for start, end in _inside(parts, window):
            size = max(end - start, (window.end - window.start) / _MIN_SHARE)
            corner = (start, y - thickness / 2)
            axes.add_patch(Rectangle(corner, size, thickness, facecolor=colour, linewidth=0, zorder=2))
    if row.gene.strand in "+-":
        introns = row.transcript.introns if row.transcript else ()
        for parts, ink in ((cds or exons, "white"), (introns, colour)):
            for start, end in _inside(parts, window):
                _chevrons(axes, start, end, y, ink, row.gene.strand, window)
    if row.label:
        left, right = _label_ends(row, window)
        at_end = right == window.end
        weight = "bold" if row.in_focus else "normal"
        style: dict[str, Any] = {"fontsize": 8, "fontweight": weight, "color": report.INK, "va": "center", "zorder": 4}
        axes.text(right if at_end else left, y + _LABEL, row.label, ha="right" if at_end else "left", **style)


def _inside(parts: Spans, window: Window) -> list[tuple[int, int]]:
    """Parts of a transcript as far as they lie in a window."""
    return [
        (max(start, window.start), min(end, window.end))
        for start, end in parts
        if start < window.end and end > window.start
    ]


def _chevrons(axes: mpl.axes.Axes, start: int, end: int, y: float, colour: str, strand: str, window: Window) -> None:
    """Arrow heads along a part of a transcript, at least one where there is space for it."""
    step = (window.end - window.start) / _CHEVRONS
    if end - start < step / 2:
        return
    count = max(round((end - start) / (2 * step)), 1)
    at = start + (np.arange(count) + 0.5) * (end - start) / count
    marker = mpl.path.Path(((-1, -1), (1, 0), (-1, 1)) if strand == "+" else ((1, -1), (-1, 0), (1, 1)))
    style: dict[str, Any] = {"markersize": 4.5, "markerfacecolor": "none", "markeredgewidth": 1, "linestyle": "none"}
    axes.plot(at, np.full(count, y), marker=marker, markeredgecolor=colour, zorder=3, **style)
