"""A campaign as one HTML page: the best configuration, score and gap over model sizes, importance, and every trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from pipelines import report
from tuning import importance, lines, summary
from tuning.summary import Mean, Size
from tuning.trial import Trial

Value = Callable[[Size], Mean]


def page(
    trials: Sequence[Trial], metric: str, sizes: Sequence[Size], shares: dict[str, float], about: str
) -> report.Page:
    """Build the page.

    Args:
        trials: of the campaign.
        metric: auroc or mcc.
        sizes: as `summary.sizes`.
        shares: as `importance.importance`.
        about: one line under the title.
    """
    name = "AUROC" if metric == "auroc" else "MCC"
    made = report.Page("Search campaign", about)
    made.paragraph(summary.verdict(trials, metric), lead=True)
    made.paragraph(f"{summary.account(trials)}.")
    plots = []
    if len({one.embedding for one in sizes}) > 1 or len({one.hidden for one in sizes}) > 1:
        spread = "; ± is the 95 % interval of the mean" if any(one.score.half is not None for one in sizes) else ""
        plots = [
            report.Plot(
                f"Validation {name} over sizes",
                heat(sizes, lambda one: one.score, "viridis"),
                f"Mean of all trials of a size, whatever their other values{spread}.",
                "score",
            ),
            report.Plot(
                f"Gap in {name}, train − validation, over sizes",
                heat(sizes, lambda one: one.gap, "magma"),
                f"How much better the kept epoch does on rows it was learnt from{spread}.",
                "gap",
            ),
        ]
    if len([one for one in trials if one.value(metric) is not None]) > 1:
        plots.append(report.Plot("In the order of proposal", history(trials, metric, name), name="history"))
    if shares:
        plots.append(report.Plot(f"What {name} depends on", bars(shares), f"By {importance.METHOD}.", "importance"))
    if plots:
        made.figures(*plots)
    if sizes:
        made.table("By size of token vectors and state", summary.SIZE_HEADER, summary.size_rows(sizes))
    if shares:
        made.table(f"Importance: {importance.METHOD}", importance.HEADER, importance.rows(shares))
    made.heading("Every trial")
    found = summary.rows(trials, metric)
    made.table("Best first", summary.header(trials, metric), found, best=0 if summary.best(trials, metric) else None)
    if told := summary.reasons(trials):
        made.table("Why trials ended before their last epoch, or never began", ("trial", "state", "reason"), told)
    return made


def heat(sizes: Sequence[Size], value: Value, colours: str) -> Figure:
    """Embedding across, hidden size upwards, the mean of each pair in its cell."""
    across = sorted({one.embedding for one in sizes})
    upwards = sorted({one.hidden for one in sizes})
    grid = np.full((len(upwards), len(across)), np.nan)
    for one in sizes:
        grid[upwards.index(one.hidden), across.index(one.embedding)] = value(one).value
    figure, axes = report.new_figure("embedding", "hidden", height=1.6 + 0.5 * len(upwards))
    axes.grid(visible=False)
    image = axes.imshow(grid, origin="lower", aspect="auto", cmap=colours)
    axes.set_xticks(range(len(across)), [str(one) for one in across])
    axes.set_yticks(range(len(upwards)), [str(one) for one in upwards])
    middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
    for one in sizes:
        place = upwards.index(one.hidden), across.index(one.embedding)
        found = value(one)
        told = f"{found.value:.3f}" + (f"\n±{found.half:.3f}" if found.half is not None else "")
        dark = grid[place] <= middle
        axes.text(place[1], place[0], told, ha="center", va="center", fontsize=7, color="white" if dark else "black")
    figure.colorbar(image, ax=axes)
    return figure


def history(trials: Sequence[Trial], metric: str, name: str) -> Figure:
    """The figure of every trial, and the best so far."""
    figure, axes = report.new_figure("trial", f"validation {name}")
    some = [(one.number, value, one.state) for one in trials if (value := one.value(metric)) is not None]
    for state, colour in (("finished", report.GENE), ("stopped early", report.NEGATIVE)):
        here = [(number, value) for number, value, kind in some if kind == state]
        if here:
            axes.plot(*zip(*here, strict=True), "o", markersize=4, color=colour, label=state)
    best, steps = -math.inf, []
    for number, value, _ in some:
        best = max(best, value)
        steps.append((number, best))
    axes.step(*zip(*steps, strict=True), where="post", color=report.ACCENT, linewidth=1, label="best so far")
    axes.legend(frameon=False, fontsize=8)
    return figure


def bars(shares: dict[str, float]) -> Figure:
    """A bar for every key, the most important above."""
    figure, axes = report.new_figure("share of the variation", "", height=1.2 + 0.4 * len(shares))
    names = [key.rpartition(".")[2] for key in shares]
    axes.barh(names[::-1], list(shares.values())[::-1], color=report.ACCENT)
    axes.set_xlim(0, 1)
    return figure


def about(trials: Sequence[Trial], search: str, seconds: float) -> str:
    """The line under the title."""
    keys = ", ".join(key for key in summary.searched(trials))
    return f"{search} over {keys} · {lines.duration(seconds)}"
