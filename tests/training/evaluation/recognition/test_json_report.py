from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines import metrics
from training.evaluation.recognition import Evaluation, json_report
from training.evaluation.recognition.slices import BY


@pytest.fixture(scope="module")
def written(evaluated: Evaluation) -> dict[str, Any]:
    """The figures as they are read back."""
    return json.loads(json.dumps(json_report.to_json(evaluated), allow_nan=False))


def test_one_models_figures_are_flat(evaluated: Evaluation, written: dict[str, Any]) -> None:
    assert {name: written[name] for name in metrics.NAMES} == evaluated.models[0].metrics
    assert set(written["shortcuts"]) == {
        "length", "gc", "soft_masked", "unknown", "first_six", "last_six", "ends", "kmers",
    }  # fmt: skip
    assert written["rows"] == written["genes"] + written["negatives"] == 120
    assert written["called_by_source"].keys() == {"gene", "shuffle"}
    assert {"threshold", "split", "conclusion", "dataset_fingerprint", "tokenizer_fingerprint"} <= written.keys()


def test_parts_intervals_calibration_sweep_and_genes_left_out_are_written(written: dict[str, Any]) -> None:
    low, high = written["intervals"]["auroc"]
    assert low <= written["auroc"] <= high
    for by in BY:
        assert sum(entry["rows"] for entry in written[f"by_{by}"]) == written["rows"]
    assert sum(entry["rows"] for entry in written["calibration"]["bins"]) == written["rows"]
    assert sum(entry["genes"] for entry in written["by_biotype"]) == written["genes"]
    assert len(written["sweep"]) == 19
    assert written["bootstrap"] == {"samples": 200, "seed": 0, "unit": "interval", "level": 0.95}
    assert {entry["split"] for entry in written["left_out"]} == {"test", "every split"}
    assert written["differences"][0]["second"] == "best rule"


def test_several_models_are_listed_and_the_first_is_flat_as_well(side_by_side: Evaluation) -> None:
    document = json_report.to_json(side_by_side)
    assert [model["name"] for model in document["models"]] == ["first", "second"]
    first = {key: value for key, value in document["models"][0].items() if key != "name"}
    assert {key: document[key] for key in first} == first
