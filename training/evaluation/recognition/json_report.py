"""An evaluation as JSON; the keys are described in `docs/evaluate.md`."""

from __future__ import annotations

import numpy as np

from pipelines import metrics
from training.evaluation.common_keys import Json, provenance_keys, split_keys
from training.evaluation.intervals import all_as_json, as_json
from training.evaluation.recognition import conclusions, mistakes, tables
from training.evaluation.recognition.calibration import Bin
from training.evaluation.recognition.evaluate import Difference, Evaluation, OwnRegression
from training.evaluation.recognition.recall import Recall
from training.evaluation.recognition.slices import BY, Slice
from training.evaluation.recognition.thresholds import Rates, Transfer, sweep


def to_json(evaluation: Evaluation) -> Json:
    """The first model's metrics and what belongs to the split, flat; and those of every model under `models`."""
    models = [_model(evaluation, number) for number in range(len(evaluation.models))]
    return {
        **split_keys(models, evaluation.dataset),
        "genes": evaluation.genes,
        "negatives": len(evaluation.dataset) - evaluation.genes,
        "shortcuts": {rule.name: rule.metrics["auroc"] for rule in evaluation.rules},
        "rules": {rule.name: rule.metrics | {"threshold": rule.threshold} for rule in evaluation.rules},
        "best_rule": {"name": evaluation.rules[0].name, "intervals": all_as_json(evaluation.rule_intervals)},
        "differences": [_difference(difference) for difference in evaluation.differences],
        **provenance_keys(
            models, evaluation.dataset, evaluation.resampling, evaluation.unit, conclusions.warnings(evaluation)
        ),
    }


def _model(evaluation: Evaluation, number: int) -> Json:
    model, calibration = evaluation.models[number], evaluation.calibrations[number]
    thresholds = np.union1d(tables.THRESHOLDS, model.threshold)
    swept = sweep(evaluation.dataset.labels, model.probabilities, thresholds)
    kinds = np.array(evaluation.dataset.table["source"].to_pylist(), dtype=object)
    called = model.probabilities >= model.threshold
    return {
        "name": model.name,
        **model.metrics,
        "threshold": model.threshold,
        "conclusion": conclusions.conclude(evaluation)[number],
        "intervals": all_as_json(model.intervals),
        "called_by_source": {str(kind): float(called[kinds == kind].mean()) for kind in dict.fromkeys(kinds.tolist())},
        "own_regression": _own_regression(evaluation.own_regression(model)),
        "threshold_transfer": _transfer(evaluation.transfers[number]),
        "mistakes": mistakes.count(evaluation.dataset, model),
        **{f"by_{by}": [_slice(one) for one in model.slices[by]] for by in BY},
        "by_biotype": [{"name": one.name, "genes": one.genes, **_recall(one)} for one in model.biotypes],
        "calibration": {
            "brier": calibration.brier,
            "expected_calibration_error": calibration.error,
            "mean_probability": float(model.probabilities.mean()),
            "share_of_genes": evaluation.genes / len(evaluation.dataset),
            "bins": [_bin(one) for one in calibration.bins],
        },
        "sweep": [
            {
                "threshold": value,
                "called": int(swept.called[row]),
                **{name: float(getattr(swept, name)[row]) for name in ("precision", "recall", "f1", "mcc")},
            }
            for row, value in enumerate(thresholds.tolist())
        ],
        "left_out": [_left_out(one) for one in model.left_out] if evaluation.keeps_left_out else None,
    }


def _difference(difference: Difference) -> Json:
    values = {
        name: {"value": difference.values[name], "interval": as_json(difference.intervals[name])}
        for name in metrics.NAMES
    }
    return {"first": difference.first, "second": difference.second, **values}


def _own_regression(own: OwnRegression | None) -> Json | None:
    if own is None:
        return None
    return own.rule.metrics | {"threshold": own.rule.threshold, "intervals": all_as_json(own.intervals)}


def _transfer(transfer: Transfer | None) -> Json | None:
    if transfer is None:
        return None
    return {
        "own_validation": _rates(transfer.before),
        "evaluated": _rates(transfer.after),
        "differences": {
            name: {"value": change.value, "interval": list(change.interval), "clear": change.is_clear}
            for name, change in (
                ("recall", transfer.recall),
                ("false_positive_rate", transfer.false_positive_rate),
            )
        },
    }


def _rates(rates: Rates) -> Json:
    return {
        "genes": rates.genes,
        "negatives": rates.negatives,
        "precision": rates.precision,
        "recall": rates.recall,
        "false_positive_rate": rates.false_positive_rate,
    }


def _bin(bin_: Bin) -> Json:
    return {
        "low": bin_.low,
        "high": bin_.high,
        "rows": bin_.rows,
        "mean_probability": bin_.mean,
        "share_of_genes": bin_.genes,
        "interval": list(bin_.interval),
    }


def _slice(part: Slice) -> Json:
    counts = {"name": part.name, "rows": part.genes + part.negatives, "genes": part.genes, "negatives": part.negatives}
    return {**counts, **part.metrics, "auroc_interval": as_json(part.interval)}


def _left_out(recall: Recall) -> Json:
    counts = {"reason": recall.name, "split": recall.among, "genes": recall.genes, "evaluated": recall.evaluated}
    return {**counts, **_recall(recall)}


def _recall(recall: Recall) -> Json:
    return {"called": recall.called, "recall": recall.share, "interval": as_json(recall.interval)}
