"""Scores of intervals and sequences through the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.cli import main
from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig, validate
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from tests.conftest import GenomeFiles
from tests.training.conftest import write_dataset
from tests.training.small_bundle import small_bundle

KINDS = ("shuffle", "antisense", "partial")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--fasta", "f.fa", "--output", "g.bed"], "one of the arguments --intervals --sequences is required"),
        (["--fasta", "f.fa", "--sequences", "s.fa", "--output", "g.bed"], "--fasta: not used with --sequences"),
        (["--intervals", "i.bed", "--output", "g.bed"], "--fasta: missing: name the genome of --intervals"),
        (["--fasta", "f.fa", "--intervals", "i.bed", "--output", "i.bed"], "which is --intervals's"),
        (["--sequences", "s.fa", "--output", "g.bed", "--feature-types", "CDS"], "has an effect with --intervals only"),
        (["--sequences", "s.fa", "--output", "g.bed", "--high", "0.9"], "unknown argument --high"),
        (
            ["--sequences", "s.fa", "--output", "g.bed", "--cluster.cpus", "1"],
            "--cluster.cpus: has an effect with --workers only",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    assert main(["predict", "bundle", *options]) == 2
    assert expected in " ".join(capsys.readouterr().err.split())


def test_every_sequence_of_a_file_is_scored_as_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_bundle(TokenDataset.open(write_dataset(tmp_path / "dataset"), "train")).save(tmp_path / "bundle")
    (tmp_path / "s.fa").write_text(">one\nACGTACGTACGT\n>two\nTTTTGGGGCCCCAAAA\n")
    output = tmp_path / "scores.tsv"
    arguments = ["predict", str(tmp_path / "bundle"), "--sequences", str(tmp_path / "s.fa"), "--output", str(output)]
    assert main(arguments) == 0, capsys.readouterr().err
    rows = [line.split("\t") for line in output.read_text().splitlines()[1:]]
    assert [(row[0], row[1], row[2], row[3]) for row in rows] == [("one", "0", "12", "+"), ("two", "0", "16", "+")]
    assert "2 sequences scored" in capsys.readouterr().out
    assert output.with_suffix(".bed").exists()


@pytest.mark.ray
def test_probabilities_are_those_of_the_evaluation_by_any_workers_and_batches(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str], ray_session: Any
) -> None:
    config = {
        "sources": [genome.source("toy")],
        "tokenizer": {"k": 3, "stride": 2},
        "negatives": {"kinds": list(KINDS)},
        "split": {"validation": ["chr3"], "test": ["chr4"]},
    }
    build(validate(DatasetConfig, config, "test"), tmp_path / "data", in_this_process, Silent())
    test = TokenDataset.open(tmp_path / "data", "test")
    small_bundle(test).save(tmp_path / "bundle")
    predictions, rows = tmp_path / "p.tsv", tmp_path / "rows.bed"
    evaluated = [
        "evaluate",
        str(tmp_path / "bundle"),
        "--dataset",
        str(tmp_path / "data"),
        "--predictions",
        str(predictions),
    ]
    assert main([*evaluated, "--samples", "100"]) == 0, capsys.readouterr().err
    lines = [line.split("\t") for line in predictions.read_text().splitlines()[1:]]
    expected = {line[0]: float(line[-1]) for line in lines}
    rows.write_text("".join("\t".join([line[2], line[3], line[4], line[0], "0", line[5]]) + "\n" for line in lines))
    predict = ["predict", str(tmp_path / "bundle"), "--fasta", str(genome.fasta), "--intervals", str(rows)]
    for options in ([], ["--workers", "2", "--token-budget", "300"], ["--token-budget", "1"]):
        assert main([*predict, "--output", str(tmp_path / "s.tsv"), *options]) == 0, capsys.readouterr().err
        scored = [line.split("\t") for line in (tmp_path / "s.tsv").read_text().splitlines()[1:]]
        assert {line[4] for line in scored} == set(expected)
        assert max(abs(float(line[6]) - expected[line[4]]) for line in scored) < 1e-5
