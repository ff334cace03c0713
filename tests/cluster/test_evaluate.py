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
        (["b", "--dataset", "d", "--eval-chromosomes", "IV"], "--eval-chromosomes: does not serve a model"),
        (
            ["--calls", "c.bed", "--fasta", "f.fa", "--annotation", "a.gff3", "--samples", "300"],
            "--samples: does not serve called genes",
        ),
        (
            ["--calls", "c.bed", "--fasta", "f.fa", "--annotation", "a.gff3", "--json", "c.bed"],
            "--json: would overwrite c.bed, which is --calls's",
        ),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    capsys: pytest.CaptureFixture[str], given: list[str], expected: str
) -> None:
    assert main(["evaluate", *given]) == 2
    assert expected in " ".join(capsys.readouterr().err.split())


def test_calls_on_sequences_that_the_genome_lacks_are_told_or_refused(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = tmp_path / "calls.bed"
    files = ["--calls", str(calls), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
    calls.write_text("chr1\t10\t99\nchrX\t10\t99\n")
    assert main(["evaluate", *files]) == 0
    assert "1 of 2 features are left out: they lie on sequences that the genome lacks (chrX)" in " ".join(
        capsys.readouterr().err.split()
    )
    calls.write_text("chrX\t10\t99\n")
    assert main(["evaluate", *files]) == 1
    assert "make the names agree; the genome has chr1" in " ".join(capsys.readouterr().err.split())


def test_no_calls_at_all_find_nothing(genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls, figures = tmp_path / "calls.bed", tmp_path / "a.json"
    calls.write_text("# none\n")
    files = ["--calls", str(calls), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
    assert main(["evaluate", *files, "--json", str(figures)]) == 0, capsys.readouterr().err
    assert json.loads(figures.read_text())["base"]["sensitivity"] == 0
