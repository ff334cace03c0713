"""An evaluation as JSON; the keys are described in `docs/evaluate.md`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines import metrics
from training.evaluation import mistakes, tables, verdict
from training.evaluation.bootstrap import LEVEL
from training.evaluation.evaluate import Evaluation
from training.evaluation.recall import Recall
from training.evaluation.slices import BY, Slice
from training.evaluation.sweep import sweep

Interval = tuple[float, float] | None


def to_json(found: Evaluation) -> dict[str, Any]:
    """The first model's figures and what belongs to the split, flat; and every model's under `models`."""
    models = [_model(found, place) for place in range(len(found.models))]
    rules = {rule.name: rule.metrics | {"threshold": rule.threshold} for rule in found.rules}
    return {
        **{key: value for key, value in models[0].items() if key != "name"},
        "split": found.dataset.split,
        "rows": len(found.dataset),
        "genes": found.genes,
        "negatives": len(found.dataset) - found.genes,
        "shortcuts": {rule.name: rule.metrics["auroc"] for rule in found.rules},
        "rules": rules,
        "best_rule": {"name": found.rules[0].name, "intervals": _intervals(found.rule_intervals)},
        "differences": [
            {
                "first": one.first,
                "second": one.second,
                **{
                    name: {"value": one.values[name], "interval": _listed(one.intervals[name])}
                    for name in metrics.NAMES
                },
            }
            for one in found.differences
        ],
        "bootstrap": {
            "samples": found.resampling.samples,
            "seed": found.resampling.seed,
            "unit": found.unit,
            "level": LEVEL,
        },
        "dataset_fingerprint": found.dataset.manifest["fingerprint"],
        "tokenizer_fingerprint": found.dataset.tokenizer.fingerprint,
        "models": models,
    }


def _model(found: Evaluation, place: int) -> dict[str, Any]:
    model, calibrated = found.models[place], found.calibrations[place]
    thresholds = np.union1d(tables.THRESHOLDS, model.threshold)
    swept = sweep(found.dataset.labels, model.probabilities, thresholds)
    kinds = np.array(found.dataset.table["source"].to_pylist(), dtype=object)
    called = model.probabilities >= model.threshold
    return {
        "name": model.name,
        **model.metrics,
        "threshold": model.threshold,
        "verdict": verdict.verdicts(found)[place],
        "intervals": _intervals(model.intervals),
        "called_by_source": {str(kind): float(called[kinds == kind].mean()) for kind in dict.fromkeys(kinds.tolist())},
        "mistakes": mistakes.counts(found.dataset, model),
        **{f"by_{by}": [_slice(one) for one in model.slices[by]] for by in BY},
        "by_biotype": [{"name": one.name, "genes": one.genes, **_recall(one)} for one in model.biotypes],
        "calibration": {
            "brier": calibrated.brier,
            "expected_calibration_error": calibrated.error,
            "bins": [
                {
                    "low": one.low,
                    "high": one.high,
                    "rows": one.rows,
                    "mean_probability": one.mean,
                    "share_of_genes": one.genes,
                    "interval": list(one.interval),
                }
                for one in calibrated.bins
            ],
        },
        "sweep": [
            {
                "threshold": value,
                "called": int(swept.called[number]),
                **{name: float(getattr(swept, name)[number]) for name in ("precision", "recall", "f1", "mcc")},
            }
            for number, value in enumerate(thresholds.tolist())
        ],
        "left_out": [
            {"reason": one.name, "split": one.among, "genes": one.genes, "judged": one.judged, **_recall(one)}
            for one in model.left_out
        ]
        if found.keeps_left_out
        else None,
    }


def _slice(one: Slice) -> dict[str, Any]:
    counts = {"name": one.name, "rows": one.genes + one.negatives, "genes": one.genes, "negatives": one.negatives}
    return {**counts, **one.metrics, "auroc_interval": _listed(one.interval)}


def _recall(one: Recall) -> dict[str, Any]:
    return {"called": one.called, "recall": one.share, "interval": _listed(one.interval)}


def _intervals(found: dict[str, Interval]) -> dict[str, Any]:
    return {name: _listed(one) for name, one in found.items()}


def _listed(interval: Interval) -> list[float] | None:
    return None if interval is None else list(interval)
