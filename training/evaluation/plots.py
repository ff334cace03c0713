"""The plots of an evaluation's page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from pipelines import metrics, report
from pipelines.metrics import Curve
from pipelines.report import Plot
from training.evaluation.evaluate import Evaluation, Judged
from training.evaluation.slices import FEWEST, Slice
from training.evaluation.sweep import sweep

SHOWN_RULES, SHOWN_PARTS = 3, 25
POINTS = 400
COLOURS = (report.GENE, report.ACCENT, report.NEGATIVE, "#7a4fa3", "#a67c00", "#1d7f93")
GREYS = ("#7b8494", "#a1a8b4", "#c3c8d0")
LINES = ("-", "--", "-.", ":")
SWEPT = tuple(np.arange(1, 200) / 200)
_ERRORS: dict[str, Any] = {"fmt": "o", "markersize": 5, "capsize": 3, "elinewidth": 1.2}
_ABOVE: dict[str, Any] = {
    "frameon": False,
    "fontsize": 9,
    "columnspacing": 1,
    "handlelength": 1.8,
    "loc": "lower center",
    "bbox_to_anchor": (0.5, 1),
}
_ENOUGH = f"with 95 % intervals; parts of fewer than {FEWEST} genes or negatives are not shown"


def curves(found: Evaluation) -> list[Plot]:
    """ROC, precision and recall, and the probabilities by label."""
    share = found.genes / len(found.dataset)
    roc = _curves(found, metrics.roc_curve, "false positive rate", "true positive rate", "auroc")
    roc.axes[0].plot([0, 1], [0, 1], color=report.INK, linewidth=0.8, linestyle=":")
    precision = _curves(found, metrics.precision_recall_curve, "recall", "precision", "auprc")
    precision.axes[0].axhline(share, color=report.INK, linewidth=0.8, linestyle=":")
    rules = "beside the best trivial rules (grey)"
    plots = [
        Plot(
            "Receiver operating characteristic",
            roc,
            f"Each point is a decision threshold, {rules}; the dot is the model's own. Guessing gives the dotted line.",
            "roc",
        ),
        Plot(
            "Precision and recall",
            precision,
            f"Among as many genes as this split has ({share:.0%}), {rules}. Guessing gives the dotted line; where genes are "
            "rarer, precision is lower.",
            "precision-recall",
        ),
    ]
    for place, model in enumerate(found.models):
        text = "The two should part at the threshold (dotted); what lies on the wrong side of it is called wrong."
        plots.append(
            Plot(f"Probabilities by label{_of(found, model)}", _histogram(found, model), text, _id("histogram", place))
        )
    return plots


def probabilities(found: Evaluation) -> list[Plot]:
    """Calibration, and what the threshold does."""
    text = (
        "The share of genes among intervals of like probability, with 95 % intervals. On the dotted line probabilities mean "
        "what they say, for as many genes as this split has."
    )
    plots = [Plot("Calibration", _calibration(found), text, "calibration")]
    if len(found.models) == 1:
        text = "Figures at every threshold; the dotted line is the bundle's, chosen on validation."
        return [*plots, Plot("Decision threshold", _sweep(found), text, "threshold")]
    text = "MCC at every threshold; the dot is the bundle's own, chosen on validation."
    return [*plots, Plot("Decision threshold", _sweeps(found), text, "threshold")]


def places(found: Evaluation) -> list[Plot]:
    """AUROC by length, genome and chromosome."""
    shown = _shown_parts(found.models[0].slices["chromosome"])
    every = len(found.models[0].slices["chromosome"])
    limited = f"The {len(shown)} of {every:,} chromosomes with most intervals. " if len(shown) < every else ""
    genomes = list(range(len(found.models[0].slices["genome"])))[:SHOWN_PARTS]
    return [
        Plot("Length", _lengths(found), f"AUROC by length of the interval in bases, in octaves, {_ENOUGH}.", "length"),
        Plot("Genomes", _parts(found, "genome", genomes), f"AUROC by genome, {_ENOUGH}.", "genome"),
        Plot(
            "Chromosomes",
            _parts(found, "chromosome", shown),
            f"{limited}AUROC by chromosome, {_ENOUGH}.",
            "chromosome",
        ),
    ]


def _of(found: Evaluation, model: Judged) -> str:
    return f", {model.name}" if len(found.models) > 1 else ""


def _id(name: str, place: int) -> str:
    return name if place == 0 else f"{name}-{place + 1}"


def _curves(found: Evaluation, of: Callable[..., Curve], x: str, y: str, figure_name: str) -> Figure:
    figure, axes = report.new_figure(x, y)
    for rule, grey in zip(found.rules[:SHOWN_RULES], GREYS, strict=False):
        _curve(
            axes,
            of(found.dataset.labels, rule.scores),
            grey,
            "-",
            1.2,
            f"{rule.description} {rule.metrics[figure_name]:.3f}",
        )
    for place, model in enumerate(found.models):
        colour, line = _style(place)
        curve = of(found.dataset.labels, model.probabilities)
        _curve(axes, curve, colour, line, 2.2, f"{model.name} {model.metrics[figure_name]:.3f}")
        axes.plot(*_own_point(found, model, figure_name), "o", color=colour, markersize=6)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    handles, labels = axes.get_legend_handles_labels()
    rules = min(SHOWN_RULES, len(found.rules))
    order = [*range(rules, len(handles)), *range(rules)]
    axes.legend(
        [handles[one] for one in order],
        [labels[one] for one in order],
        frameon=False,
        fontsize=9,
        title=_area(figure_name),
        title_fontsize=9,
        alignment="left",
    )
    return figure


def _area(figure_name: str) -> str:
    return "area under the curve" if figure_name == "auroc" else "average precision"


def _own_point(found: Evaluation, model: Judged, figure_name: str) -> tuple[list[float], list[float]]:
    """Where the model's own threshold lies on its curve."""
    if figure_name == "auprc":
        return [model.metrics["recall"]], [model.metrics["precision"]]
    wrong = (model.probabilities >= model.threshold)[found.dataset.labels == 0]
    return [float(wrong.mean())], [model.metrics["recall"]]


def _curve(axes: mpl.axes.Axes, curve: Curve, colour: str, line: str, width: float, label: str) -> None:
    keep = np.unique(np.linspace(0, len(curve.x) - 1, POINTS).astype(int))
    axes.plot(curve.x[keep], curve.y[keep], color=colour, linewidth=width, linestyle=line, label=label)


def _style(place: int) -> tuple[str, str]:
    return COLOURS[place % len(COLOURS)], LINES[place // len(COLOURS) % len(LINES)]


def _histogram(found: Evaluation, model: Judged) -> Figure:
    figure, axes = report.new_figure("probability of being a gene", "intervals")
    edges = np.linspace(0, 1, 41).tolist()
    for label, name, colour, line in report.LABELS:
        axes.hist(
            model.probabilities[found.dataset.labels == label],
            bins=edges,
            histtype="step",
            linewidth=1.8,
            color=colour,
            linestyle=line,
            label=name,
        )
    axes.axvline(
        model.threshold, color=report.INK, linewidth=1, linestyle=":", label=f"threshold {model.threshold:.3f}"
    )
    axes.legend(ncols=3, **_ABOVE)
    return figure


def _calibration(found: Evaluation) -> Figure:
    figure, axes = report.new_figure("mean probability", "share of genes")
    axes.plot([0, 1], [0, 1], color=report.INK, linewidth=0.8, linestyle=":")
    for place, (model, calibrated) in enumerate(zip(found.models, found.calibrations, strict=True)):
        colour, line = _style(place)
        share = np.array([one.genes for one in calibrated.bins])
        errors = np.abs(np.array([one.interval for one in calibrated.bins]).T - share)
        axes.errorbar(
            [one.mean for one in calibrated.bins],
            share,
            yerr=errors,
            color=colour,
            linestyle=line,
            label=f"{model.name}: error {calibrated.error:.3f}, Brier {calibrated.brier:.3f}",
            **_ERRORS,
        )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.legend(frameon=False, fontsize=9)
    return figure


def _sweep(found: Evaluation) -> Figure:
    figure, axes = report.new_figure("decision threshold", "")
    (model,) = found.models
    swept = sweep(found.dataset.labels, model.probabilities, SWEPT)
    names = {"precision": "precision", "recall": "recall", "f1": "F1", "mcc": "MCC"}
    for number, (name, label) in enumerate(names.items()):
        values = np.where(swept.called > 0, getattr(swept, name), np.nan)
        axes.plot(SWEPT, values, color=COLOURS[number], linestyle=LINES[number], linewidth=1.8, label=label)
    axes.axvline(
        model.threshold, color=report.INK, linewidth=1, linestyle=":", label=f"threshold {model.threshold:.3f}"
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.legend(ncols=5, **_ABOVE)
    return figure


def _sweeps(found: Evaluation) -> Figure:
    figure, axes = report.new_figure("decision threshold", "MCC")
    for place, model in enumerate(found.models):
        colour, line = _style(place)
        swept = sweep(found.dataset.labels, model.probabilities, SWEPT)
        axes.plot(SWEPT, swept.mcc, color=colour, linestyle=line, linewidth=1.8, label=model.name)
        axes.plot([model.threshold], [model.metrics["mcc"]], "o", color=colour, markersize=6)
    axes.set_xlim(0, 1)
    axes.legend(ncols=2, **_ABOVE)
    return figure


def _lengths(found: Evaluation) -> Figure:
    figure, axes = report.new_figure("length, bases", "AUROC")
    names = [one.name for one in found.models[0].slices["length"]]
    for place, model in enumerate(found.models):
        colour, line = _style(place)
        at = np.arange(len(names)) + _shift(found, place)
        axes.errorbar(at, *_values(model.slices["length"]), color=colour, linestyle=line, label=model.name, **_ERRORS)
    axes.set_xticks(
        range(len(names)),
        names,
        rotation=30 if len(names) > 4 else 0,
        ha="right" if len(names) > 4 else "center",
        fontsize=9,
    )
    axes.set_xlim(-0.6, len(names) - 0.4)
    _legend(found, axes)
    return figure


def _parts(found: Evaluation, by: str, chosen: list[int]) -> Figure:
    figure, axes = report.new_figure("AUROC", "", height=max(1.6, 0.9 + 0.27 * len(chosen)))
    for place, model in enumerate(found.models):
        parts = [model.slices[by][one] for one in chosen]
        values, errors = _values(parts)
        at = np.arange(len(parts)) + _shift(found, place)
        axes.errorbar(values, at, xerr=errors, color=_style(place)[0], linestyle="none", label=model.name, **_ERRORS)
    axes.set_yticks(range(len(chosen)), [found.models[0].slices[by][one].name[:30] for one in chosen], fontsize=9)
    axes.set_ylim(len(chosen) - 0.4, -0.6)
    axes.set_xlim(*_range(found))
    _legend(found, axes)
    return figure


def _range(found: Evaluation) -> tuple[float, float]:
    """Of the axes of AUROC by genome and by chromosome, which are to be compared."""
    chosen = _shown_parts(found.models[0].slices["chromosome"])
    parts = [model.slices["chromosome"][one] for model in found.models for one in chosen]
    parts += [one for model in found.models for one in model.slices["genome"]]
    values, (low, _) = _values(parts)
    known = [value - below for value, below in zip(values, low, strict=True) if value == value]
    return np.floor(20 * min(known, default=0.0)) / 20 - 0.005, 1.005


def _shown_parts(parts: list[Slice]) -> list[int]:
    """The parts with most rows, in their order."""
    sizes = [one.genes + one.negatives for one in parts]
    return sorted(np.argsort(-np.array(sizes), kind="stable")[:SHOWN_PARTS].tolist())


def _values(parts: list[Slice]) -> tuple[list[float], list[list[float]]]:
    """AUROC and the distances to the ends of its interval; NaN and 0 where there is none."""
    values, low, high = list[float](), list[float](), list[float]()
    for one in parts:
        auroc, ends = one.metrics["auroc"], one.interval
        values.append(auroc if auroc is not None and ends is not None else np.nan)
        low.append(max(values[-1] - ends[0], 0.0) if ends else 0.0)
        high.append(max(ends[1] - values[-1], 0.0) if ends else 0.0)
    return values, [low, high]


def _shift(found: Evaluation, place: int) -> float:
    """Moves models apart that share a line."""
    return (place - (len(found.models) - 1) / 2) * 0.5 / max(len(found.models), 1)


def _legend(found: Evaluation, axes: mpl.axes.Axes) -> None:
    if len(found.models) > 1:
        axes.legend(ncols=2, **_ABOVE)
