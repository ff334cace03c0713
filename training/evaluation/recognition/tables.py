"""An evaluation as tables, the same for the terminal and the page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines import metrics
from pipelines.config import KINDS
from pipelines.display import counted
from pipelines.report import MISSING, Table
from training.evaluation.intervals import as_cell, difference_as_cells
from training.evaluation.recognition.evaluate import BEST_RULE, Evaluation
from training.evaluation.recognition.recall import EVERY, Recall
from training.evaluation.recognition.slices import BY
from training.evaluation.recognition.thresholds import sweep

_ABBREVIATIONS = ("auroc", "auprc", "mcc", "f1")
METRIC_LABELS = {name: name.upper() if name in _ABBREVIATIONS else name for name in metrics.NAMES}
"""Headings of columns, in the order of `metrics.NAMES`."""
CAPTIONS = {"genome": "By genome", "chromosome": "By chromosome", "length": "By length, in bases"}
OWN_VALIDATION = "own validation"
THRESHOLDS = tuple(np.arange(1, 20) / 20)
Rows = list[tuple[object, ...]]


def _or_missing(value: float | None) -> object:
    return MISSING if value is None else value


def _name_cell(evaluation: Evaluation, name: str) -> tuple[str, ...]:
    """The first cell of a row if there are several models; nothing for a single one."""
    return (name,) if len(evaluation.models) > 1 else ()


def main(evaluation: Evaluation) -> Table:
    """Every metric of every model, of the regressions fitted on other data that models were trained on, and of rules.

    The rules are fitted on train of the dataset that is evaluated.
    """
    named = [(model.name, model.metrics) for model in evaluation.models]
    named += [(own.rule.description, own.rule.metrics) for own in evaluation.own_regressions]
    named += [(f"rule: {rule.description}", rule.metrics) for rule in evaluation.rules]
    rows: Rows = [(name, *(values[metric] for metric in metrics.NAMES)) for name, values in named]
    negatives = len(evaluation.dataset) - evaluation.genes
    caption = f"Split {evaluation.dataset.split}: {counted(evaluation.genes, 'gene')}, {counted(negatives, 'negative')}"
    return Table(caption, ("", *METRIC_LABELS.values()), rows)


def intervals(evaluation: Evaluation, names: Sequence[str] = metrics.NAMES) -> Table:
    """95 % intervals of some metrics, of every model, the regressions of their training data, and the best rule."""
    named = [(model.name, model.intervals) for model in evaluation.models]
    named += [(own.rule.description, own.intervals) for own in evaluation.own_regressions]
    named.append((BEST_RULE, evaluation.rule_intervals))
    rows: Rows = [(name, *(as_cell(of[metric]) for metric in names)) for name, of in named]
    return Table(f"95 % intervals, {method(evaluation)}", ("", *(METRIC_LABELS[name] for name in names)), rows)


def method(evaluation: Evaluation) -> str:
    """How the intervals were computed."""
    drawn = "intervals" if evaluation.unit == "interval" else "chromosomes"
    resampling = evaluation.resampling
    return f"bootstrap over {drawn}: {resampling.samples:,} samples, seed {resampling.seed}"


def differences(evaluation: Evaluation) -> Table:
    """Paired differences in AUROC and MCC."""
    rows: Rows = [
        (
            f"{difference.first} − {difference.second}",
            *difference_as_cells(difference.values["auroc"], difference.intervals["auroc"]),
            *difference_as_cells(difference.values["mcc"], difference.intervals["mcc"]),
        )
        for difference in evaluation.differences
    ]
    return Table("Differences, paired", ("", "AUROC", "95 %", "MCC", "95 %"), rows)


def sources(evaluation: Evaluation) -> Table:
    """How many intervals of each kind are called genes."""
    kinds = np.array(evaluation.dataset.table["source"].to_pylist(), dtype=object)
    present = set(kinds.tolist())
    rows: Rows = []
    for source in (name for name in ("gene", *KINDS, "sequence") if name in present):
        members = kinds == source
        for model in evaluation.models:
            called = model.probabilities[members] >= model.threshold
            counts = (int(members.sum()), int(called.sum()), float(called.mean()))
            rows.append((*_name_cell(evaluation, model.name), source, *counts))
    header = (*_name_cell(evaluation, "model"), "source", "intervals", "called genes", "share")
    return Table("Called genes, by how the intervals were made", header, rows)


def by_slice(evaluation: Evaluation, by: str, names: Sequence[str] = ("auprc", "mcc", "precision", "recall")) -> Table:
    """AUROC and other metrics of the slices by genome, chromosome or length."""
    rows: Rows = []
    for number in range(len(evaluation.models[0].slices[by])):
        for model in evaluation.models:
            part = model.slices[by][number]
            values = [_or_missing(part.metrics[name]) for name in names]
            cells = (_or_missing(part.metrics["auroc"]), as_cell(part.interval), *values)
            rows.append((*_name_cell(evaluation, model.name), part.name, part.genes, part.negatives, *cells))
    labels = ("prec." if name == "precision" else METRIC_LABELS[name] for name in names)
    header = (*_name_cell(evaluation, "model"), by, "genes", "neg.", "AUROC", "95 %", *labels)
    return Table(CAPTIONS[by], header, rows)


def biotypes(evaluation: Evaluation) -> Table | None:
    """Recall by biotype; None if the annotation has no biotypes."""
    rows: Rows = [
        (
            *_name_cell(evaluation, model.name),
            recall.name,
            recall.genes,
            recall.called,
            _or_missing(recall.share),
            as_cell(recall.interval),
        )
        for of_all_models in zip(*(model.biotypes for model in evaluation.models), strict=True)
        for model, recall in zip(evaluation.models, of_all_models, strict=True)
    ]
    header = (*_name_cell(evaluation, "model"), "biotype", "genes", "called", "recall", "95 %")
    return Table("Genes by biotype", header, rows) if rows else None


def left_out(evaluation: Evaluation) -> Table | None:
    """Recall on genes left out next to that on the split's own genes; None if there are none."""
    rows: Rows = [
        (*_name_cell(evaluation, model.name), *_left_out_cells(recall, evaluation.dataset.split))
        for of_all_models in zip(*(model.left_out for model in evaluation.models), strict=True)
        for model, recall in zip(evaluation.models, of_all_models, strict=True)
    ]
    columns = ("genes left out", "of", "all", "evaluated", "called", "recall", "95 %")
    caption = "Recall on genes that the dataset leaves out; those with a base in train are not evaluated"
    return Table(caption, (*_name_cell(evaluation, "model"), *columns), rows) if rows else None


def _left_out_cells(recall: Recall, split: str) -> tuple[object, ...]:
    among = EVERY if recall.among == EVERY else split
    counts = (recall.genes, recall.evaluated, recall.called)
    return (recall.name.replace("_", " "), among, *counts, _or_missing(recall.share), as_cell(recall.interval))


def explain_no_left_out(evaluation: Evaluation) -> str | None:
    """Why there is no table of genes left out; None if there is one."""
    if not evaluation.keeps_left_out:
        return (
            "Genes left out: this dataset does not keep them (an older raygene built it); "
            "build it again to have them evaluated."
        )
    return None if evaluation.models[0].left_out else "Genes left out: none; every usable gene is in the dataset."


def calibration(evaluation: Evaluation, number: int) -> Table:
    """The reliability bins of one model."""
    rows: Rows = [
        (f"{bin_.low:.1f}–{bin_.high:.1f}", bin_.rows, bin_.mean, bin_.genes, as_cell(bin_.interval))
        for bin_ in evaluation.calibrations[number].bins
    ]
    header = ("probability", "intervals", "mean", "share of genes", "95 %")
    return Table(f"Calibration{_of_model(evaluation, number)}", header, rows)


def transfers(evaluation: Evaluation) -> Table | None:
    """What the thresholds did on the models' own validation and do here; None where no bundle holds that."""
    rows: Rows = []
    for model, transfer in zip(evaluation.models, evaluation.transfers, strict=True):
        for place, rates in ((OWN_VALIDATION, transfer.before), ("here", transfer.after)) if transfer else ():
            recall = metrics.wilson_interval(rates.genes_called, rates.genes)
            false = metrics.wilson_interval(rates.negatives_called, rates.negatives)
            cells = (rates.recall, as_cell(recall), rates.false_positive_rate, as_cell(false))
            rows.append((*_name_cell(evaluation, model.name), place, rates.precision, *cells))
    header = (*_name_cell(evaluation, "model"), "at its threshold", "precision", "recall", "95 %", "false pos.", "95 %")
    return Table("Does the threshold carry over?", header, rows) if rows else None


def explain_calibration(evaluation: Evaluation, number: int) -> str:
    """How well the probabilities of one model are calibrated, in one sentence."""
    model, calibrated = evaluation.models[number], evaluation.calibrations[number]
    name = "the model" if len(evaluation.models) == 1 else model.name
    share = evaluation.genes / len(evaluation.dataset)
    return (
        f"Calibration of {name}: expected error {calibrated.error:.3f}, Brier score {calibrated.brier:.3f}; mean "
        f"probability {model.probabilities.mean():.3f}, share of genes {share:.3f}."
    )


def thresholds(evaluation: Evaluation, number: int) -> Table:
    """What other thresholds of one model would give, with its own among them."""
    model = evaluation.models[number]
    values = np.union1d(THRESHOLDS, model.threshold)
    swept = sweep(evaluation.dataset.labels, model.probabilities, values)
    rows: Rows = []
    for row, value in enumerate(values.tolist()):
        label = f"{value:.3f} (the bundle's)" if value == model.threshold else f"{value:.2f}"
        ratios = (float(getattr(swept, name)[row]) for name in ("precision", "recall", "f1", "mcc"))
        rows.append((label, int(swept.called[row]), *ratios))
    header = ("threshold", "called genes", "precision", "recall", "F1", "MCC")
    return Table(f"Decision thresholds{_of_model(evaluation, number)}", header, rows)


def _of_model(evaluation: Evaluation, number: int) -> str:
    return f" of {evaluation.models[number].name}" if len(evaluation.models) > 1 else ""


def terminal_tables(evaluation: Evaluation) -> list[Table]:
    """The tables that the terminal shows: those that fit its width and have more than one row to compare."""
    tables = [
        main(evaluation),
        intervals(evaluation, ("auroc", "auprc", "mcc", "f1")),
        differences(evaluation),
        sources(evaluation),
    ]
    if any(evaluation.is_of_another_dataset(model) for model in evaluation.models):
        tables += [table for table in (transfers(evaluation),) if table is not None]
    names = ("auprc", "mcc", "precision", "recall") if len(evaluation.models) == 1 else ("mcc", "recall")
    tables += [by_slice(evaluation, by, names) for by in BY if len(evaluation.models[0].slices[by]) > 1]
    return [*tables, *(table for table in (biotypes(evaluation), left_out(evaluation)) if table is not None)]
