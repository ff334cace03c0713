"""Scans through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pybedtools
import pytest

from cluster.cli import main
from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig, validate
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.progress import Silent
from tests.conftest import GenomeFiles
from tests.training.conftest import write_dataset
from tests.training.made import small_bundle

pytestmark = pytest.mark.ray
KINDS = ("shuffle", "antisense", "partial")


def bundle(folder: Path, kinds: tuple[str, ...] = KINDS) -> Path:
    """An untrained model that says it was trained on windows of 120 bases."""
    small = small_bundle(TokenDataset.open(write_dataset(folder / "dataset"), "train"))
    small.config["dataset"]["config"] |= {
        "crop": {"length": 120, "position": "random"},
        "negatives": {"kinds": dict.fromkeys(kinds, 1.0)},
    }
    small.save(folder / "bundle")
    return folder / "bundle"


def test_a_scan_beside_an_annotation_shows_and_writes_their_agreement(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    output, figures = tmp_path / "out" / "genes.gff3", tmp_path / "a.json"
    arguments = [
        "predict",
        str(bundle(tmp_path / "b")),
        "--fasta",
        str(genome.fasta),
        "--scan",
        "--output",
        str(output),
    ]
    more = [
        "--annotation",
        str(genome.annotation),
        "--eval-chromosomes",
        "chr1",
        "--json",
        str(figures),
        "--high",
        "0.3",
        "--low",
        "0.1",
    ]
    assert main([*arguments, *more]) == 0, capsys.readouterr().err
    told = capsys.readouterr().out
    assert "Calls beside the annotation, on chr1" in told
    assert "bases, everything called" in told
    written = json.loads(figures.read_text())
    assert written["base"]["annotated"] == sum(
        len(one)
        for one in pybedtools.BedTool(str(genome.annotation))
        .filter(lambda f: f.chrom == "chr1" and f[2] == "gene")
        .sort()
        .merge()
    )
    assert {path.name for path in output.parent.iterdir()} == {
        "genes.gff3",
        "genes.bed",
        "genes.json",
        "genes.plus.bedgraph",
        "genes.minus.bedgraph",
    }


@pytest.mark.parametrize(
    ("given", "status", "expected"),
    [
        (["--scan", "--output", "g.bed"], 2, "does not end in .gff3"),
        (["--scan", "--output", "g.gff3", "--stride", "500"], 2, "--stride 500: not from 1 to the window of 120"),
        (["--scan", "--output", "g.gff3", "--low", "0.9"], 2, "not 0 < low <= high <= 1"),
        (["--scan", "--output", "g.gff3", "--window", "300"], 1, "windows of 120 bases, not of 300"),
        (
            ["--scan", "--output", "g.gff3", "--eval-chromosomes", "chr1"],
            2,
            "--eval-chromosomes: nothing to compare without --annotation",
        ),
        (["--scan", "--output", "g.gff3", "--workers", "0"], 2, "'0' is not a whole number from 1 on"),
        (["--intervals", "i.bed", "--output", "g.bed", "--high", "0.9"], 2, "--high: serves --scan alone"),
        (["--scan", "--output", "g.gff3", "--model.hidden", "3"], 2, "unknown argument --model.hidden"),
        (["--output", "g.gff3"], 2, "one of the arguments --intervals --sequences --scan is required"),
        (["--sequences", "s.fa", "--output", "g.bed"], 2, "--fasta: not wanted with --sequences"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    genome: GenomeFiles,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    status: int,
    expected: str,
) -> None:
    assert main(["predict", str(bundle(tmp_path / "b")), "--fasta", str(genome.fasta), *given]) == status
    assert expected in capsys.readouterr().err.replace("\n", " ")


def test_a_model_that_may_not_scan_is_refused_with_the_configuration_that_makes_one(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unfit = bundle(tmp_path / "b", ("shuffle",))
    output = tmp_path / "genes.gff3"
    assert main(["predict", str(unfit), "--fasta", str(genome.fasta), "--scan", "--output", str(output)]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "never saw antisense nor partial negatives" in told
    assert "crop: {length: 120} and negatives: {kinds: [shuffle, antisense, partial]}" in told


def test_an_input_is_never_overwritten(genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "genes.gff3"
    taken.write_bytes(genome.annotation.read_bytes())
    given = ["--fasta", str(genome.fasta), "--scan", "--annotation", str(taken), "--output", str(taken)]
    assert main(["predict", str(bundle(tmp_path / "b")), *given]) == 2
    assert "which is --annotation's" in capsys.readouterr().err
    assert taken.read_bytes() == genome.annotation.read_bytes()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--output", "s3://bucket/genes.gff3", "--scan"], "--output s3://bucket/genes.gff3: an address"),
        (["--output", "{tmp}/folder.gff3", "--scan"], "folder.gff3: is a folder"),
        (
            ["--output", "{tmp}/g.gff3", "--scan", "--annotation", "{tmp}/a.gff3", "--json", "{tmp}/g.json"],
            "--json: would overwrite",
        ),
        (
            ["--output", "{tmp}/g.gff3", "--scan", "--annotation", "{tmp}/a.gff3", "--json", "{tmp}/a.gff3"],
            "--json: would overwrite",
        ),
        (
            ["--output", "{tmp}/g.tsv", "--intervals", "i.bed", "--cluster.cpus", "1"],
            "--cluster.cpus: serves --scan and --workers",
        ),
        (["--output", "{tmp}/g.gff3", "--scan", "--feature-types", "CDS"], "--feature-types: nothing to choose from"),
    ],
)
def test_no_file_is_written_over_another(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], expected: str
) -> None:
    (tmp_path / "folder.gff3").mkdir()
    given = [text.replace("{tmp}", str(tmp_path)) for text in more]
    assert main(["predict", str(bundle(tmp_path / "b")), "--fasta", str(genome.fasta), *given]) == 2
    assert expected in " ".join(capsys.readouterr().err.split())


def test_probabilities_are_those_of_the_evaluation_by_any_workers_and_batches(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {
        "sources": [genome.source("toy")],
        "tokenizer": {"k": 3, "stride": 2},
        "negatives": {"kinds": list(KINDS)},
        "split": {"validation": ["chr3"], "test": ["chr4"]},
    }
    build(validate(DatasetConfig, config, "test"), tmp_path / "data", ray_session, Silent())
    test = TokenDataset.open(tmp_path / "data", "test")
    small_bundle(test).save(tmp_path / "bundle")
    told, rows = tmp_path / "p.tsv", tmp_path / "rows.bed"
    evaluated = ["evaluate", str(tmp_path / "bundle"), "--dataset", str(tmp_path / "data"), "--predictions", str(told)]
    assert main([*evaluated, "--samples", "100"]) == 0, capsys.readouterr().err
    lines = [line.split("\t") for line in told.read_text().splitlines()[1:]]
    expected = {line[0]: float(line[-1]) for line in lines}
    rows.write_text("".join("\t".join([line[2], line[3], line[4], line[0], "0", line[5]]) + "\n" for line in lines))
    predict = ["predict", str(tmp_path / "bundle"), "--fasta", str(genome.fasta), "--intervals", str(rows)]
    for more in ([], ["--workers", "2", "--token-budget", "300"], ["--token-budget", "1"]):
        assert main([*predict, "--output", str(tmp_path / "s.tsv"), *more]) == 0, capsys.readouterr().err
        scored = [line.split("\t") for line in (tmp_path / "s.tsv").read_text().splitlines()[1:]]
        assert {line[4] for line in scored} == set(expected)
        assert max(abs(float(line[6]) - expected[line[4]]) for line in scored) < 1e-5
