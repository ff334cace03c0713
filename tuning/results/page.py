"""A campaign as one HTML page: the best configuration, score and gap over model sizes, importance, and every trial."""

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

Value = Callable[[Size], Mean]
# The luminance on which black and white letters stand out alike, at a contrast of 4.6.
EVEN = 0.179


def page(
    trials: Sequence[Trial],
    metric: str,
    sizes: Sequence[Size],
    shares: dict[str, float],
    about: str,
    seeds: int = 1,
) -> report.Page:
    """Build the page.

    Args:
        trials: of the campaign.
        metric: auroc or mcc.
        sizes: as `summary.sizes`.
        shares: as `importance.importance`.
        about: one line under the title.
        seeds: trials of each configuration.
    """
    name = summary.figure_name(metric)
    made = report.Page("Search campaign", about)
    made.paragraph(summary.verdict(trials, metric, seeds), lead=True)
    for text in summary.cautions(trials):
        made.paragraph(f"Caution: {text}.")
    made.paragraph(f"{summary.account(trials)}.")
    plots = _of_sizes(sizes, name)
    if len(some := summary.figures(trials, metric)) > 1:
        plots.append(_in_order(some, name))
    if shares:
        told = ", ".join(f"{lines.last(key)} {share:.0%}" for key, share in shares.items())
        plots.append(
            report.Plot(
                f"What {name} depends on",
                bars(shares),
                f"Share of its variation that a key explains, by {importance.METHOD}.",
                "importance",
                f"Shares of the variation in {name}: {told}",
            )
        )
    if plots:
        made.figures(*plots)
    if len(sizes) > 1:
        if pooled := summary.pooling(trials):
            made.paragraph(pooled)
        made.table("By size of token vectors and state", summary.SIZE_HEADER, summary.size_rows(sizes))
    if shares:
        made.table(f"Importance: {importance.METHOD}", importance.HEADER, importance.rows(shares))
    made.heading("Every trial")
    _trials(made, trials, metric, seeds)
    if reasons := summary.reasons(trials):
        made.table("Why trials ended before their last epoch, or never began", summary.REASON_HEADER, reasons)
    return made


def _trials(made: report.Page, trials: Sequence[Trial], metric: str, seeds: int) -> None:
    chosen = summary.best(trials, metric, seeds)
    order = summary.ranking(trials, metric, seeds)
    caption = f"The best configuration first{', by the mean over its seeds' if seeds > 1 else ''}"
    caption += f"; trial {chosen.number} is the best" if chosen else ""
    made.table(
        caption,
        summary.header(trials, metric),
        summary.rows(trials, metric, seeds),
        best=order.index(chosen) if chosen else None,
    )


def _of_sizes(sizes: Sequence[Size], name: str) -> list[report.Plot]:
    """Score and gap over sizes, where there are several."""
    if len(sizes) < 2:
        return []
    spread = "; ± is the 95 % interval of the mean" if any(one.score.half is not None for one in sizes) else ""
    full = len({one.embedding for one in sizes}) * len({one.hidden for one in sizes})
    empty = "; where it is empty no trial has a figure" if len(sizes) < full else ""
    return [
        report.Plot(
            f"Validation {name} over sizes",
            heat(sizes, lambda one: one.score, "viridis"),
            f"Mean of all trials of a size{spread}{empty}.",
            "score",
            _spoken(f"Validation {name}", sizes, lambda one: one.score),
        ),
        report.Plot(
            f"Gap in {name}, train − validation, over sizes",
            heat(sizes, lambda one: one.gap, "magma"),
            f"How much better the kept epoch does on rows it was learnt from{spread}.",
            "gap",
            _spoken(f"Gap in {name}", sizes, lambda one: one.gap),
        ),
    ]


def _spoken(what: str, sizes: Sequence[Size], value: Value) -> str:
    """The ends of a heat map in words; all of it stands in the table."""
    low, high = (pick(sizes, key=lambda one: value(one).value) for pick in (min, max))
    ends = " to ".join(
        f"{value(one).value:.3f} (embedding {one.embedding}, hidden {one.hidden})" for one in (low, high)
    )
    return f"{what} over embedding and hidden size, from {ends}; every value stands in the table by size"


def _in_order(some: Sequence[tuple[Trial, float]], name: str) -> report.Plot:
    trial, value = max(some, key=lambda one: one[1])
    return report.Plot(
        "In the order of proposal",
        history(some, name),
        "Every trial with a figure, and the highest so far.",
        "history",
        f"Validation {name} of {len(some)} trials in the order of proposal; the highest, {value:.4f}, is trial {trial.number}",
    )


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
    letters = min(9.0, 50 / len(across))
    for one in sizes:
        place = upwards.index(one.hidden), across.index(one.embedding)
        found = value(one)
        told = f"{found.value:.3f}" + (f"\n±{found.half:.3f}" if found.half is not None else "")
        ink = "white" if luminance(image.to_rgba(grid[place])) < EVEN else "black"
        axes.text(place[1], place[0], told, ha="center", va="center", fontsize=letters, color=ink)
    figure.colorbar(image, ax=axes)
    return figure


def luminance(colour: ArrayLike) -> float:
    """Relative luminance of red, green and blue in 0 to 1, as WCAG 2 defines it."""
    channels = np.asarray(colour, dtype=np.float64)[:3]
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def history(some: Sequence[tuple[Trial, float]], name: str) -> Figure:
    """The figure of every trial, and the highest so far; states differ in their marks, not in colour alone."""
    figure, axes = report.new_figure("trial", f"validation {name}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for state, mark, colour in (("finished", "o", report.GENE), ("stopped early", "x", report.NEGATIVE)):
        here = [(one.number, value) for one, value in some if one.state == state]
        if here:
            axes.plot(*zip(*here, strict=True), mark, markersize=5, color=colour, label=state)
    best, steps = -math.inf, []
    for one, value in some:
        best = max(best, value)
        steps.append((one.number, best))
    axes.step(*zip(*steps, strict=True), where="post", color=report.ACCENT, linewidth=1, label="highest so far")
    axes.legend(frameon=False, fontsize=8)
    return figure


def bars(shares: dict[str, float]) -> Figure:
    """A bar for every key, the most important above."""
    figure, axes = report.new_figure("share of the variation", "", height=1.2 + 0.4 * len(shares))
    names = [lines.last(key) for key in shares]
    drawn = axes.barh(names[::-1], list(shares.values())[::-1], color=report.ACCENT)
    axes.bar_label(drawn, [f"{share:.0%}" for share in list(shares.values())[::-1]], padding=3, fontsize=8)
    axes.set_xlim(0, 1.08)
    return figure


def about(trials: Sequence[Trial], search: str, seconds: float) -> str:
    """The line under the title."""
    keys = ", ".join(key for key in summary.searched(trials))
    return f"{search} over {keys} · {lines.duration(seconds)}"
