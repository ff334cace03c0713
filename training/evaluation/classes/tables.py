"""An evaluation of classes as tables, the same for the terminal and the page."""

from __future__ import annotations

import numpy as np

from pipelines import class_metrics
from pipelines.class_metrics import NAMES
from pipelines.report import MISSING, Table
from training.evaluation.classes.evaluate import ClassEvaluation, ClassModel, intervals
from training.evaluation.intervals import as_cell, difference_as_cells

HEADINGS = {"auroc": "AUROC", "auprc": "AUPRC", "mcc": "MCC", "macro_f1": "macro-F1", "accuracy": "accuracy"}
MAX_COLUMNS = 12
"""Classes that a confusion table shows as columns; of more there is what they are called most often."""
Rows = list[tuple[object, ...]]


def main(evaluation: ClassEvaluation) -> Table:
    """Every metric of every model, of the regressions of other data that models were trained on, and of rules."""
    named = [(model.name, model.metrics) for model in evaluation.models]
    named += [(own.name, own.metrics) for own in evaluation.own_regressions.values()]
    named += [(f"rule: {rule.description}", rule.metrics) for rule in evaluation.rules]
    rows: Rows = [(name, *(values[metric] for metric in NAMES)) for name, values in named]
    return Table(f"Metrics on {evaluation.dataset.split}", ("", *HEADINGS.values()), rows)


def interval_table(evaluation: ClassEvaluation) -> Table:
    """The 95 % interval of every metric of the models and the regressions."""
    rows: Rows = [
        (one.name, *(as_cell(one.intervals[metric]) for metric in NAMES))
        for one in (*evaluation.models, *evaluation.own_regressions.values(), evaluation.baseline)
    ]
    return Table(f"95 % intervals, {method(evaluation)}", ("", *HEADINGS.values()), rows)


def method(evaluation: ClassEvaluation) -> str:
    """How the intervals were computed."""
    resampling = evaluation.resampling
    return f"bootstrap over sequences: {resampling.samples:,} samples, seed {resampling.seed}"


def pairs(evaluation: ClassEvaluation) -> list[tuple[ClassModel, ClassModel]]:
    """What is compared: every model with the regression, models with that of their own data, and every two models."""
    models = evaluation.models
    with_own = [(model, own) for model in models if (own := evaluation.own_regression(model)) is not None]
    between = [(first, second) for number, first in enumerate(models) for second in models[number + 1 :]]
    return [*((model, evaluation.baseline) for model in models), *with_own, *between]


def differences(evaluation: ClassEvaluation) -> Table:
    """Paired differences of models from the regression and from each other."""
    rows: Rows = []
    for first, second in pairs(evaluation):
        ends = intervals(first.samples - second.samples)
        cells: list[str] = []
        for metric in ("auroc", "mcc", "macro_f1"):
            cells += difference_as_cells(first.metrics[metric] - second.metrics[metric], ends[metric])
        rows.append((f"{first.name} − {second.name}", *cells))
    return Table("Differences, paired", ("", "AUROC", "95 %", "MCC", "95 %", "macro-F1", "95 %"), rows)


def of_each_class(evaluation: ClassEvaluation, model: ClassModel) -> Table:
    """What a model reaches on each class, and the regression's F1 and AUROC beside it."""
    labels, counts = evaluation.dataset.labels, evaluation.confusion(model)
    rates = class_metrics.rates_of_classes(counts.astype(np.float64))
    areas = class_metrics.against_others(labels, model.probabilities)
    baseline = evaluation.baseline
    _, _, f1_of_baseline = class_metrics.rates_of_classes(evaluation.confusion(baseline).astype(np.float64))
    areas_of_baseline = class_metrics.against_others(labels, baseline.probabilities)
    rows: Rows = [
        (
            name,
            int(counts[number].sum()),
            *(float(rate[number]) for rate in rates),
            *(_or_missing(area) for area in areas[number]),
            float(f1_of_baseline[number]),
            _or_missing(areas_of_baseline[number, 0]),
        )
        for number, name in enumerate(evaluation.classes)
    ]
    header = ("class", "sequences", "precision", "recall", "F1", "AUROC", "AUPRC", "5-mers: F1", "5-mers: AUROC")
    return Table(f"Each class against all others{_of(evaluation, model)}", header, rows)


def _or_missing(value: float) -> object:
    return MISSING if np.isnan(value) else float(value)


def _of(evaluation: ClassEvaluation, model: ClassModel) -> str:
    return f", {model.name}" if len(evaluation.models) > 1 or model is evaluation.baseline else ""


def confusion(evaluation: ClassEvaluation, model: ClassModel) -> Table:
    """How many sequences of each class are called what; of many classes, what they are called most often."""
    counts, names = evaluation.confusion(model), evaluation.classes
    if len(names) <= MAX_COLUMNS:
        rows: Rows = [(name, *map(int, counts[number])) for number, name in enumerate(names)]
        caption = f"Classes (rows) and what they are called (columns){_of(evaluation, model)}"
        return Table(caption, ("class", *names), rows)
    rows = []
    for number, name in enumerate(names):
        others = counts[number].copy()
        others[number] = 0
        most = int(others.argmax())
        wrong = (names[most], int(others[most])) if others[most] else ("", 0)
        rows.append((name, int(counts[number].sum()), int(counts[number, number]), *wrong))
    header = ("class", "sequences", "called so", "most often called otherwise", "sequences")
    return Table(f"What classes are called{_of(evaluation, model)}", header, rows)


def mistakes(evaluation: ClassEvaluation, model: ClassModel, limit: int) -> Table:
    """The sequences that a model gives the wrong class with the highest probability."""
    labels, names = evaluation.dataset.labels, evaluation.classes
    wrong = np.flatnonzero(model.called != labels)
    shares = model.probabilities[np.arange(len(labels)), model.called]
    chosen = wrong[np.argsort(-shares[wrong], kind="stable")][:limit]
    named = evaluation.dataset.table.select(["genome", "gene_id"]).take(chosen).to_pylist()
    rows: Rows = [
        (
            f"{record['genome']}:{record['gene_id']}",
            names[labels[row]],
            names[model.called[row]],
            float(shares[row]),
            float(model.probabilities[row, labels[row]]),
        )
        for row, record in zip(chosen.tolist(), named, strict=True)
    ]
    header = ("sequence", "class", "called", "probability of that", "of its class")
    caption = f"Wrong classes: the {len(rows):,} most confident of {len(wrong):,}{_of(evaluation, model)}"
    return Table(caption, header, rows)


def terminal_tables(evaluation: ClassEvaluation) -> list[Table]:
    """The tables that the terminal shows."""
    tables = [main(evaluation), interval_table(evaluation), differences(evaluation)]
    for model in evaluation.models:
        tables += [of_each_class(evaluation, model), confusion(evaluation, model)]
    return tables
