from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.errors import DatasetError
from tuning.config import TuningConfig
from tuning.results.study_report import write_report
from tuning.trial import Trial
from tuning.trials.store import TrialStore

BASE = {"model": {"embedding": 8, "hidden": 8}, "training": {}}
CONFIG = TuningConfig.model_validate({"space": {"model.hidden": [8, 16]}, "search": "grid"})


def write_rows(output: Path, auroc: float | None) -> TrialStore:
    store = TrialStore(output)
    for number, hidden in enumerate((8, 16), start=1):
        row = Trial(number, number, str(number) * 64, 0, {"model.hidden": hidden}, "failed", "why")
        store.write(row)
    if auroc is not None:
        finished = Trial(3, 3, "3" * 64, 0, {"model.hidden": 8}, "finished", validation_auroc=auroc, train_auroc=auroc)
        store.write(finished)
    return store


def test_a_study_without_a_metric_has_tables_and_a_page_and_no_bundle(tmp_path: Path) -> None:
    report = write_report(write_rows(tmp_path, None), CONFIG, BASE, 1.0)
    assert (report.bundle, report.sizes, report.shares) == (None, [], {})
    assert "No trial has a validation metric." in report.page.read_text()
    assert pq.read_table(tmp_path / "trials.parquet")["model.hidden"].to_pylist() == [8, 16]
    with (tmp_path / "trials.csv").open() as stream:
        assert [row["reason"] for row in csv.DictReader(stream)] == ["why", "why"]
    assert not (tmp_path / "best.yaml").exists()


def test_the_best_configuration_is_left_out_on_request(tmp_path: Path) -> None:
    report = write_report(write_rows(tmp_path, 0.9), CONFIG, BASE, 1.0, with_best=False)
    assert report.bundle is None
    assert not (tmp_path / "best.yaml").exists()
    assert [size.score.value for size in report.sizes] == [0.9]


def test_tables_and_page_are_written_before_the_best_bundle_fails(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        write_report(write_rows(tmp_path, 0.9), CONFIG, BASE, 1.0)
    assert (tmp_path / "trials.csv").exists()
    assert (tmp_path / "report.html").exists()
