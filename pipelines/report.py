"""The shell of every HTML page: one file without anything from outside, plots as inline SVG.

Pages are the same bytes for the same content. They follow the reader's light or dark scheme.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from pipelines import storage

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6575;--line:#d9dee6;--paper:#fff;--best:#e8f3ec;--panel:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf0;--soft:#a3adbb;--line:#39424f;--paper:#14181f;--best:#1d3a2a;--panel:#f7f8fa}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:2.5rem 1.25rem 4rem;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:0}h2{font-size:1.15rem;margin:2.5rem 0 .6rem}
.sub{color:var(--soft);margin:.35rem 0 1.5rem;overflow-wrap:anywhere}
.lead{font-size:1.05rem;border-left:4px solid #2f7d5b;padding:.4rem 0 .4rem 1rem;margin:1.5rem 0}
.scroll{overflow-x:auto;background:linear-gradient(to right,var(--paper) 40%,transparent) 0 0/3rem 100% no-repeat local,
linear-gradient(to left,var(--paper) 40%,transparent) 100% 0/3rem 100% no-repeat local,
linear-gradient(to right,var(--line),transparent) 0 0/1rem 100% no-repeat scroll,
linear-gradient(to left,var(--line),transparent) 100% 0/1rem 100% no-repeat scroll}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.94rem}
caption{text-align:left;color:var(--soft);padding:1.4rem 0 .4rem}
caption span{position:sticky;left:0;display:inline-block;max-width:calc(100vw - 2.5rem)}
th,td{padding:.38rem .7rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
td.w{white-space:normal;min-width:20rem}th{font-weight:600}.n{text-align:right}tr.best td{background:var(--best)}
.row{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(24rem,100%),1fr));gap:0 1.25rem}
figure{margin:1rem 0;min-width:0}figure svg{width:100%;height:auto;background:var(--panel);border-radius:6px}
figcaption{color:var(--soft);font-size:.9rem;margin-top:.35rem}figcaption b{color:var(--ink);font-weight:600}
details{margin:1rem 0}summary{cursor:pointer;color:var(--soft)}
@media(max-width:40rem){th,td{padding:.38rem .5rem}th:first-child,td:first-child{position:sticky;left:0;min-width:6rem;
max-width:9rem;white-space:normal;overflow-wrap:break-word;background:var(--paper)}}
"""

MISSING = "–"
LONG = 60
INK, GENE, NEGATIVE, ACCENT = "#3a4352", "#2f7d5b", "#b5653a", "#3566a8"
LABELS = ((1, "genes", GENE, "-"), (0, "negatives", NEGATIVE, "--"))


@dataclass(frozen=True)
class Table:
    """Rows under a caption, for the terminal and the page alike."""

    caption: str
    header: tuple[str, ...]
    rows: list[tuple[object, ...]]


class Plot(NamedTuple):
    """A plot on a page.

    Attributes:
        title: what it shows, in a few words.
        figure: the plot.
        text: what to read off it; follows the title.
        name: the element's id on the page is `figure-` and this, if there is one.
        spoken: for readers who do not see it, in place of the title; what a table beside it says need not stand here.
    """

    title: str
    figure: Figure
    text: str = ""
    name: str = ""
    spoken: str = ""


class Page:
    """A page under construction.

    Args:
        title: its heading.
        subtitle: one line under it.
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self._title = title
        self._figures = 0
        self._parts = [f"<h1>{html.escape(title)}</h1>"]
        if subtitle:
            self._parts.append(f'<p class="sub">{html.escape(subtitle)}</p>')

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def paragraph(self, text: str, *, lead: bool = False) -> None:
        """Add a paragraph; a lead stands out."""
        self._parts.append(f"<p{' class=lead' if lead else ''}>{html.escape(text)}</p>")

    def table(
        self,
        caption: str,
        header: Sequence[str],
        rows: Sequence[Sequence[object]],
        best: int | None = None,
        *,
        folded: bool = False,
    ) -> None:
        """Add a table; `best` is the row to highlight. A folded one shows its caption until it is opened."""
        numeric = [
            all(isinstance(row[column], int | float) or row[column] in (None, MISSING) for row in rows)
            for column in range(len(header))
        ]
        mark = [' class="n"' if right else "" for right in numeric]
        lines = [
            "<tr>"
            + "".join(f"<th scope=col{one}>{html.escape(name)}</th>" for one, name in zip(mark, header, strict=True))
        ]
        for number, row in enumerate(rows):
            cells = "".join(_cell(shown(cell), one) for one, cell in zip(mark, row, strict=True))
            lines.append(f"<tr{' class=best' if number == best else ''}>{cells}")
        told, body = html.escape(caption), "\n".join(lines)
        if folded:
            whole = f'<details><summary>{told}</summary><div class="scroll"><table>{body}</table></div></details>'
        else:
            whole = f'<div class="scroll"><table><caption><span>{told}</span></caption>{body}</table></div>'
        self._parts.append(whole)

    def figures(self, *figures: tuple[str, Figure] | Plot) -> None:
        """Add plots side by side, each with its caption."""
        inner = []
        for plot in (Plot(*one) for one in figures):
            self._figures += 1
            title, named = html.escape(plot.title), f' id="figure-{html.escape(plot.name)}"' if plot.name else ""
            caption = f"<b>{title}.</b> {html.escape(plot.text)}" if plot.text else title
            inner.append(
                f'<figure{named} role="img" aria-label="{html.escape(plot.spoken) or title}">{_svg(plot.figure, f"f{self._figures}-")}'
                f"<figcaption>{caption}</figcaption></figure>"
            )
        self._parts.append(f'<div class="row">{"".join(inner)}</div>')

    def html(self) -> str:
        """The whole page."""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{html.escape(self._title)}</title><style>{_STYLE}</style></head><body>\n"
            + "\n".join(self._parts)
            + "\n</body></html>\n"
        )

    def write(self, path: Path) -> None:
        """Write the page, whole or not at all.

        Raises:
            ResourceError: the place cannot be written.
        """
        storage.write_text(path, self.html())


def _cell(text: str, mark: str) -> str:
    """A cell; sentences wrap, figures and names do not."""
    return f"<td{' class=w' if len(text) > LONG else mark}>{html.escape(text)}</td>"


def shown(cell: object) -> str:
    """A cell as text: thousands separated, three decimals, nothing for None."""
    if cell is None:
        return ""
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def new_figure(x: str, y: str, height: float = 4.0) -> tuple[Figure, mpl.axes.Axes]:
    """An empty plot of the house's size (5.2 by `height` inches) and style, without global state."""
    figure = Figure(figsize=(5.2, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#d9dee6", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure, prefix: str) -> str:
    """The plot as an SVG element; `prefix` keeps its ids apart from those of other plots on the page."""
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "raygene", "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", text)
    return text[text.index("<svg") :]
