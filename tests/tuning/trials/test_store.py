from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import ResourceError
from tuning.trial import Trial
from tuning.trials.store import TrialStore

ONE = Trial(number=1, configuration=1, key="1" * 64, seed=0, parameters={"model.hidden": 8})


@pytest.fixture
def ledger(tmp_path: Path) -> TrialStore:
    found = TrialStore(tmp_path)
    found.keep(ONE)
    found.end(replace(ONE, number=2, key="2" * 64, seed=1), "finished")
    return found


def test_rows_come_back_as_they_were_written(ledger: TrialStore, tmp_path: Path) -> None:
    assert TrialStore(tmp_path).trials == ledger.trials
    assert (tmp_path / "trials.jsonl").read_text().count("\n") == 2


def test_a_row_that_cannot_be_read_now_is_not_taken_for_none(ledger: TrialStore, tmp_path: Path) -> None:
    row = ledger.folder(ONE) / "trial.json"
    row.unlink()
    row.mkdir()
    with pytest.raises(ResourceError, match="its trial is not lost"):
        TrialStore(tmp_path)


def test_a_row_of_another_version_is_moved_aside_with_all_that_its_trial_has(
    ledger: TrialStore, tmp_path: Path
) -> None:
    folder = ledger.folder(ONE)
    (folder / "trial.json").write_text("{}")
    (folder / "kept").write_text("something")
    again = TrialStore(tmp_path)
    assert [trial.number for trial in again.trials] == [2]
    assert again.aside == [tmp_path / "unreadable" / folder.name]
    assert (again.aside[0] / "kept").read_text() == "something"


def test_reading_moves_nothing(ledger: TrialStore, tmp_path: Path) -> None:
    (ledger.folder(ONE) / "trial.json").write_text("{}")
    assert TrialStore(tmp_path, reading=True).aside == []
    assert ledger.folder(ONE).exists()


def test_a_row_that_is_forgotten_is_gone_from_table_and_disk(ledger: TrialStore, tmp_path: Path) -> None:
    ledger.forget(ONE)
    assert [trial.number for trial in TrialStore(tmp_path).trials] == [2]
    assert not ledger.folder(ONE).exists()
