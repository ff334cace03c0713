"""An evaluation of classes as JSON; the keys are described in `docs/evaluate.md`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pipelines import class_metrics, metrics
from training.evaluation.classes import conclusions, tables
from training.evaluation.classes.evaluate import ClassEvaluation, ClassModel, Interval, intervals

Json = dict[str, Any]


def to_json(evaluation: ClassEvaluation) -> Json:
    """The first model's metrics and what belongs to the split, flat; and those of every model under `models`."""
    sentences = conclusions.conclude(evaluation)
    models = [
        _model(evaluation, model) | {"conclusion": sentence}
        for model, sentence in zip(evaluation.models, sentences, strict=True)
    ]
    return {
        **{key: value for key, value in models[0].items() if key != "name"},
        "task": "classify",
        "split": evaluation.dataset.split,
        "rows": len(evaluation.dataset),
        "classes": evaluation.classes,
        "shortcuts": {rule.name: rule.metrics["auroc"] for rule in evaluation.rules},
        "rules": {rule.name: rule.metrics for rule in evaluation.rules},
        "regression": _model(evaluation, evaluation.baseline),
        "differences": [_difference(*pair) for pair in tables.pairs(evaluation)],
        "bootstrap": {
            "samples": evaluation.resampling.samples,
            "seed": evaluation.resampling.seed,
            "unit": "sequence",
            "level": metrics.CONFIDENCE,
        },
        "dataset_fingerprint": evaluation.dataset.manifest["fingerprint"],
        "tokenizer_fingerprint": evaluation.dataset.tokenizer.fingerprint,
        "warnings": conclusions.warnings(evaluation),
        "models": models,
    }


def _model(evaluation: ClassEvaluation, model: ClassModel) -> Json:
    counts = evaluation.confusion(model)
    precision, recall, f1 = class_metrics.rates_of_classes(counts.astype(np.float64))
    areas = class_metrics.against_others(evaluation.dataset.labels, model.probabilities)
    return {
        "name": model.name,
        **model.metrics,
        "intervals": _intervals(model.intervals),
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


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _difference(first: ClassModel, second: ClassModel) -> Json:
    ends = intervals(first.samples - second.samples)
    values = {
        name: {"value": first.metrics[name] - second.metrics[name], "interval": _interval(ends[name])}
        for name in class_metrics.NAMES
    }
    return {"first": first.name, "second": second.name, **values}


def _intervals(values: dict[str, Interval]) -> Json:
    return {name: _interval(interval) for name, interval in values.items()}


def _interval(interval: Interval) -> list[float] | None:
    return None if interval is None else list(interval)
