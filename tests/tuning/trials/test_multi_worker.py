from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import TrainingError
from training.config import ModelConfig, TrainingConfig
from training.observability import journal
from tuning.trials import multi_worker
from tuning.trials.reports import EpochReport, TrialReport
from tuning.trials.store import EPOCHS
from tuning.trials.trial_spec import TrialSpec

RECORDS = [
    {"epoch": epoch, "seconds": 2.0, "validation_auroc": auroc, "validation_mcc": auroc / 2}
    for epoch, auroc in ((1, 0.7), (2, 0.9), (3, 0.8))
]


def train_three_epochs_and_fail(*arguments: Any, **keywords: Any) -> None:
    on_epoch = arguments[-1]
    for record in RECORDS:
        on_epoch(record)
    raise TrainingError("workers died", "run again")


def test_epochs_that_only_a_bundle_still_holds_take_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def report_records_without_seconds(*arguments: Any, **keywords: Any) -> None:
        for record in RECORDS:
            arguments[-1]({name: value for name, value in record.items() if name != "seconds"})
        raise TrainingError("workers died", "run again")

    monkeypatch.setattr(multi_worker, "train", report_records_without_seconds)
    spec = TrialSpec(ModelConfig(), TrainingConfig(workers=2), tmp_path, "", tmp_path, 8, True, 1, 0)
    with pytest.raises(TrainingError, match="workers died"):
        multi_worker.run(spec, lambda report: None)
    assert [record["trial_seconds"] for record in journal.read(tmp_path / EPOCHS)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("epochs_before", [0, 2])
def test_epochs_are_reported_in_order_those_of_an_earlier_process_as_replays(
    epochs_before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multi_worker, "train", train_three_epochs_and_fail)
    spec = TrialSpec(ModelConfig(), TrainingConfig(workers=2), tmp_path, "", tmp_path, 8, True, 1, 0)
    journal.write(tmp_path / EPOCHS, RECORDS[:epochs_before])
    reports: list[TrialReport] = []
    with pytest.raises(TrainingError, match="workers died"):
        multi_worker.run(spec, reports.append)
    assert reports == [
        EpochReport(epoch, auroc, auroc / 2, is_replay=epoch <= epochs_before)
        for epoch, auroc in ((1, 0.7), (2, 0.9), (3, 0.9))
    ]
    written = journal.read(tmp_path / EPOCHS)
    assert [(record["epoch"], record["trial_seconds"]) for record in written] == [(1, 2.0), (2, 2.0), (3, 2.0)]
