from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines import metrics
from pipelines.errors import UsageError
from training.evaluation import predictions
from training.evaluation.recognition import Evaluation


def test_the_figures_can_be_computed_again_from_the_table(evaluated: Evaluation, tmp_path: Path) -> None:
    predictions.write(evaluated, tmp_path / "p.tsv")
    with (tmp_path / "p.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [int(row["interval_id"]) for row in rows] == evaluated.dataset.table["interval_id"].to_pylist()
    labels, scores = [int(row["label"]) for row in rows], [float(row["probability"]) for row in rows]
    assert scores == evaluated.models[0].probabilities.tolist()
    assert metrics.binary_metrics(labels, scores, 0.5) == evaluated.models[0].metrics


def test_parquet_holds_the_same_with_a_column_for_each_model(side_by_side: Evaluation, tmp_path: Path) -> None:
    predictions.write(side_by_side, tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet")
    for model in side_by_side.models:
        assert table[f"probability:{model.name}"].to_pylist() == model.probabilities.tolist()


def test_another_ending_is_refused(evaluated: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in neither \.tsv nor \.parquet"):
        predictions.write(evaluated, tmp_path / "p.csv")
