"""An evaluation of classes as one HTML page."""

from __future__ import annotations

import numpy as np

from pipelines import report
from pipelines.display import counted
from pipelines.report import Table
from training.bundle.card_text import network
from training.evaluation import other_datasets
from training.evaluation.classes import conclusions, plots, tables
from training.evaluation.classes.evaluate import ClassEvaluation
from training.evaluation.provenance import provenance

MAX_MISTAKES = 20


def build_page(evaluation: ClassEvaluation, command: str = "") -> report.Page:
    """Build the page, the same bytes for the same evaluation.

    Args:
        evaluation: what is shown.
        command: that it was made by; empty if it is not known.
    """
    manifest = evaluation.dataset.manifest
    page = report.Page(
        f"Evaluation on {evaluation.dataset.split}",
        f"{counted(len(evaluation.dataset), 'sequence')} of {len(evaluation.classes)} classes · dataset "
        f"{manifest['fingerprint'][:12]}",
    )
    for sentence in conclusions.conclude(evaluation):
        page.paragraph(sentence, lead=True)
    for warning in conclusions.warnings(evaluation):
        page.paragraph(f"Caution: {warning}.")
    table = tables.main(evaluation)
    aurocs = [model.metrics["auroc"] for model in evaluation.models]
    aurocs += [own.metrics["auroc"] for own in evaluation.own_regressions.values()]
    aurocs += [rule.metrics["auroc"] for rule in evaluation.rules]
    best = int(np.argmax(aurocs))
    page.add(table, best)
    page.paragraph(
        "AUROC, AUPRC and F1 are means over classes, each against all others; MCC is that of Gorodkin (2004). A "
        "sequence is called the class of its highest probability. Rules are multinomial regressions, fitted on train."
    )
    for table in (tables.interval_table(evaluation), tables.differences(evaluation)):
        _add(page, table)
    if explanation := other_datasets.explain_no_regression(evaluation):
        page.paragraph(explanation)
    page.heading("Classes")
    for number, model in enumerate(evaluation.models):
        _add(page, tables.of_each_class(evaluation, model))
        page.figures(*plots.curves(evaluation, model, number))
        _add(page, tables.confusion(evaluation, model))
    _add(page, tables.confusion(evaluation, evaluation.baseline))
    page.heading("The most confident mistakes")
    for model in evaluation.models:
        _add(page, tables.mistakes(evaluation, model, MAX_MISTAKES))
    page.heading("What was evaluated")
    _add(page, _models(evaluation))
    page.provenance(provenance(evaluation.models, manifest, command))
    return page


def _add(page: report.Page, table: Table) -> None:
    page.add(table)


def _models(evaluation: ClassEvaluation) -> Table:
    rows: list[tuple[object, ...]] = []
    for model in evaluation.models:
        which = "another" if evaluation.is_of_another_dataset(model) else "this"
        rows.append(
            (
                model.name,
                network(model.config["model"]),
                f"{', '.join(model.config['genomes'])} ({which} dataset)",
                model.config["metrics"]["epoch"],
            )
        )
    return Table("Models", ("", "architecture", "trained on", "epoch kept"), rows)
