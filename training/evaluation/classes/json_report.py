"""An evaluation of classes as JSON; the keys are described in `docs/evaluate.md`."""

from __future__ import annotations

import math

import numpy as np

from pipelines import class_metrics
from training.evaluation.classes import conclusions, tables
from training.evaluation.classes.evaluate import ClassEvaluation, ClassModel, intervals
from training.evaluation.common_keys import Json, provenance_keys, split_keys
from training.evaluation.intervals import all_as_json, as_json


def to_json(evaluation: ClassEvaluation) -> Json:
    """The first model's metrics and what belongs to the split, flat; and those of every model under `models`."""
    sentences = conclusions.conclude(evaluation)
    models = [
        _model(evaluation, model)
        | {"conclusion": sentence, "own_regression": _own_regression(evaluation.own_regression(model))}
        for model, sentence in zip(evaluation.models, sentences, strict=True)
    ]
    return {
        **split_keys(models, evaluation.dataset, task="classify"),
        "classes": evaluation.classes,
        "shortcuts": {rule.name: rule.metrics["auroc"] for rule in evaluation.rules},
        "rules": {rule.name: rule.metrics for rule in evaluation.rules},
        "regression": _model(evaluation, evaluation.baseline),
        "differences": [_difference(*pair) for pair in tables.pairs(evaluation)],
        **provenance_keys(
            models, evaluation.dataset, evaluation.resampling, "sequence", conclusions.warnings(evaluation)
        ),
    }


def _model(evaluation: ClassEvaluation, model: ClassModel) -> Json:
    counts = evaluation.confusion(model)
    precision, recall, f1 = class_metrics.rates_of_classes(counts.astype(np.float64))
    areas = class_metrics.against_others(evaluation.dataset.labels, model.probabilities)
    return {
        "name": model.name,
        **model.metrics,
        "intervals": all_as_json(model.intervals),
        "confusion": counts.tolist(),
        "by_class": [
            {
                "name": name,
                "rows": int(counts[number].sum()),
                "called": int(counts[:, number].sum()),
                "precision": float(precision[number]),
                "recall": float(recall[number]),
                "f1": float(f1[number]),
                "auroc": _known(areas[number, 0]),
                "auprc": _known(areas[number, 1]),
            }
            for number, name in enumerate(evaluation.classes)
        ],
    }


def _own_regression(own: ClassModel | None) -> Json | None:
    return None if own is None else own.metrics | {"intervals": all_as_json(own.intervals)}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _difference(first: ClassModel, second: ClassModel) -> Json:
    ends = intervals(first.samples - second.samples)
    values = {
        name: {"value": first.metrics[name] - second.metrics[name], "interval": as_json(ends[name])}
        for name in class_metrics.NAMES
    }
    return {"first": first.name, "second": second.name, **values}
