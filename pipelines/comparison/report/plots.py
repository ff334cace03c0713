"""The plots of a comparison's page."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np

from pipelines import report
from pipelines.comparison.analysis import Analysis
from pipelines.comparison.bootstrap import MIN_LOCI, Estimate
from pipelines.comparison.levels import LEVELS
from pipelines.comparison.report import tables
from pipelines.comparison.slices import Slice
from pipelines.report import Plot

MAX_LETTERS = 30
_ERROR_BARS: dict[str, Any] = {"fmt": "o", "markersize": 4.5, "capsize": 2.5, "elinewidth": 1.2}


def levels(analysis: Analysis) -> Plot:
    """F1 at every level, with intervals."""
    shown = [key for key in LEVELS if any(key in of_set for of_set in analysis.estimates)]
    figure, axes = report.new_figure("F1", "", height=1.0 + 0.3 * len(shown))
    for number, of_set in enumerate(analysis.estimates):
        values = [of_set[key]["f1"] if key in of_set else Estimate(None, None) for key in shown]
        at = np.arange(len(shown)) + _shift(analysis, number)
        _error_bars(axes, analysis, number, at, values, horizontal=True)
    axes.set_yticks(range(len(shown)), [LEVELS[key] for key in shown], fontsize=9)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    _legend(analysis, axes)
    return Plot("F1 by level", figure, "With 95 % intervals.", "levels", "F1 of every call set at every level")


def slices(analysis: Analysis, by: str, level: str) -> Plot:
    """Sensitivity of slices by length or number of introns, with intervals."""
    at_all = [number for number, part in enumerate(analysis.slices[0][by]) if part.genes]
    parts = [analysis.slices[0][by][number] for number in at_all]
    figure, axes = report.new_figure("bases" if by == "length" else by, "sensitivity")
    for number, of_set in enumerate(analysis.slices):
        shown = (of_set[by][one].estimates for one in at_all)
        values = [estimates.get(level, {}).get("sensitivity", Estimate(None, None)) for estimates in shown]
        at = np.arange(len(parts)) + _shift(analysis, number)
        _error_bars(axes, analysis, number, at, values, horizontal=False)
    names = [f"{report.plain(part.name, MAX_LETTERS)}\n({part.genes:,})" for part in parts]
    axes.set_xticks(range(len(parts)), names, rotation=30 if len(names) > 4 else 0, fontsize=8.5)
    axes.set_xlim(-0.6, len(parts) - 0.4)
    axes.set_ylim(-0.03, 1.03)
    _legend(analysis, axes)
    text = f"Share of annotated genes that are right ({LEVELS[level]}), with 95 % intervals; numbers of genes below. "
    text += f"Parts of fewer than {MIN_LOCI} loci are not shown."
    title = "Sensitivity by gene length" if by == "length" else "Sensitivity by number of introns"
    return Plot(title, figure, text, by)


def _error_bars(
    axes: mpl.axes.Axes,
    analysis: Analysis,
    number: int,
    at: np.ndarray,
    estimates: list[Estimate],
    *,
    horizontal: bool,
) -> None:
    """Draw values with their intervals; those that lack one only where all do."""
    values = np.array([np.nan if value is None else value for value in _shown(estimates)])
    ends = [one.interval or (value, value) for one, value in zip(estimates, values.tolist(), strict=True)]
    errors = np.maximum(np.abs(np.array(ends).reshape(-1, 2).T - values), 0)
    colour, line = report.series_style(number)
    style = _ERROR_BARS | {"color": colour, "label": report.plain(analysis.names[number], MAX_LETTERS)}
    if horizontal:
        axes.errorbar(values, at, xerr=errors, linestyle="none", **style)
    else:
        axes.errorbar(at, values, yerr=errors, linestyle=line, **style)


def _shown(estimates: list[Estimate]) -> list[float | None]:
    """The values that are drawn; points without an interval are of few genes, and say little next to the others."""
    has_intervals = any(one.interval for one in estimates)
    return [one.value if one.interval or not has_intervals else None for one in estimates]


def _shift(analysis: Analysis, number: int) -> float:
    """Offset of a call set's markers, so that call sets on the same line lie apart."""
    return (number - (len(analysis.names) - 1) / 2) * 0.5 / max(len(analysis.names), 1)


def _legend(analysis: Analysis, axes: mpl.axes.Axes) -> None:
    if len(analysis.names) > 1:
        axes.legend(ncols=2, frameon=False, fontsize=9, columnspacing=1, loc="lower center", bbox_to_anchor=(0.5, 1))


def all_plots(analysis: Analysis) -> list[Plot]:
    """F1 by level, and sensitivity by length and introns where there are several slices."""
    level = tables.headline(analysis)
    several = [by for by in ("length", "introns") if _is_comparison(analysis, by, level)]
    return [levels(analysis), *(slices(analysis, by, level) for by in several)]


def _is_comparison(analysis: Analysis, by: str, level: str) -> bool:
    """Whether the plot would have two points or more of a call set: one alone is in the table."""
    return any(
        sum(value is not None for value in _shown(_sensitivities(of_set[by], level))) > 1 for of_set in analysis.slices
    )


def _sensitivities(parts: list[Slice], level: str) -> list[Estimate]:
    estimates = (part.estimates.get(level, {}) for part in parts if part.genes)
    return [of_level.get("sensitivity", Estimate(None, None)) for of_level in estimates]
