from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.cli import main
from pipelines.tokenizer import Tokenizer
from tests.training.conftest import write_dataset
from tests.training.evaluation.conftest import TOKENIZER, bundle_for, save_bundle


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_dataset(tmp_path_factory.mktemp("data") / "data")
    manifest = json.loads((path / "manifest.json").read_text()) | {"counts": []}
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return save_bundle(bundle_for(TOKENIZER), tmp_path / "run" / "bundle")


FEW = ["--samples", "100"]


def test_everything_lies_beside_the_bundle_unless_it_is_named(
    dataset: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(bundle), "--dataset", str(dataset), *FEW]) == 0
    told = capsys.readouterr()
    assert {path.name for path in bundle.parent.iterdir()} == {"bundle", "report-test.html", "mistakes-test.bed"}
    assert f"report: {bundle.parent / 'report-test.html'}" in told.out
    assert "Genes left out: this dataset does not keep them" in told.out
    assert "warning: the model was trained on dataset elsewhere" in told.err


def test_two_bundles_are_judged_side_by_side(
    dataset: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = save_bundle(bundle_for(TOKENIZER, seed=1), tmp_path / "next" / "bundle")
    files = ["--json", str(tmp_path / "f.json"), "--predictions", str(tmp_path / "p.tsv"), "--split", "train"]
    assert main(["evaluate", str(bundle), str(other), "--dataset", str(dataset), *files, *FEW]) == 0
    assert "run − next" in capsys.readouterr().out
    figures = json.loads((tmp_path / "f.json").read_text())
    assert [model["name"] for model in figures["models"]] == ["run", "next"]
    assert "probability:run\tprobability:next" in (tmp_path / "p.tsv").read_text().splitlines()[0]
    assert (bundle.parent / "mistakes-train.next.bed").exists()


@pytest.mark.parametrize(
    ("more", "status", "problem"),
    [
        (["--split", "nowhere"], 2, "invalid choice: 'nowhere'"),
        (["--samples", "3"], 2, "--samples 3: too few"),
        (["--seed", "-1"], 2, "--seed -1: below 0"),
        (["--predictions", "p.csv"], 2, "ends in neither .tsv nor .parquet"),
        (["--report", "same", "--json", "same"], 2, "--report goes there too"),
        (["--report", "."], 2, "is a folder"),
        (["--resample", "chromosome"], 2, "1 chromosomes in split test are too few"),
        (["--report", "{bundle}/config.json/page.html"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    dataset: Path,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    status: int,
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [one.replace("{bundle}", str(bundle)) for one in more]
    assert main(["evaluate", str(bundle), "--dataset", str(dataset), *given]) == status
    told = capsys.readouterr()
    assert problem in told.err
    assert len([line for line in told.err.splitlines() if "error" in line]) == 1
    assert told.out == ""
    assert {path.name for path in bundle.parent.iterdir()} == {"bundle"}


def test_a_missing_bundle_and_another_tokenizer_are_named(
    dataset: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(bundle), str(tmp_path / "none"), "--dataset", str(dataset)]) == 1
    assert "none: no model bundle there" in capsys.readouterr().err
    other = save_bundle(bundle_for(Tokenizer(4, 1, "anchor")), tmp_path / "other")
    assert main(["evaluate", str(bundle), str(other), "--dataset", str(dataset)]) == 1
    assert "model other: tokenizer" in capsys.readouterr().err
