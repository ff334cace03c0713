"""An evaluation as one HTML page."""

from __future__ import annotations

import numpy as np

from pipelines import report
from pipelines.dataset.manifest import is_of_labelled_sequences
from pipelines.display import counted
from pipelines.report import Table
from training.bundle.card_text import network
from training.evaluation import other_datasets
from training.evaluation.provenance import provenance
from training.evaluation.recognition import conclusions, mistakes, plots, tables
from training.evaluation.recognition.evaluate import Evaluation
from training.evaluation.recognition.slices import BY

MAX_MISTAKES, MAX_SLICES, MAX_OPEN_SLICES = 20, 500, 12


def build_page(evaluation: Evaluation, command: str = "") -> report.Page:
    """Build the page, the same bytes for the same evaluation.

    Args:
        evaluation: what is shown.
        command: that it was made by; empty if it is not known.
    """
    negatives = len(evaluation.dataset) - evaluation.genes
    page = report.Page(
        f"Evaluation on {evaluation.dataset.split}",
        f"{counted(evaluation.genes, 'gene')} and {counted(negatives, 'negative')} of "
        f"{', '.join(evaluation.genomes)} · "
        f"dataset {evaluation.dataset.manifest['fingerprint'][:12]}",
    )
    for sentence in conclusions.conclude(evaluation):
        page.paragraph(sentence, lead=True)
    for warning in conclusions.warnings(evaluation):
        page.paragraph(f"Caution: {warning}.")
    _add_metrics(page, evaluation)
    page.heading("Curves")
    page.figures(*plots.curves(evaluation))
    page.heading("Probabilities and the decision threshold")
    page.figures(*plots.probabilities(evaluation))
    if (transfers := tables.transfers(evaluation)) is not None:
        page.add(transfers)
        page.paragraph(
            "The first row is of the rows that the threshold was chosen on. Precision depends on the share of genes "
            "among all rows, recall and the share of negatives that are called genes (false positives) do not."
        )
    for number in range(len(evaluation.models)):
        page.paragraph(tables.explain_calibration(evaluation, number))
        page.add(tables.calibration(evaluation, number), folded=True)
        page.add(tables.thresholds(evaluation, number), folded=True)
    _add_slices(page, evaluation)
    _add_left_out(page, evaluation)
    _add_mistakes(page, evaluation)
    page.heading("What was evaluated")
    for table in (_models(evaluation), _data(evaluation)):
        page.add(table)
    page.provenance(provenance(evaluation.models, evaluation.dataset.manifest, command))
    return page


def _add_metrics(page: report.Page, evaluation: Evaluation) -> None:
    table = tables.main(evaluation)
    thresholds = ", ".join(f"{model.threshold:.3f}" for model in evaluation.models)
    of = f"threshold {thresholds} for the model"
    if len(evaluation.models) > 1:
        of = f"thresholds {thresholds} for the models"
    caption = (
        f"At the decision {of}, chosen on validation; rules at theirs, chosen on train, but regressions on validation "
        "where there is one"
    )
    aurocs = [model.metrics["auroc"] for model in evaluation.models]
    aurocs += [own.rule.metrics["auroc"] for own in evaluation.own_regressions]
    aurocs += [rule.metrics["auroc"] for rule in evaluation.rules]
    page.table(caption, table.header, table.rows, best=int(np.argmax(aurocs)))
    page.add(tables.intervals(evaluation))
    page.add(tables.differences(evaluation))
    scope = (
        "Intervals that lie side by side are alike, so that these intervals are narrower than the spread between "
        "genomes or chromosomes."
        if evaluation.unit == "interval"
        else "Chromosomes are drawn whole, so that what their intervals share counts once."
    )
    page.paragraph(
        f"Percentile {tables.method(evaluation)}; all models and the rule see the same samples, so differences are "
        f"paired. {scope}"
    )
    if explanation := other_datasets.explain_no_regression(evaluation):
        page.paragraph(explanation)


def _add_slices(page: report.Page, evaluation: Evaluation) -> None:
    page.heading("Where it works, and where not")
    page.figures(*plots.slices(evaluation))
    for by in BY:
        table = tables.by_slice(evaluation, by)
        caption = table.caption
        if len(table.rows) > MAX_SLICES:
            caption = f"{caption}; the first {MAX_SLICES:,} of {len(table.rows):,} rows"
        shown = Table(caption, table.header, table.rows[:MAX_SLICES])
        page.add(shown, folded=len(shown.rows) > MAX_OPEN_SLICES)
    if (biotypes := tables.biotypes(evaluation)) is not None:
        page.add(biotypes)
    page.add(tables.sources(evaluation))


def _add_left_out(page: report.Page, evaluation: Evaluation) -> None:
    page.heading("Genes that the dataset leaves out")
    table = tables.left_out(evaluation)
    if table is None:
        page.paragraph(tables.explain_no_left_out(evaluation) or "")
        return
    page.add(table)
    page.paragraph(
        "They have no negatives to go with them, so there is recall and nothing else. Compare it with the recall "
        "above: where it is lower, figures on the split flatter the model. Every split means all chromosomes; train of "
        "this dataset shows no base of a gene that is evaluated."
    )


def _add_mistakes(page: report.Page, evaluation: Evaluation) -> None:
    page.heading("The most confident mistakes")
    for model in evaluation.models:
        for kind in ("FP", "FN"):
            table = mistakes.table(evaluation.dataset, model, kind, MAX_MISTAKES)
            caption = f"{model.name}. {table.caption}" if len(evaluation.models) > 1 else table.caption
            page.add(Table(f"{caption}; 0-based half-open", table.header, table.rows))


def _models(evaluation: Evaluation) -> Table:
    """Architecture, training genomes, epoch and threshold of each model."""
    rows: list[tuple[object, ...]] = []
    for model in evaluation.models:
        trained_on = model.config["dataset"]["fingerprint"]
        which = "this" if trained_on == evaluation.dataset.manifest["fingerprint"] else "another"
        rows.append(
            (
                model.name,
                network(model.config["model"]),
                f"{', '.join(model.config['genomes'])} ({which} dataset)",
                model.config["metrics"]["epoch"],
                model.threshold,
            )
        )
    return Table("Models", ("", "architecture", "trained on", "epoch kept", "threshold"), rows)


def _data(evaluation: Evaluation) -> Table:
    """Dataset, tokens and chromosomes that were evaluated."""
    tokenizer, manifest = evaluation.dataset.tokenizer, evaluation.dataset.manifest
    crop = manifest["config"]["crop"]
    window = f"{crop['position']} windows of at most {crop['length']} bases" if crop["length"] else "whole genes"
    if is_of_labelled_sequences(manifest):
        window = "the labelled sequences, as they are"
    chromosomes = [chromosome.name for chromosome in evaluation.models[0].slices["chromosome"]]
    rows: list[tuple[object, ...]] = [
        ("tokens", f"{tokenizer.k}-mers, stride {tokenizer.stride}, tail {tokenizer.tail}"),
        ("genes shown as", window),
        ("chromosomes", ", ".join(chromosomes[:12]) + (" …" if len(chromosomes) > 12 else "")),
    ]
    return Table("Data", ("", "value"), rows)
