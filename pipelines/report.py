"""HTML pages: one file that loads nothing from outside, with plots as inline SVG.

The layout and the style are the template `report.html` next to this module; Jinja escapes every text put into it. A
page is the same bytes for the same content, and follows the reader's light or dark scheme. It fits a phone, and on
paper nothing of it is cut: folded tables are open, and the heads of tables are repeated.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from pipelines import __version__, storage
from pipelines.display import shown

if TYPE_CHECKING:
    # A page without plots does not wait for it.
    import matplotlib as mpl
    from matplotlib.figure import Figure

MISSING = "–"
# A cell of more letters is a sentence: it wraps.
WRAP_ABOVE = 40
# Letters that fit side by side on a screen of 1,200 pixels, and with a smaller font on paper; borders count as letters.
_WIDE_ABOVE, _CROWDED_ABOVE, _BORDER = 104, 130, 2
_NUMBER = r"[+−-]?(?:\d[\d,]*)?\.?\d+(?:e[+-]?\d+)?"
# Not an integer alone, which may be the name of a chromosome: 0.81, 12%, +3, 0.80–0.83, 0.81 ± 0.02, 828 MiB, 5 (2%).
_NUMBER_AS_TEXT = re.compile(
    rf"(?!\d+$){_NUMBER} ?%?(?:(?:–| to | ± ){_NUMBER} ?%?)?(?: ?(?:[KMGT]i?B|bytes?|bases|s|min|h))?"
    rf"(?: \({_NUMBER} ?%?\))?"
)
INK, GENE, NEGATIVE, ACCENT = "#3a4352", "#2f7d5b", "#b5653a", "#3566a8"
# Of things that are compared, in order: the colours first, then with other lines.
COLOURS = (GENE, ACCENT, NEGATIVE, "#7a4fa3", "#a67c00", "#1d7f93")
LINES = ("-", "--", "-.", ":")
# Label, name, colour and line style: classes differ in their lines too, not in colour alone.
LABELS = ((1, "genes", GENE, "-"), (0, "negatives", NEGATIVE, "--"))


@dataclass(frozen=True)
class Table:
    """Rows under a caption, for the terminal and the page alike."""

    caption: str
    header: tuple[str, ...]
    rows: list[tuple[object, ...]]


def made_from(manifest: Mapping[str, Any], command: str) -> list[tuple[str, object]]:
    """Names and values for the section of provenance: a dataset, its tokenizer, and the command.

    Args:
        manifest: of the dataset.
        command: as it was called.
    """
    return [
        ("dataset", manifest["fingerprint"]),
        ("tokenizer", manifest["tokenizer"]["fingerprint"]),
        ("command", command),
    ]


class Svg(str):
    """A picture as an SVG element whose texts are escaped already."""

    __slots__ = ()


class Plot(NamedTuple):
    """A plot on a page.

    Attributes:
        title: what it shows, in a few words.
        figure: the plot, of matplotlib or as SVG.
        text: what to read from it; follows the title.
        name: the element's id on the page is `figure-` and this, if there is one.
        alt_text: for readers who do not see it, in place of the title; need not repeat what a table next to it says.
    """

    title: str
    figure: Figure | Svg
    text: str = ""
    name: str = ""
    alt_text: str = ""


class _Cell(NamedTuple):
    """A cell of a table; `kind` is its class: `n` a number (right-aligned), `w` a sentence (wraps), or none."""

    text: str
    kind: Literal["n", "w", ""]


@dataclass(frozen=True)
class _Heading:
    text: str
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True)
class _Paragraph:
    text: str
    lead: bool
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True)
class _TableBlock:
    caption: str
    header: list[_Cell]
    rows: list[list[_Cell]]
    best: int | None
    folded: bool
    size: str
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class _DrawnPlot:
    """A plot as the template takes it; the SVG is put in as it is, because matplotlib escapes the texts in it."""

    title: str
    text: str
    name: str
    alt_text: str
    svg: str


@dataclass(frozen=True)
class _Plots:
    plots: list[_DrawnPlot]
    kind: Literal["plots"] = "plots"


class Page:
    """A page under construction.

    Args:
        title: its heading.
        subtitle: one line under it.
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self._title, self._subtitle = title, subtitle
        self._figures = 0
        self._blocks: list[_Heading | _Paragraph | _TableBlock | _Plots] = []

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._blocks.append(_Heading(text))

    def paragraph(self, text: str, *, lead: bool = False) -> None:
        """Add a paragraph; a lead stands out."""
        self._blocks.append(_Paragraph(text, lead))

    def table(
        self,
        caption: str,
        header: Sequence[str],
        rows: Sequence[Sequence[object]],
        best: int | None = None,
        *,
        folded: bool = False,
    ) -> None:
        """Add a table; a folded one shows only its caption until it is opened.

        Args:
            caption: stands above it.
            header: names of the columns.
            rows: cells of each row, as many as the header has.
            best: number of the row to highlight.
            folded: whether to fold it.
        """
        # What names a row stays on the left, as do ranges of lengths.
        numeric = [all(_is_number(row[at], is_name=at == 0) for row in rows) for at in range(len(header))]
        names = [_Cell(name, "n" if right else "") for name, right in zip(header, numeric, strict=True)]
        cells = [[_cell(value, right) for right, value in zip(numeric, row, strict=True)] for row in rows]
        self._blocks.append(_TableBlock(caption, names, cells, best, folded, _size(names, cells)))

    def add(self, table: Table, best: int | None = None, *, folded: bool = False) -> None:
        """Add a table that the terminal may show too; `best` and `folded` as of `table`."""
        self.table(table.caption, table.header, table.rows, best, folded=folded)

    def provenance(self, facts: Sequence[tuple[str, object]]) -> None:
        """Add the last section, which says what the page was made from; raygene's version comes first by itself.

        Args:
            facts: names and values, such as a dataset and its fingerprint; an empty value is left out.
        """
        self.heading("Where this page comes from")
        rows = [("raygene", __version__), *((name, value) for name, value in facts if value not in (None, ""))]
        self.table("Versions, files and settings", ("", "value"), rows)

    def figures(self, *figures: tuple[str, Figure | Svg] | Plot) -> None:
        """Add plots side by side, each with its caption; without one nothing is added."""
        drawn = []
        for plot in (Plot(*figure) for figure in figures):
            self._figures += 1
            svg = plot.figure if isinstance(plot.figure, Svg) else _svg(plot.figure, f"f{self._figures}-")
            drawn.append(_DrawnPlot(plot.title, plot.text, plot.name, plot.alt_text, svg))
        if drawn:
            self._blocks.append(_Plots(drawn))

    def html(self) -> str:
        """The whole page."""
        return _template().render(title=self._title, subtitle=self._subtitle, blocks=self._blocks)

    def write(self, path: Path) -> None:
        """Write the page, whole or not at all.

        Raises:
            ResourceError: the file cannot be written.
        """
        storage.write_text(path, self.html())


@cache
def _template() -> Template:
    """The template of every page: what is put into it passes `display.shown`, and its HTML is escaped."""
    environment = Environment(
        autoescape=True,
        finalize=lambda value: shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(resources.files("pipelines").joinpath("report.html").read_text(encoding="utf-8"))


def _cell(value: object, numeric: bool) -> _Cell:
    text = format_cell(value)
    if len(text) > WRAP_ABOVE:
        return _Cell(text, "w")
    return _Cell(text, "n" if numeric else "")


def _is_number(value: object, *, is_name: bool) -> bool:
    if isinstance(value, str):
        return value == MISSING or (not is_name and (not value or _NUMBER_AS_TEXT.fullmatch(value) is not None))
    return value is None or isinstance(value, int | float)


def _size(header: Sequence[_Cell], rows: Sequence[Sequence[_Cell]]) -> str:
    """The classes of a table with more letters side by side than fit at the usual size of the font."""
    widths = [max(map(len, name.text.split()), default=0) for name in header]
    for row in rows:
        widths = [
            max(width, min(len(cell.text), WRAP_ABOVE // 2) if cell.kind == "w" else len(cell.text))
            for width, cell in zip(widths, row, strict=True)
        ]
    total = sum(widths) + _BORDER * len(widths)
    return "" if total <= _WIDE_ABOVE else "wide" if total <= _CROWDED_ABOVE else "wide crowded"


def format_cell(value: object) -> str:
    """A value as the text of a cell: thousands separated, three decimals, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def new_figure(x: str, y: str, height: float = 4.0) -> tuple[Figure, mpl.axes.Axes]:
    """An empty plot of 5.2 by `height` inches in the style of all pages, without global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#d9dee6", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def series_style(number: int) -> tuple[str, str]:
    """Colour and line style of the number-th of the things that a plot compares."""
    return COLOURS[number % len(COLOURS)], LINES[number // len(COLOURS) % len(LINES)]


def plain(name: str, limit: int | None = None) -> str:
    """A name as a text of a plot.

    Args:
        name: any text. In matplotlib what stands between two dollar signs is a formula, and a label that begins with an
            underscore is left out of a legend.
        limit: characters that are shown at most.
    """
    text = shown(name)
    if limit is not None:
        text = text[:limit]
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _svg(figure: Figure, prefix: str) -> str:
    """The plot as an SVG element; `prefix` keeps its ids apart from those of other plots on the page."""
    import matplotlib as mpl

    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "raygene", "svg.fonttype": "path"}), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, and its name stands in the tables.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", text)
    return text[text.index("<svg") :]
