from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import UsageError
from tuning import identity

STORED = {"tuning": {"seed": 0, "metric": "auroc"}, "datasets": ["a"], "training": {"epochs": 2}}


def test_what_is_written_is_read_with_the_seconds_spent(tmp_path: Path) -> None:
    assert identity.read(tmp_path) is None
    identity.write(tmp_path, STORED, 12.34)
    assert identity.read(tmp_path) == (STORED, 12.3)


def test_another_study_is_refused_with_the_keys_and_both_values(tmp_path: Path) -> None:
    requested = {**STORED, "tuning": {"seed": 9, "metric": "auroc"}, "training": {"epochs": 2, "global_batch_size": 8}}
    with pytest.raises(UsageError) as caught:
        identity.require_same(tmp_path, STORED, requested)
    assert "tuning.seed: 0 in the study, 9 requested; training.global_batch_size: 64 in the study, 8 requested" in str(
        caught.value
    )
    identity.require_same(tmp_path, STORED, STORED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"identity": {}}',
        '{"identity": [], "seconds": 1}',
        '{"identity": {}, "seconds": NaN}',
        '{"identity": {}, "seconds": -1}',
        '{"identity": {}, "seconds": "1"}',
        '{"identity": {"tuning": []}, "seconds": 1}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / identity.STUDY).write_text(text)
    with pytest.raises(UsageError, match="cannot be read"):
        identity.read(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "1", "[" * 100_000])
def test_a_damaged_mark_of_a_finished_study_is_no_mark(text: str, tmp_path: Path) -> None:
    (tmp_path / identity.FINISHED).write_text(text)
    assert identity.finished_by(tmp_path) is None
