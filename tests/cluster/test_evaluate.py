from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.cli import main
from tests.conftest import GenomeFiles


def test_the_annotation_held_against_itself_agrees_in_everything(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "a.json"
    files = ["--calls", str(genome.annotation), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
    assert main(["evaluate", *files, "--json", str(figures)]) == 0, capsys.readouterr().err
    assert "genes, half of both overlaps" in capsys.readouterr().out
    found = json.loads(figures.read_text())
    assert {found[level]["f1"] for level in ("base", "base_stranded", "touched", "half")} == {1.0}
    assert found["everything"]["sensitivity"] == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--dataset", "d"], "BUNDLE: missing for a model"),
        (["b"], "--dataset: missing for a model"),
        (["--calls", "c.bed", "--fasta", "f.fa"], "--annotation: missing for called genes"),
        (["b", "--calls", "c.bed", "--fasta", "f.fa", "--annotation", "a.gff3"], "BUNDLE: does not serve called genes"),
        (["b", "--dataset", "d", "--judged", "IV"], "--judged: does not serve a model"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    capsys: pytest.CaptureFixture[str], given: list[str], expected: str
) -> None:
    assert main(["evaluate", *given]) == 2
    assert expected in " ".join(capsys.readouterr().err.split())
