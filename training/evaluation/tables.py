"""An evaluation as tables, the same for the terminal and the page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines import metrics
from pipelines.config import KINDS
from pipelines.report import MISSING, Table
from training.evaluation.evaluate import BEST_RULE, Evaluation, Judged
from training.evaluation.recall import EVERY, Recall
from training.evaluation.slices import BY
from training.evaluation.sweep import sweep

FIGURES = {"auroc": "AUROC", "auprc": "AUPRC", "mcc": "MCC", "f1": "F1"} | {
    name: name for name in ("precision", "recall", "accuracy")
}
CAPTIONS = {"genome": "By genome", "chromosome": "By chromosome", "length": "By length, in bases"}
THRESHOLDS = tuple(np.arange(1, 20) / 20)
Interval = tuple[float, float] | None


def shown(interval: Interval) -> str:
    """An interval in a cell."""
    return MISSING if interval is None else f"{interval[0]:.3f}–{interval[1]:.3f}"


def _known(value: float | None) -> object:
    return MISSING if value is None else value


def _named(found: Evaluation, name: str) -> tuple[object, ...]:
    """The first cell of a row where there are several models."""
    return (name,) if len(found.models) > 1 else ()


def main(found: Evaluation) -> Table:
    """Every figure of every model, then of each rule."""
    named = [*((model.name, model.metrics) for model in found.models)]
    named += [(f"rule: {rule.description}", rule.metrics) for rule in found.rules]
    rows: list[tuple[object, ...]] = [(name, *(figures[one] for one in metrics.NAMES)) for name, figures in named]
    negatives = len(found.dataset) - found.genes
    caption = f"Split {found.dataset.split}: {found.genes:,} genes, {negatives:,} negatives"
    return Table(caption, ("", *FIGURES.values()), rows)


def intervals(found: Evaluation, chosen: Sequence[str] = metrics.NAMES) -> Table:
    """95 % intervals of some figures, of every model and the best rule."""
    named = [*((model.name, model.intervals) for model in found.models)]
    named.append((BEST_RULE, found.rule_intervals))
    rows: list[tuple[object, ...]] = [(name, *(shown(one[figure]) for figure in chosen)) for name, one in named]
    return Table(f"95 % intervals, {method(found)}", ("", *(FIGURES[one] for one in chosen)), rows)


def method(found: Evaluation) -> str:
    """How intervals were found."""
    drawn = "intervals" if found.unit == "interval" else "chromosomes"
    return f"bootstrap over {drawn}: {found.resampling.samples:,} samples, seed {found.resampling.seed}"


def differences(found: Evaluation) -> Table:
    """Paired differences in AUROC and MCC."""
    rows: list[tuple[object, ...]] = [
        (
            f"{one.first} − {one.second}",
            *(cell for name in ("auroc", "mcc") for cell in _difference(one.values[name], one.intervals[name])),
        )
        for one in found.differences
    ]
    return Table("Differences, paired", ("", "AUROC", "95 %", "MCC", "95 %"), rows)


def _difference(value: float, interval: Interval) -> tuple[str, str]:
    return f"{value:+.3f}", MISSING if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def sources(found: Evaluation) -> Table:
    """How many of each kind of interval are called genes."""
    kinds = np.array(found.dataset.table["source"].to_pylist(), dtype=object)
    present = set(kinds.tolist())
    rows: list[tuple[object, ...]] = []
    for source in (name for name in ("gene", *KINDS, "sequence") if name in present):
        here = kinds == source
        for model in found.models:
            called = model.probabilities[here] >= model.threshold
            rows.append((*_named(found, model.name), source, int(here.sum()), int(called.sum()), float(called.mean())))
    header = (*_named(found, "model"), "source", "intervals", "called genes", "share")
    return Table("Called genes, by how the intervals were made", header, rows)  # type: ignore[arg-type]


def parts(found: Evaluation, by: str, chosen: Sequence[str] = ("auprc", "mcc", "precision", "recall")) -> Table:
    """AUROC and other figures of parts of the rows."""
    rows: list[tuple[object, ...]] = []
    for place, first in enumerate(found.models[0].slices[by]):
        for model in found.models:
            one = model.slices[by][place]
            figures = [_known(one.metrics[name]) for name in chosen]
            cells = (_known(one.metrics["auroc"]), shown(one.interval), *figures)
            rows.append((*_named(found, model.name), first.name, one.genes, one.negatives, *cells))
    named = ("prec." if name == "precision" else FIGURES[name] for name in chosen)
    header = (*_named(found, "model"), by, "genes", "neg.", "AUROC", "95 %", *named)
    return Table(CAPTIONS[by], header, rows)  # type: ignore[arg-type]


def biotypes(found: Evaluation) -> Table | None:
    """Recall by biotype; None where the annotation tells none."""
    rows = [
        (*_named(found, model.name), one.name, one.genes, one.called, _known(one.share), shown(one.interval))
        for one_by_one in zip(*(model.biotypes for model in found.models), strict=True)
        for model, one in zip(found.models, one_by_one, strict=True)
    ]
    header = (*_named(found, "model"), "biotype", "genes", "called", "recall", "95 %")
    return Table("Genes by biotype", header, rows) if rows else None  # type: ignore[arg-type]


def left_out(found: Evaluation) -> Table | None:
    """Recall on genes left out beside that on the split's own; None where there are none."""
    rows = [
        (*_named(found, model.name), *_left_out(model, one, found.dataset.split))
        for one_by_one in zip(*(model.left_out for model in found.models), strict=True)
        for model, one in zip(found.models, one_by_one, strict=True)
    ]
    header = (*_named(found, "model"), "genes left out", "of", "all", "judged", "called", "recall", "95 %")
    caption = "Recall on genes that the dataset leaves out; those with a base in train are not judged"
    return Table(caption, header, rows) if rows else None  # type: ignore[arg-type]


def _left_out(model: Judged, one: Recall, split: str) -> tuple[object, ...]:
    among = EVERY if one.among == EVERY else split
    return (
        one.name.replace("_", " "),
        among,
        one.genes,
        one.judged,
        one.called,
        _known(one.share),
        shown(one.interval),
    )


def without_left_out(found: Evaluation) -> str | None:
    """Why there is no table of genes left out; None where there is one."""
    if not found.keeps_left_out:
        return "Genes left out: this dataset does not keep them (an older raygene built it); build it again to have them judged."
    return None if found.models[0].left_out else "Genes left out: none; every usable gene is in the dataset."


def calibration(found: Evaluation, place: int) -> Table:
    """The reliability bins of one model."""
    rows: list[tuple[object, ...]] = [
        (f"{one.low:.1f}–{one.high:.1f}", one.rows, one.mean, one.genes, shown(one.interval))
        for one in found.calibrations[place].bins
    ]
    return Table(
        f"Calibration{_of(found, place)}", ("probability", "intervals", "mean", "share of genes", "95 %"), rows
    )


def thresholds(found: Evaluation, place: int) -> Table:
    """What other thresholds of one model would give, with its own among them."""
    model = found.models[place]
    chosen = np.union1d(THRESHOLDS, model.threshold)
    swept = sweep(found.dataset.labels, model.probabilities, chosen)
    rows: list[tuple[object, ...]] = []
    for number, value in enumerate(chosen.tolist()):
        own = value == model.threshold
        figures = (getattr(swept, name)[number] for name in ("precision", "recall", "f1", "mcc"))
        rows.append(
            (f"{value:.3f} (the bundle's)" if own else f"{value:.2f}", int(swept.called[number]), *map(float, figures))
        )
    header = ("threshold", "called genes", "precision", "recall", "F1", "MCC")
    return Table(f"Decision thresholds{_of(found, place)}", header, rows)


def _of(found: Evaluation, place: int) -> str:
    return f" of {found.models[place].name}" if len(found.models) > 1 else ""


def in_terminal(found: Evaluation) -> list[Table]:
    """The tables that the terminal shows: those that fit its width and say something."""
    told = [main(found), intervals(found, ("auroc", "auprc", "mcc", "f1")), differences(found), sources(found)]
    figures = ("auprc", "mcc", "precision", "recall") if len(found.models) == 1 else ("mcc", "recall")
    told += [parts(found, by, figures) for by in BY if len(found.models[0].slices[by]) > 1]
    return [*told, *(one for one in (biotypes(found), left_out(found)) if one is not None)]
