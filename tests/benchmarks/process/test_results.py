from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.process.results import read_results
from pipelines import storage


def test_stored_figures_are_read_and_others_left_alone(tmp_path: Path) -> None:
    storage.write_json(tmp_path / "figures.json", {"machine": {"cpus": 2}})
    assert read_results(tmp_path / "figures.json", {"machine": {"cpus": 64}}) == {"machine": {"cpus": 2}}


def test_without_a_file_the_figures_are_those_given(tmp_path: Path) -> None:
    assert read_results(tmp_path / "figures.json", {"tasks": {}}) == {"tasks": {}}
    assert read_results(tmp_path / "figures.json") == {}


def test_a_damaged_file_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_text('{"tasks": ')
    with pytest.raises(ValueError, match="Expecting value"):
        read_results(tmp_path / "figures.json")
