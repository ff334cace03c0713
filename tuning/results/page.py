"""A study as one HTML page: the best configuration, score and gap over model sizes, importance, and every trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from pipelines import report
from tuning import lines, summary
from tuning.results import importance
from tuning.summary import Mean, Size
from tuning.trial import Trial

ValueOf = Callable[[Size], Mean]
# The luminance on which black and white letters stand out alike, at a contrast of 4.6.
EQUAL_CONTRAST = 0.179


def build_page(
    trials: Sequence[Trial],
    metric: str,
    sizes: Sequence[Size],
    shares: dict[str, float],
    subtitle: str,
    seeds: int = 1,
) -> report.Page:
    """Build the page.

    Args:
        trials: all trials of the study.
        metric: auroc or mcc.
        sizes: as `summary.sizes` gives them.
        shares: as `importance.importance` gives them.
        subtitle: one line under the title.
        seeds: trials of each configuration.
    """
    name = summary.figure_name(metric)
    page = report.Page("Hyperparameter study", subtitle)
    page.paragraph(summary.verdict(trials, metric, seeds), lead=True)
    for text in summary.cautions(trials):
        page.paragraph(f"Caution: {text}.")
    page.paragraph(f"{summary.account(trials)}.")
    plots = _size_plots(sizes, name)
    if len(scored := summary.figures(trials, metric)) > 1:
        plots.append(_history_plot(scored, name))
    if shares:
        plots.append(_importance_plot(shares, name))
    if plots:
        page.figures(*plots)
    if len(sizes) > 1:
        if pooled := summary.pooling(trials):
            page.paragraph(pooled)
        page.table("By size of token vectors and state", summary.SIZE_HEADER, summary.size_rows(sizes))
    if shares:
        page.table(f"Importance: {importance.METHOD}", importance.HEADER, importance.rows(shares))
    page.heading("Every trial")
    _add_trials(page, trials, metric, seeds)
    if reasons := summary.reasons(trials):
        page.table("Why trials ended before their last epoch, or never began", summary.REASON_HEADER, reasons)
    return page


def _add_trials(page: report.Page, trials: Sequence[Trial], metric: str, seeds: int) -> None:
    """Add the table of all trials, the best marked."""
    best = summary.best(trials, metric, seeds)
    order = summary.ranking(trials, metric, seeds)
    caption = f"The best configuration first{', by the mean over its seeds' if seeds > 1 else ''}"
    caption += f"; trial {best.number} is the best" if best else ""
    rows = summary.rows(trials, metric, seeds)
    page.table(caption, summary.header(trials, metric), rows, best=order.index(best) if best else None)


def _size_plots(sizes: Sequence[Size], name: str) -> list[report.Plot]:
    """Score and gap over sizes; nothing for a single size."""
    if len(sizes) < 2:
        return []
    spread = "; ± is the 95 % interval of the mean" if any(size.score.half is not None for size in sizes) else ""
    cells = len({size.embedding for size in sizes}) * len({size.hidden for size in sizes})
    empty = "; where it is empty no trial has a figure" if len(sizes) < cells else ""
    return [
        report.Plot(
            f"Validation {name} over sizes",
            heatmap(sizes, lambda size: size.score, "viridis"),
            f"Mean of all trials of a size{spread}{empty}.",
            "score",
            _alt_text(f"Validation {name}", sizes, lambda size: size.score),
        ),
        report.Plot(
            f"Gap in {name}, train − validation, over sizes",
            heatmap(sizes, lambda size: size.gap, "magma"),
            f"How much better the kept epoch does on rows it was learnt from{spread}.",
            "gap",
            _alt_text(f"Gap in {name}", sizes, lambda size: size.gap),
        ),
    ]


def _alt_text(what: str, sizes: Sequence[Size], value_of: ValueOf) -> str:
    """The lowest and highest cell of a heat map in words; the table has all of them."""
    lowest, highest = (choose(sizes, key=lambda size: value_of(size).value) for choose in (min, max))
    ends = " to ".join(
        f"{value_of(size).value:.3f} (embedding {size.embedding}, hidden {size.hidden})" for size in (lowest, highest)
    )
    return f"{what} over embedding and hidden size, from {ends}; every value is in the table by size"


def _history_plot(scored: Sequence[tuple[Trial, float]], name: str) -> report.Plot:
    best, value = max(scored, key=lambda pair: pair[1])
    return report.Plot(
        "In the order of proposal",
        history(scored, name),
        "Every trial with a figure, and the highest so far.",
        "history",
        f"Validation {name} of {len(scored)} trials in the order of proposal; "
        f"the highest, {value:.4f}, is trial {best.number}",
    )


def _importance_plot(shares: dict[str, float], name: str) -> report.Plot:
    listed = ", ".join(f"{lines.last(key)} {share:.0%}" for key, share in shares.items())
    return report.Plot(
        f"What {name} depends on",
        bars(shares),
        f"Share of its variation that a key explains, by {importance.METHOD}.",
        "importance",
        f"Shares of the variation in {name}: {listed}",
    )


def heatmap(sizes: Sequence[Size], value_of: ValueOf, colours: str) -> Figure:
    """Draw the mean of each size in its cell, embedding from left to right and hidden size upwards.

    Args:
        sizes: the cells to fill; the others stay empty.
        value_of: what of a size is drawn.
        colours: name of a matplotlib colour map.
    """
    columns = sorted({size.embedding for size in sizes})
    rows = sorted({size.hidden for size in sizes})
    grid = np.full((len(rows), len(columns)), np.nan)
    for size in sizes:
        grid[rows.index(size.hidden), columns.index(size.embedding)] = value_of(size).value
    figure, axes = report.new_figure("embedding", "hidden", height=1.6 + 0.5 * len(rows))
    axes.grid(visible=False)
    image = axes.imshow(grid, origin="lower", aspect="auto", cmap=colours)
    axes.set_xticks(range(len(columns)), [str(width) for width in columns])
    axes.set_yticks(range(len(rows)), [str(width) for width in rows])
    font_size = min(9.0, 50 / len(columns))
    for size in sizes:
        row, column = rows.index(size.hidden), columns.index(size.embedding)
        mean = value_of(size)
        text = f"{mean.value:.3f}" + (f"\n±{mean.half:.3f}" if mean.half is not None else "")
        ink = "white" if luminance(image.to_rgba(grid[row, column])) < EQUAL_CONTRAST else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=font_size, color=ink)
    figure.colorbar(image, ax=axes)
    return figure


def luminance(colour: ArrayLike) -> float:
    """Relative luminance of red, green and blue in 0 to 1, as WCAG 2 defines it."""
    channels = np.asarray(colour, dtype=np.float64)[:3]
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def history(scored: Sequence[tuple[Trial, float]], name: str) -> Figure:
    """Draw the figure of every trial, and the highest so far; states differ in their markers, not in colour alone."""
    figure, axes = report.new_figure("trial", f"validation {name}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for state, marker, colour in (("finished", "o", report.GENE), ("stopped early", "x", report.NEGATIVE)):
        points = [(trial.number, value) for trial, value in scored if trial.state == state]
        if points:
            axes.plot(*zip(*points, strict=True), marker, markersize=5, color=colour, label=state)
    best, steps = -math.inf, []
    for trial, value in scored:
        best = max(best, value)
        steps.append((trial.number, best))
    axes.step(*zip(*steps, strict=True), where="post", color=report.ACCENT, linewidth=1, label="highest so far")
    axes.legend(frameon=False, fontsize=8)
    return figure


def bars(shares: dict[str, float]) -> Figure:
    """Draw a bar for every key, the most important on top."""
    figure, axes = report.new_figure("share of the variation", "", height=1.2 + 0.4 * len(shares))
    # barh draws from the bottom up.
    names, values = [lines.last(key) for key in shares][::-1], list(shares.values())[::-1]
    drawn = axes.barh(names, values, color=report.ACCENT)
    axes.bar_label(drawn, [f"{share:.0%}" for share in values], padding=3, fontsize=8)
    axes.set_xlim(0, 1.08)
    return figure


def about(trials: Sequence[Trial], search: str, seconds: float) -> str:
    """The line under the title: search algorithm, keys and duration."""
    keys = ", ".join(summary.searched(trials))
    return f"{search} over {keys} · {lines.duration(seconds)}"
