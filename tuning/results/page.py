"""A study as one HTML page: the best configuration, metrics over model sizes, importance of keys, and all trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from pipelines import report
from tuning import lines, ranking, summary
from tuning.results import importance
from tuning.summary import Mean, Size
from tuning.trial import Trial

Value = Callable[[Size], Mean]
# The luminance of a background on which black and white text have the same contrast, which is 4.6.
EQUAL_CONTRAST = 0.179


def build_page(
    trials: Sequence[Trial],
    metric: str,
    sizes: Sequence[Size],
    shares: dict[str, float],
    subtitle: str,
    seeds: int = 1,
    command: str = "",
) -> report.Page:
    """Build the page.

    Args:
        trials: of the study.
        metric: of the task, such as auroc or exon_f1.
        sizes: from `summary.sizes`.
        shares: from `importance.importance`.
        subtitle: one line under the title.
        seeds: trials of each configuration.
        command: that it was made by; empty if it is not known.
    """
    name = lines.metric_name(metric)
    page = report.Page("Hyperparameter study", subtitle)
    page.paragraph(summary.conclusion(trials, metric, seeds), lead=True)
    for caution in summary.cautions(trials):
        page.paragraph(f"Caution: {caution}.")
    page.paragraph(f"{summary.count_by_state(trials)}.")
    plots = _size_plots(sizes, name)
    if len(comparable := ranking.comparable(trials, metric)) > 1:
        plots.append(_history_plot(comparable, name))
    if shares:
        plots.append(_importance_plot(shares, name))
    if plots:
        page.figures(*plots)
    if len(sizes) > 1:
        if note := summary.pooling_note(trials):
            page.paragraph(note)
        page.table("By size of token vectors and hidden state", summary.SIZE_HEADER, summary.size_rows(sizes))
    if shares:
        page.table(f"Importance: {importance.METHOD}", importance.HEADER, importance.rows(shares))
        page.paragraph(importance.caveat(trials, metric, seeds))
    page.heading("All trials")
    _add_trials(page, trials, metric, seeds)
    if reasons := summary.reason_rows(trials):
        page.table("Why trials ended before their last epoch, or never began", summary.REASON_HEADER, reasons)
    fingerprints = dict.fromkeys(trial.fingerprint for trial in trials)
    datasets = [fingerprint for fingerprint in fingerprints if fingerprint]
    of_data = [("dataset" if len(datasets) == 1 else f"dataset {n}", one) for n, one in enumerate(datasets, 1)]
    page.provenance([*of_data, ("command", command)])
    return page


def subtitle(trials: Sequence[Trial], search: str, seconds: float) -> str:
    """The line under the title: search, searched keys and time spent."""
    return f"{search} over {', '.join(summary.searched_keys(trials))} · {lines.format_duration(seconds)}"


def _add_trials(page: report.Page, trials: Sequence[Trial], metric: str, seeds: int) -> None:
    best = ranking.best(trials, metric, seeds)
    order = ranking.ranked(trials, metric, seeds)
    caption = f"The best configuration first{', by the mean over its seeds' if seeds > 1 else ''}"
    caption += f"; trial {best.number} is the best" if best else ""
    page.table(
        caption,
        summary.header(trials, metric),
        summary.rows(trials, metric, seeds),
        best=order.index(best) if best else None,
    )


def _size_plots(sizes: Sequence[Size], name: str) -> list[report.Plot]:
    """Heat maps of score and gap over sizes, where there are several sizes."""
    if len(sizes) < 2:
        return []
    has_intervals = any(size.score.half_width is not None for size in sizes)
    interval = "; ± is the 95 % interval of the mean" if has_intervals else ""
    cells = len({size.embedding for size in sizes}) * len({size.hidden for size in sizes})
    empty = "; in empty cells no trial has a metric" if len(sizes) < cells else ""
    return [
        report.Plot(
            f"Validation {name} over sizes",
            heatmap(sizes, lambda size: size.score, "viridis"),
            f"Mean of all trials of a size{interval}{empty}.",
            "score",
            _range_in_words(f"Validation {name}", sizes, lambda size: size.score),
        ),
        report.Plot(
            f"Gap in {name}, train − validation, over sizes",
            heatmap(sizes, lambda size: size.gap, "magma"),
            f"How much better the kept epoch does on rows that it was trained on{interval}.",
            "gap",
            _range_in_words(f"Gap in {name}", sizes, lambda size: size.gap),
        ),
    ]


def _range_in_words(what: str, sizes: Sequence[Size], value: Value) -> str:
    """The lowest and highest value of a heat map, for readers who cannot see it; the table has all values."""
    extremes = (pick(sizes, key=lambda size: value(size).value) for pick in (min, max))
    text = " to ".join(
        f"{value(size).value:.3f} (embedding {size.embedding}, hidden {size.hidden})" for size in extremes
    )
    return f"{what} over embedding and hidden size, from {text}; every value is in the table by size"


def _history_plot(comparable: Sequence[tuple[Trial, float]], name: str) -> report.Plot:
    trial, value = max(comparable, key=lambda pair: pair[1])
    return report.Plot(
        "In the order of proposal",
        history(comparable, name),
        "Every trial with a metric, and the highest so far.",
        "history",
        f"Validation {name} of {len(comparable)} trials in the order of proposal; the highest, {value:.4f}, is trial "
        f"{trial.number}",
    )


def _importance_plot(shares: dict[str, float], name: str) -> report.Plot:
    text = ", ".join(f"{lines.short_name(key)} {share:.0%}" for key, share in shares.items())
    return report.Plot(
        f"What {name} depends on",
        bars(shares),
        f"Share of its variation that a key explains, by {importance.METHOD}.",
        "importance",
        f"Shares of the variation in {name}: {text}",
    )


def heatmap(sizes: Sequence[Size], value: Value, colours: str) -> Figure:
    """Embedding size across, hidden size upwards, and the mean of each pair in its cell.

    Args:
        sizes: with at most one entry for each pair.
        value: picks the mean to draw.
        colours: a colour map of matplotlib.
    """
    columns = sorted({size.embedding for size in sizes})
    rows = sorted({size.hidden for size in sizes})
    grid = np.full((len(rows), len(columns)), np.nan)
    for size in sizes:
        grid[rows.index(size.hidden), columns.index(size.embedding)] = value(size).value
    figure, axes = report.new_figure("embedding", "hidden", height=1.6 + 0.5 * len(rows))
    axes.grid(visible=False)
    image = axes.imshow(grid, origin="lower", aspect="auto", cmap=colours)
    axes.set_xticks(range(len(columns)), [str(column) for column in columns])
    axes.set_yticks(range(len(rows)), [str(row) for row in rows])
    font_size = min(9.0, 50 / len(columns))
    for size in sizes:
        row, column = rows.index(size.hidden), columns.index(size.embedding)
        mean = value(size)
        text = f"{mean.value:.3f}" + (f"\n±{mean.half_width:.3f}" if mean.half_width is not None else "")
        ink = "white" if luminance(image.to_rgba(grid[row, column])) < EQUAL_CONTRAST else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=font_size, color=ink)
    figure.colorbar(image, ax=axes)
    return figure


def luminance(colour: ArrayLike) -> float:
    """Relative luminance of red, green and blue in 0 to 1, as WCAG 2 defines it."""
    channels = np.asarray(colour, dtype=np.float64)[:3]
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def history(comparable: Sequence[tuple[Trial, float]], name: str) -> Figure:
    """The metric of each trial and the highest so far; states differ in their markers, not in colour alone.

    Args:
        comparable: from `ranking.comparable`.
        name: of the metric.
    """
    figure, axes = report.new_figure("trial", f"validation {name}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for state, marker, colour in (("finished", "o", report.GENE), ("stopped early", "x", report.NEGATIVE)):
        points = [(trial.number, value) for trial, value in comparable if trial.state == state]
        if points:
            axes.plot(*zip(*points, strict=True), marker, markersize=5, color=colour, label=state)
    highest, steps = -math.inf, []
    for trial, value in comparable:
        highest = max(highest, value)
        steps.append((trial.number, highest))
    axes.step(*zip(*steps, strict=True), where="post", color=report.ACCENT, linewidth=1, label="highest so far")
    axes.legend(frameon=False, fontsize=8)
    return figure


def bars(shares: dict[str, float]) -> Figure:
    """A bar for each key, the most important at the top."""
    figure, axes = report.new_figure("share of the variation", "", height=1.2 + 0.4 * len(shares))
    names = [report.plain(lines.short_name(key)) for key in shares][::-1]
    values = list(shares.values())[::-1]
    drawn = axes.barh(names, values, color=report.ACCENT)
    axes.bar_label(drawn, [f"{share:.0%}" for share in values], padding=3, fontsize=8)
    axes.set_xlim(0, 1.08)
    return figure
