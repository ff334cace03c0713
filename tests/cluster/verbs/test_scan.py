"""Scans of whole genomes through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pybedtools
import pytest

from cluster.cli import main
from pipelines.dataset.token_dataset import TokenDataset
from tests.conftest import GenomeFiles
from tests.training.conftest import write_dataset
from tests.training.small_bundle import small_bundle

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


def test_a_scan_with_an_annotation_shows_and_writes_the_comparison(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    output, figures = tmp_path / "out" / "genes.gff3", tmp_path / "a.json"
    arguments = ["scan", str(bundle(tmp_path / "b")), "--fasta", str(genome.fasta), "--output", str(output)]
    options = [
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
    assert main([*arguments, *options]) == 0, capsys.readouterr().err
    shown = capsys.readouterr().out
    assert "Calls compared with the annotation, on chr1" in shown
    assert "bases, everything called" in shown
    written = json.loads(figures.read_text())
    assert written["base"]["annotated"] == sum(
        len(gene)
        for gene in pybedtools.BedTool(str(genome.annotation))
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
    ("options", "status", "expected"),
    [
        (["--output", "g.bed"], 2, "does not end in .gff3"),
        (["--output", "g.gff3", "--stride", "500"], 2, "--stride 500: not from 1 to the window of 120"),
        (["--output", "g.gff3", "--low", "0.9"], 2, "not 0 < low <= high <= 1"),
        (["--output", "g.gff3", "--window", "300"], 1, "windows of 120 bases, not of 300"),
        (
            ["--output", "g.gff3", "--eval-chromosomes", "chr1"],
            2,
            "--eval-chromosomes: nothing to compare the calls with",
        ),
        (["--output", "g.gff3", "--json", "f.json"], 2, "--json: nothing to compare the calls with"),
        (["--output", "g.gff3", "--feature-types", "CDS"], 2, "--feature-types: nothing to compare the calls with"),
        (["--output", "g.gff3", "--judged", "chr1"], 2, "--judged: renamed: write --eval-chromosomes"),
        (["--output", "g.gff3", "--workers", "0"], 2, "'0' is not a whole number of at least 1"),
        (["--output", "g.gff3", "--model.hidden", "3"], 2, "unknown argument --model.hidden"),
        (["--output", "g.gff3", "--gtf"], 2, "--gtf: there are no reading frames: ask for them with --orfs"),
        (["--output", "g.gff3", "--genetic-code", "4"], 2, "--genetic-code: there are no reading frames"),
        (["--output", "g.gff3", "--fit-orfs"], 2, "--fit-orfs: there are no reading frames"),
        (["--output", "g.gff3", "--orfs", "--fit-orfs"], 2, "--fit-orfs: no known genes to fit to"),
        (["--output", "g.gff3", "--orfs", "--genetic-code", "7"], 2, "genetic code 7: not a table of NCBI"),
        (["--output", "g.gff3", "--orfs", "--low", "0.1"], 2, "--low: decides nothing with --orfs"),
        (["--output", "g.gff3", "--orfs", "--start-codons", "TGA"], 2, "start codon TGA: a stop in genetic code 1"),
        (["--output", "g.gff3", "--orfs", "--start-codons", "table", "ATG"], 2, "codons besides `table`"),
        ([], 2, "the following arguments are required: --output"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(
    genome: GenomeFiles,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    status: int,
    expected: str,
) -> None:
    assert main(["scan", str(bundle(tmp_path / "b")), "--fasta", str(genome.fasta), *options]) == status
    assert expected in capsys.readouterr().err.replace("\n", " ")


def test_a_model_that_may_not_scan_is_refused_with_the_configuration_that_makes_one(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unfit = bundle(tmp_path / "b", ("shuffle",))
    output = tmp_path / "genes.gff3"
    assert main(["scan", str(unfit), "--fasta", str(genome.fasta), "--output", str(output)]) == 1
    shown = " ".join(capsys.readouterr().err.split())
    assert "never saw antisense nor partial negatives" in shown
    assert "crop: {length: 120} and negatives: {kinds: [shuffle, antisense, partial]}" in shown


def test_an_input_is_never_overwritten(genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotation = tmp_path / "genes.gff3"
    annotation.write_bytes(genome.annotation.read_bytes())
    options = ["--fasta", str(genome.fasta), "--annotation", str(annotation), "--output", str(annotation)]
    assert main(["scan", str(bundle(tmp_path / "b")), *options]) == 2
    assert "which is --annotation's" in capsys.readouterr().err
    assert annotation.read_bytes() == genome.annotation.read_bytes()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--output", "{tmp}/folder.gff3"], "folder.gff3: is a directory"),
        (
            ["--output", "{tmp}/g.gff3", "--annotation", "{tmp}/a.gff3", "--json", "{tmp}/g.json"],
            "--json: would overwrite",
        ),
        (
            ["--output", "{tmp}/g.gff3", "--annotation", "{tmp}/a.gff3", "--json", "{tmp}/a.gff3"],
            "--json: would overwrite",
        ),
    ],
)
def test_no_file_is_written_over_another(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    (tmp_path / "folder.gff3").mkdir()
    paths = [text.replace("{tmp}", str(tmp_path)) for text in options]
    assert main(["scan", str(bundle(tmp_path / "b")), "--fasta", str(genome.fasta), *paths]) == 2
    assert expected in " ".join(capsys.readouterr().err.split())


def test_reading_frames_are_written_with_proteins(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out" / "genes.gff3"
    arguments = ["scan", str(bundle(tmp_path / "b")), "--fasta", str(genome.fasta), "--output", str(output)]
    arguments += ["--cluster.engine", "local"]
    assert main([*arguments, "--orfs", "--gtf", "--genetic-code", "12", "--start-codons", "table"]) == 0
    assert "gene models: " in capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "genes.json").read_text())
    assert record["frames"]["start_codons"] == ["ATG", "CTG"]
    assert {"genes.proteins.fasta", "genes.cds.fasta", "genes.gtf"} < set(record["files"])
