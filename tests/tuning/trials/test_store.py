from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import ResourceError
from tuning.trial import Trial
from tuning.trials.store import TrialStore

TRIAL = Trial(number=1, configuration=1, key="1" * 64, seed=0, parameters={"model.hidden": 8})


@pytest.fixture
def store(tmp_path: Path) -> TrialStore:
    opened = TrialStore(tmp_path)
    opened.write(TRIAL)
    opened.end(replace(TRIAL, number=2, key="2" * 64, seed=1), "finished")
    return opened


def test_rows_come_back_as_they_were_written(store: TrialStore, tmp_path: Path) -> None:
    assert TrialStore(tmp_path).trials == store.trials
    assert (tmp_path / "trials.jsonl").read_text().count("\n") == 2


def test_a_row_that_cannot_be_read_now_is_an_error(store: TrialStore, tmp_path: Path) -> None:
    row = store.folder(TRIAL) / "trial.json"
    row.unlink()
    row.mkdir()
    with pytest.raises(ResourceError, match="its trial is not lost"):
        TrialStore(tmp_path)


@pytest.mark.parametrize("text", ["[]", "[" * 5000, "{", '{"parameters": []}', '{"parameters": {}}', "number", "null"])
def test_a_row_that_is_none_is_moved_aside(store: TrialStore, tmp_path: Path, text: str) -> None:
    path = store.folder(TRIAL) / "trial.json"
    path.write_text(path.read_text().replace('"number": 1', '"number": "1"') if text == "number" else text)
    assert [trial.number for trial in TrialStore(tmp_path).trials] == [2]


def test_a_row_of_another_version_is_moved_aside_with_all_files_of_its_trial(store: TrialStore, tmp_path: Path) -> None:
    folder = store.folder(TRIAL)
    (folder / "trial.json").write_text("{}")
    (folder / "notes").write_text("something")
    reopened = TrialStore(tmp_path)
    assert [trial.number for trial in reopened.trials] == [2]
    assert reopened.set_aside == [tmp_path / "unreadable" / folder.name]
    assert (reopened.set_aside[0] / "notes").read_text() == "something"


def test_a_read_only_store_moves_nothing(store: TrialStore, tmp_path: Path) -> None:
    (store.folder(TRIAL) / "trial.json").write_text("{}")
    assert TrialStore(tmp_path, read_only=True).set_aside == []
    assert store.folder(TRIAL).exists()


def test_a_deleted_row_is_gone_from_table_and_disk(store: TrialStore, tmp_path: Path) -> None:
    store.delete(TRIAL)
    assert [trial.number for trial in TrialStore(tmp_path).trials] == [2]
    assert not store.folder(TRIAL).exists()
