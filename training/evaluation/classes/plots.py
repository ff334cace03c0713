"""The plots of the page of an evaluation of classes: curves of each class, and what classes are called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from pipelines import class_metrics, metrics, report
from pipelines.metrics import Curve
from pipelines.report import Plot
from training.evaluation.classes.evaluate import ClassEvaluation, ClassModel

MAX_CLASSES, MAX_LETTERS, MAX_POINTS = 12, 24, 400


def curves(evaluation: ClassEvaluation, model: ClassModel, number: int) -> list[Plot]:
    """ROC, and precision and recall, of each class against all others, and the table of classes as a picture.

    Args:
        evaluation: the rows and the baseline.
        model: whose curves are shown.
        number: of the model, for the names of elements.
    """
    of = f", {model.name}" if len(evaluation.models) > 1 else ""
    suffix = "" if number == 0 else f"-{number + 1}"
    shown = _shown(evaluation)
    limited = f"The {len(shown)} classes with most sequences. " if len(shown) < len(evaluation.classes) else ""
    text = f"{limited}Each class against all others; the regression on 5-mers is the thin line of the same colour."
    return [
        Plot(
            f"Receiver operating characteristic{of}",
            _curves(evaluation, model, metrics.roc_curve, 0, ("false positive rate", "true positive rate")),
            text,
            f"roc{suffix}",
        ),
        Plot(
            f"Precision and recall{of}",
            _curves(evaluation, model, metrics.precision_recall_curve, 1, ("recall", "precision")),
            f"{text} Precision depends on the shares of the classes.",
            f"precision-recall{suffix}",
        ),
        Plot(
            f"What classes are called{of}",
            _confusion(evaluation, model),
            "Share of each class (rows) that is called what (columns); the counts are in the table.",
            f"confusion{suffix}",
        ),
    ]


def _shown(evaluation: ClassEvaluation) -> list[int]:
    """Numbers of the classes with most rows of those that others lack too, in their order."""
    rows = np.bincount(evaluation.dataset.labels, minlength=len(evaluation.classes))
    most = np.argsort(-rows, kind="stable")[:MAX_CLASSES]
    return sorted(number for number in most.tolist() if 0 < rows[number] < rows.sum())


def _curves(
    evaluation: ClassEvaluation, model: ClassModel, compute: Callable[..., Curve], at: int, axes_of: tuple[str, str]
) -> Figure:
    figure, axes = report.new_figure(*axes_of)
    labels, areas = (
        evaluation.dataset.labels,
        class_metrics.against_others(evaluation.dataset.labels, model.probabilities),
    )
    for place, number in enumerate(_shown(evaluation)):
        colour, line = report.series_style(place)
        name = report.plain(evaluation.classes[number], MAX_LETTERS)
        for one, width, label in (
            (evaluation.baseline, 0.8, None),
            (model, 2.0, f"{name} {areas[number, at]:.3f}"),
        ):
            curve = compute((labels == number).astype(np.int8), one.probabilities[:, number])
            keep = np.unique(np.linspace(0, len(curve.x) - 1, MAX_POINTS).astype(int))
            axes.plot(curve.x[keep], curve.y[keep], color=colour, linestyle=line, linewidth=width, label=label)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    axes.legend(frameon=False, fontsize=9)
    return figure


def _confusion(evaluation: ClassEvaluation, model: ClassModel) -> Figure:
    counts = evaluation.confusion(model).astype(np.float64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = [report.plain(name, MAX_LETTERS) for name in evaluation.classes]
    figure, axes = report.new_figure("called", "class")
    axes.grid(visible=False)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    has_room = len(names) <= MAX_CLASSES
    ticks = range(len(names)) if has_room else range(0, len(names), -(-len(names) // MAX_CLASSES))
    axes.set_xticks(ticks, [names[tick] for tick in ticks], rotation=30, ha="right", fontsize=9)
    axes.set_yticks(ticks, [names[tick] for tick in ticks], fontsize=9)
    if has_room:
        for row, column in np.ndindex(*shares.shape):
            colour = "white" if shares[row, column] > 0.5 else report.INK
            axes.text(column, row, f"{shares[row, column]:.2f}", ha="center", va="center", color=colour, fontsize=9)
    return figure
