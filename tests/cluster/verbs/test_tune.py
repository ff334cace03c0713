"""A study through the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.cli import main
from tests.training.conftest import write_dataset

SECTIONS = {
    "model": {"embedding": 8, "hidden": 8, "stem": 8, "dropout": 0.0},
    "training": {"epochs": 1, "global_batch_size": 16, "device": "cpu"},
    "tuning": {"space": {"model.hidden": [8, 12]}, "search": "grid", "scheduler": "none", "device_memory": "4GiB"},
}


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(SECTIONS))
    return path


@pytest.mark.ray
@pytest.mark.full
def test_a_study_shows_its_trials_and_names_the_files_of_its_report(
    experiment: Path, tmp_path: Path, ray_session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    data, output = write_dataset(tmp_path / "data"), tmp_path / "study"
    arguments = ["tune", str(experiment), "--dataset", str(data), "--output", str(output)]
    assert main(arguments) == 0, capsys.readouterr().err
    shown = capsys.readouterr().out
    assert "Trials, the best configuration first" in shown
    assert f"best configuration: {output / 'best.yaml'}" in shown
    assert {"trials.csv", "trials.parquet", "trials.jsonl", "best.yaml"} <= {path.name for path in output.iterdir()}
    assert main([*arguments, "--report-only"]) == 0
    assert "Trials, the best configuration first" in capsys.readouterr().out


def test_a_study_without_a_dataset_needs_the_sources_of_one(
    experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", str(experiment), "--output", str(tmp_path / "study")]) == 2
    assert "sources: missing" in " ".join(capsys.readouterr().err.split())


def test_a_wrong_search_space_is_one_line_that_names_the_key(
    experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "study"
    arguments = [
        "tune",
        str(experiment),
        "--dataset",
        "d",
        "--output",
        str(output),
        "--tuning.space",
        "model.hiden=[8]",
    ]
    assert main(arguments) == 2
    assert "model.hiden" in capsys.readouterr().err
    assert not output.exists()


def test_a_genome_of_a_study_may_be_named_by_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = {"genome": "a", "fasta": "a.fa", "annotation": "a.gff3"}
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump({**SECTIONS, "sources": [source]}))
    arguments = ["tune", str(tmp_path / "experiment.yaml"), "--output", str(tmp_path / "study"), "--report-only"]
    assert main([*arguments, "--sources.0.fasta", str(tmp_path / "b.fa")]) == 2
    assert "study: no study there" in " ".join(capsys.readouterr().err.split())
