from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import UsageError
from training.observability import start_record


def test_the_same_run_started_from_another_bundle_is_refused_with_both(tmp_path: Path) -> None:
    start_record.write(tmp_path, "run", "a" * 64)
    start_record.write(tmp_path, "run", "a" * 64)
    with pytest.raises(UsageError, match=r"started from bundle a{12}, and training.start_from is bundle b{12}: name"):
        start_record.write(tmp_path, "run", "b" * 64)
    assert json.loads((tmp_path / start_record.FILE).read_text())["bundle"] == "a" * 64


def test_another_run_takes_the_place_of_a_record_with_or_without_a_bundle(tmp_path: Path) -> None:
    start_record.write(tmp_path, "run", "a")
    start_record.write(tmp_path, "other", "b")
    assert json.loads((tmp_path / start_record.FILE).read_text())["bundle"] == "b"
    start_record.write(tmp_path, "third", None)
    assert not (tmp_path / start_record.FILE).exists()


def test_a_damaged_record_is_replaced(tmp_path: Path) -> None:
    (tmp_path / start_record.FILE).write_text("[]")
    start_record.write(tmp_path, "run", "a")
    assert json.loads((tmp_path / start_record.FILE).read_text())["bundle"] == "a"


def test_a_run_that_would_replace_its_own_start_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run" / "bundle").mkdir(parents=True)
    start_record.refuse_own(None, tmp_path / "run")
    start_record.refuse_own("s3://bucket/run/bundle", tmp_path / "run")
    start_record.refuse_own(str(tmp_path / "other" / "bundle"), tmp_path / "run")
    with pytest.raises(UsageError, match="is the bundle that this run writes"):
        start_record.refuse_own(str(tmp_path / "run" / "x" / ".." / "bundle"), tmp_path / "run")
