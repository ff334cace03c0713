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
from training.evaluation.recognition.evaluate import Evaluation, ModelEvaluation
from training.evaluation.recognition.slices import MIN_ROWS, Slice
from training.evaluation.recognition.thresholds import sweep

MAX_RULES, MAX_SLICES, MAX_LETTERS = 3, 25, 30
# Enough for a smooth line at the size of the plot, and a page of some 100 kB.
MAX_POINTS = 400
GREYS = ("#7b8494", "#a1a8b4", "#c3c8d0")
SWEEP_THRESHOLDS = tuple(np.arange(1, 200) / 200)
_ERROR_BARS: dict[str, Any] = {"fmt": "o", "markersize": 5, "capsize": 3, "elinewidth": 1.2}
_LEGEND_ABOVE: dict[str, Any] = {
    "frameon": False,
    "fontsize": 9,
    "columnspacing": 1,
    "handlelength": 1.8,
    "loc": "lower center",
    "bbox_to_anchor": (0.5, 1),
}
_WITH_INTERVALS = f"with 95 % intervals; parts of fewer than {MIN_ROWS} genes or negatives are not shown"


def curves(evaluation: Evaluation) -> list[Plot]:
    """ROC, precision and recall, and the probabilities by label."""
    share = evaluation.genes / len(evaluation.dataset)
    roc = _curves(evaluation, metrics.roc_curve, "false positive rate", "true positive rate", "auroc")
    roc.axes[0].plot([0, 1], [0, 1], color=report.INK, linewidth=0.8, linestyle=":")
    precision = _curves(evaluation, metrics.precision_recall_curve, "recall", "precision", "auprc")
    precision.axes[0].axhline(share, color=report.INK, linewidth=0.8, linestyle=":")
    rules = "with the best trivial rules in grey"
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
            f"Among as many genes as this split has ({share:.0%}), {rules}. Guessing gives the dotted line; where "
            "genes are rarer, precision is lower.",
            "precision-recall",
        ),
    ]
    text = "The two should separate at the threshold (dotted); what lies on the wrong side of it is called wrong."
    for number, model in enumerate(evaluation.models):
        title = f"Probabilities by label{_of_model(evaluation, model)}"
        plots.append(Plot(title, _histogram(evaluation, model), text, _element_name("histogram", number)))
    return plots


def probabilities(evaluation: Evaluation) -> list[Plot]:
    """Calibration, and what the threshold does."""
    text = (
        "The share of genes among intervals of similar probability, with 95 % intervals. On the dotted line "
        "probabilities mean what they say, for as many genes as this split has."
    )
    plots = [Plot("Calibration", _calibration(evaluation), text, "calibration")]
    if len(evaluation.models) == 1:
        text = "Metrics at every threshold; the dotted line is the bundle's, chosen on validation."
        return [*plots, Plot("Decision threshold", _sweep(evaluation), text, "threshold")]
    text = "MCC at every threshold; the dot is the bundle's own, chosen on validation."
    return [*plots, Plot("Decision threshold", _sweeps(evaluation), text, "threshold")]


def slices(evaluation: Evaluation) -> list[Plot]:
    """AUROC by length, genome and chromosome, of which there are several with a figure."""
    shown = _largest(evaluation.models[0].slices["chromosome"])
    total = len(evaluation.models[0].slices["chromosome"])
    limited = f"The {len(shown)} of {total:,} chromosomes with most intervals. " if len(shown) < total else ""
    genomes = list(range(len(evaluation.models[0].slices["genome"])))[:MAX_SLICES]
    plots = [
        Plot(
            "Length",
            _lengths(evaluation),
            f"AUROC by length of the interval in bases, in octaves, {_WITH_INTERVALS}.",
            "length",
        ),
        Plot("Genomes", _slices_plot(evaluation, "genome", genomes), f"AUROC by genome, {_WITH_INTERVALS}.", "genome"),
        Plot(
            "Chromosomes",
            _slices_plot(evaluation, "chromosome", shown),
            f"{limited}AUROC by chromosome, {_WITH_INTERVALS}.",
            "chromosome",
        ),
    ]
    return [plot for plot in plots if _is_comparison(evaluation, plot.name)]


def _is_comparison(evaluation: Evaluation, by: str) -> bool:
    """Whether there are two parts or more with a figure: one alone is in the table, and needs no plot."""
    return any(sum(part.interval is not None for part in model.slices[by]) > 1 for model in evaluation.models)


def _of_model(evaluation: Evaluation, model: ModelEvaluation) -> str:
    return f", {model.name}" if len(evaluation.models) > 1 else ""


def _element_name(name: str, number: int) -> str:
    return name if number == 0 else f"{name}-{number + 1}"


def _curves(evaluation: Evaluation, compute: Callable[..., Curve], x: str, y: str, metric: str) -> Figure:
    """Curves of the best rules and of every model, with the model's own threshold as a dot."""
    figure, axes = report.new_figure(x, y)
    for rule, grey in zip(evaluation.rules[:MAX_RULES], GREYS, strict=False):
        curve, label = compute(evaluation.dataset.labels, rule.scores), f"{rule.description} {rule.metrics[metric]:.3f}"
        _curve(axes, curve, grey, "-", 1.2, label)
    for number, model in enumerate(evaluation.models):
        colour, line = report.series_style(number)
        curve = compute(evaluation.dataset.labels, model.probabilities)
        _curve(axes, curve, colour, line, 2.2, f"{report.plain(model.name)} {model.metrics[metric]:.3f}")
        axes.plot(*_own_point(evaluation, model, metric), "o", color=colour, markersize=6)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    handles, labels = axes.get_legend_handles_labels()
    rules = min(MAX_RULES, len(evaluation.rules))
    # Rules are drawn first, so that models lie above them, but the legend lists models first.
    order = [*range(rules, len(handles)), *range(rules)]
    axes.legend(
        [handles[number] for number in order],
        [labels[number] for number in order],
        frameon=False,
        fontsize=9,
        title=_area(metric),
        title_fontsize=9,
        alignment="left",
    )
    return figure


def _area(metric: str) -> str:
    return "area under the curve" if metric == "auroc" else "average precision"


def _own_point(evaluation: Evaluation, model: ModelEvaluation, metric: str) -> tuple[list[float], list[float]]:
    """The point of the model's own threshold on its curve."""
    if metric == "auprc":
        return [model.metrics["recall"]], [model.metrics["precision"]]
    negatives_called = (model.probabilities >= model.threshold)[evaluation.dataset.labels == 0]
    return [float(negatives_called.mean())], [model.metrics["recall"]]


def _curve(axes: mpl.axes.Axes, curve: Curve, colour: str, line: str, width: float, label: str) -> None:
    keep = np.unique(np.linspace(0, len(curve.x) - 1, MAX_POINTS).astype(int))
    axes.plot(curve.x[keep], curve.y[keep], color=colour, linewidth=width, linestyle=line, label=label)


def _histogram(evaluation: Evaluation, model: ModelEvaluation) -> Figure:
    figure, axes = report.new_figure("probability of being a gene", "intervals")
    edges = np.linspace(0, 1, 41).tolist()
    for label, name, colour, line in report.LABELS:
        axes.hist(
            model.probabilities[evaluation.dataset.labels == label],
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
    axes.legend(ncols=3, **_LEGEND_ABOVE)
    return figure


def _calibration(evaluation: Evaluation) -> Figure:
    figure, axes = report.new_figure("mean probability", "share of genes")
    axes.plot([0, 1], [0, 1], color=report.INK, linewidth=0.8, linestyle=":")
    for number, (model, calibrated) in enumerate(zip(evaluation.models, evaluation.calibrations, strict=True)):
        colour, line = report.series_style(number)
        share = np.array([bin_.genes for bin_ in calibrated.bins])
        errors = np.abs(np.array([bin_.interval for bin_ in calibrated.bins]).T - share)
        label = f"{report.plain(model.name)}: error {calibrated.error:.3f}, Brier {calibrated.brier:.3f}"
        mean = [bin_.mean for bin_ in calibrated.bins]
        axes.errorbar(mean, share, yerr=errors, color=colour, linestyle=line, label=label, **_ERROR_BARS)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.legend(frameon=False, fontsize=9)
    return figure


def _sweep(evaluation: Evaluation) -> Figure:
    figure, axes = report.new_figure("decision threshold", "")
    (model,) = evaluation.models
    swept = sweep(evaluation.dataset.labels, model.probabilities, SWEEP_THRESHOLDS)
    names = {"precision": "precision", "recall": "recall", "f1": "F1", "mcc": "MCC"}
    for number, (name, label) in enumerate(names.items()):
        # Without a call precision has no meaning, and the sweep gives 0.
        values = np.where(swept.called > 0, getattr(swept, name), np.nan)
        axes.plot(
            SWEEP_THRESHOLDS,
            values,
            color=report.COLOURS[number],
            linestyle=report.LINES[number],
            linewidth=1.8,
            label=label,
        )
    axes.axvline(
        model.threshold, color=report.INK, linewidth=1, linestyle=":", label=f"threshold {model.threshold:.3f}"
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.legend(ncols=5, **_LEGEND_ABOVE)
    return figure


def _sweeps(evaluation: Evaluation) -> Figure:
    figure, axes = report.new_figure("decision threshold", "MCC")
    for number, model in enumerate(evaluation.models):
        colour, line = report.series_style(number)
        swept = sweep(evaluation.dataset.labels, model.probabilities, SWEEP_THRESHOLDS)
        axes.plot(
            SWEEP_THRESHOLDS, swept.mcc, color=colour, linestyle=line, linewidth=1.8, label=report.plain(model.name)
        )
        axes.plot([model.threshold], [model.metrics["mcc"]], "o", color=colour, markersize=6)
    axes.set_xlim(0, 1)
    axes.legend(ncols=2, **_LEGEND_ABOVE)
    return figure


def _lengths(evaluation: Evaluation) -> Figure:
    figure, axes = report.new_figure("length, bases", "AUROC")
    names = [report.plain(part.name) for part in evaluation.models[0].slices["length"]]
    for number, model in enumerate(evaluation.models):
        colour, line = report.series_style(number)
        at = np.arange(len(names)) + _shift(evaluation, number)
        axes.errorbar(
            at,
            *_auroc_values(model.slices["length"]),
            color=colour,
            linestyle=line,
            label=report.plain(model.name),
            **_ERROR_BARS,
        )
    axes.set_xticks(
        range(len(names)),
        names,
        rotation=30 if len(names) > 4 else 0,
        ha="right" if len(names) > 4 else "center",
        fontsize=9,
    )
    axes.set_xlim(-0.6, len(names) - 0.4)
    _legend(evaluation, axes)
    return figure


def _slices_plot(evaluation: Evaluation, by: str, chosen: list[int]) -> Figure:
    """AUROC of the slices of these numbers, one line each, from top to bottom."""
    figure, axes = report.new_figure("AUROC", "", height=max(1.6, 0.9 + 0.27 * len(chosen)))
    for number, model in enumerate(evaluation.models):
        values, errors = _auroc_values([model.slices[by][slice_number] for slice_number in chosen])
        at = np.arange(len(chosen)) + _shift(evaluation, number)
        colour, _ = report.series_style(number)
        axes.errorbar(
            values, at, xerr=errors, color=colour, linestyle="none", label=report.plain(model.name), **_ERROR_BARS
        )
    axes.set_yticks(
        range(len(chosen)),
        [report.plain(evaluation.models[0].slices[by][slice_number].name, MAX_LETTERS) for slice_number in chosen],
        fontsize=9,
    )
    axes.set_ylim(len(chosen) - 0.4, -0.6)
    axes.set_xlim(*_auroc_range(evaluation))
    _legend(evaluation, axes)
    return figure


def _auroc_range(evaluation: Evaluation) -> tuple[float, float]:
    """The AUROC axis of the plots by genome and by chromosome, the same for both so that they can be compared."""
    chosen = _largest(evaluation.models[0].slices["chromosome"])
    shown = [model.slices["chromosome"][one] for model in evaluation.models for one in chosen]
    shown += [one for model in evaluation.models for one in model.slices["genome"]]
    values, (below, _) = _auroc_values(shown)
    lows = [value - error for value, error in zip(values, below, strict=True) if not np.isnan(value)]
    # Down to the next twentieth, and a little more so that no marker is cut off.
    return np.floor(20 * min(lows, default=0.0)) / 20 - 0.005, 1.005


def _largest(slices: list[Slice]) -> list[int]:
    """Numbers of the slices with most rows, at most `MAX_SLICES`, in their order."""
    sizes = [part.genes + part.negatives for part in slices]
    return sorted(np.argsort(-np.array(sizes), kind="stable")[:MAX_SLICES].tolist())


def _auroc_values(slices: list[Slice]) -> tuple[list[float], list[list[float]]]:
    """AUROC and the distances to the ends of its interval; NaN and 0 without an interval."""
    values, below, above = list[float](), list[float](), list[float]()
    for part in slices:
        auroc, ends = part.metrics["auroc"], part.interval
        values.append(auroc if auroc is not None and ends is not None else np.nan)
        below.append(max(values[-1] - ends[0], 0.0) if ends else 0.0)
        above.append(max(ends[1] - values[-1], 0.0) if ends else 0.0)
    return values, [below, above]


def _shift(evaluation: Evaluation, number: int) -> float:
    """Offset of a model's markers, so that models on the same line lie apart."""
    return (number - (len(evaluation.models) - 1) / 2) * 0.5 / max(len(evaluation.models), 1)


def _legend(evaluation: Evaluation, axes: mpl.axes.Axes) -> None:
    if len(evaluation.models) > 1:
        axes.legend(ncols=2, **_LEGEND_ABOVE)
