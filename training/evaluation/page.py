"""An evaluation as one HTML page."""

from __future__ import annotations

import numpy as np

from pipelines import report
from pipelines.report import Table
from training.evaluation import mistakes, plots, tables, verdict
from training.evaluation.evaluate import Evaluation
from training.evaluation.slices import BY

MOST_MISTAKES, MOST_PARTS, OPEN_PARTS = 20, 500, 12


def page(found: Evaluation) -> report.Page:
    """Everything that was found, the same bytes for the same findings."""
    negatives = len(found.dataset) - found.genes
    made = report.Page(
        f"Evaluation on {found.dataset.split}",
        f"{found.genes:,} genes and {negatives:,} negatives of {', '.join(found.genomes)} · "
        f"dataset {found.dataset.manifest['fingerprint'][:12]}",
    )
    for text in verdict.verdicts(found):
        made.paragraph(text, lead=True)
    for text in verdict.cautions(found):
        made.paragraph(f"Caution: {text}.")
    _metrics(made, found)
    made.heading("Curves")
    made.figures(*plots.curves(found))
    made.heading("Probabilities and the decision threshold")
    made.figures(*plots.probabilities(found))
    for place in range(len(found.models)):
        for table in (tables.calibration(found, place), tables.thresholds(found, place)):
            _add(made, table, folded=True)
    _places(made, found)
    _left_out(made, found)
    made.heading("The most confident mistakes")
    for model in found.models:
        for kind in ("FP", "FN"):
            table = mistakes.table(found.dataset, model, kind, MOST_MISTAKES)
            caption = f"{model.name}. {table.caption}" if len(found.models) > 1 else table.caption
            _add(made, Table(f"{caption}; 0-based half-open", table.header, table.rows))
    made.heading("What was evaluated")
    for table in _particulars(found):
        _add(made, table)
    return made


def _metrics(made: report.Page, found: Evaluation) -> None:
    table = tables.main(found)
    thresholds = ", ".join(f"{model.threshold:.3f}" for model in found.models)
    caption = (
        f"At the decision threshold {thresholds} for the model, chosen on validation; rules at theirs, chosen on train"
        if len(found.models) == 1
        else f"At the decision thresholds {thresholds} for the models, chosen on validation; rules at theirs, chosen on train"
    )
    scores = [one.metrics["auroc"] for one in found.models] + [rule.metrics["auroc"] for rule in found.rules]
    made.table(caption, table.header, table.rows, best=int(np.argmax(scores)))
    _add(made, tables.intervals(found))
    _add(made, tables.differences(found))
    neighbours = (
        "Intervals that lie side by side are alike, so that these intervals are narrower than the spread between genomes or "
        "chromosomes."
        if found.unit == "interval"
        else "Chromosomes are drawn whole, so that what their intervals share counts once."
    )
    made.paragraph(
        f"Percentile {tables.method(found)}; all models and the rule see the same samples, so differences are paired. {neighbours}"
    )


def _places(made: report.Page, found: Evaluation) -> None:
    made.heading("Where it works, and where not")
    made.figures(*plots.places(found))
    for by in BY:
        table = tables.parts(found, by)
        more = len(table.rows) - MOST_PARTS
        caption = (
            f"{table.caption}; the first {MOST_PARTS:,} of {len(table.rows):,} rows" if more > 0 else table.caption
        )
        shown = Table(caption, table.header, table.rows[:MOST_PARTS])
        _add(made, shown, folded=len(shown.rows) > OPEN_PARTS)
    for one in (tables.biotypes(found), tables.sources(found)):
        if one is not None:
            _add(made, one)


def _left_out(made: report.Page, found: Evaluation) -> None:
    made.heading("Genes that the dataset leaves out")
    table = tables.left_out(found)
    if table is None:
        made.paragraph(tables.without_left_out(found) or "")
        return
    _add(made, table)
    made.paragraph(
        "They have no negative beside them, so there is recall and nothing else. Compare it with the recall above: where it is "
        "lower, figures on the split flatter the model. Every split means all chromosomes; train of this dataset shows no base of a "
        "gene that is judged."
    )


def _add(made: report.Page, table: Table, *, folded: bool = False) -> None:
    made.table(table.caption, table.header, table.rows, folded=folded)


def _particulars(found: Evaluation) -> list[Table]:
    tokenizer, manifest = found.dataset.tokenizer, found.dataset.manifest
    crop = manifest["config"]["crop"]
    window = f"{crop['position']} windows of at most {crop['length']} bases" if crop["length"] else "whole genes"
    held_out = [one.name for one in found.models[0].slices["chromosome"]]
    data: list[tuple[object, ...]] = [
        ("dataset", manifest["fingerprint"]),
        ("tokens", f"{tokenizer.k}-mers, stride {tokenizer.stride}, tail {tokenizer.tail}"),
        ("genes shown as", window),
        ("chromosomes", ", ".join(held_out[:12]) + (" …" if len(held_out) > 12 else "")),
    ]
    models: list[tuple[object, ...]] = []
    for model in found.models:
        sizes, trained = model.config["model"], model.config["dataset"]["fingerprint"]
        which = "this" if trained == manifest["fingerprint"] else "another"
        models.append(
            (
                model.name,
                f"{sizes['kind']}, embedding {sizes['embedding']}, hidden {sizes['hidden']}",
                f"{', '.join(model.config['genomes'])} ({which} dataset)",
                model.config["metrics"]["epoch"],
                model.threshold,
            )
        )
    header = ("", "architecture", "trained on", "epoch kept", "threshold")
    return [Table("Models", header, models), Table("Data", ("", "value"), data)]
