"""Gene models of whole genomes through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.cli import main
from pipelines.dataset.token_dataset import TokenDataset
from tests.conftest import GenomeFiles
from tests.training import small_structure
from tests.training.conftest import write_dataset
from tests.training.small_bundle import small_bundle
from training.decoding.settings import Minimum, Settings, Weights

# An untrained model says nothing: what decides is that genes are worth much.
EAGER = Settings(weights=Weights(state=0.0, gene=30.0), minimum=Minimum(coding=9))


def bundle(folder: Path) -> Path:
    return small_structure.saved(folder / "bundle", EAGER)


def test_an_annotation_writes_its_files_and_compares_them_with_known_genes(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out" / "genes.gff3"
    arguments = [
        "annotate",
        str(bundle(tmp_path)),
        "--fasta",
        str(genome.fasta),
        "--output",
        str(output),
        "--cluster.engine",
        "local",
    ]
    files = {name: tmp_path / f"a.{name}" for name in ("gtf", "proteins", "cds", "html", "json", "report")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    options += ["--bigwig", str(tmp_path / "c.bw"), "--lists", str(tmp_path / "lists"), "--eval-chromosomes", "chr1"]
    assert main([*arguments, *options, "--annotation", str(genome.annotation)]) == 0, capsys.readouterr().err
    shown = " ".join(capsys.readouterr().out.split())
    assert "gene models in 48,000 bases" in shown
    assert "Calls compared with the annotation, on chr1" in shown
    assert {path.name for path in output.parent.iterdir()} == {"genes.gff3", "genes.json", "genes.scores"}
    assert all(path.stat().st_size for path in files.values())
    assert {path.name for path in tmp_path.glob("c.*")} == {"c.plus.bw", "c.minus.bw"}
    record = json.loads((output.parent / "genes.json").read_text())
    assert record["counts"]["complete"] > 0
    assert record["tiles"] == {"window": 999, "step": 828, "context": 81, "stride": 9}
    assert main([*arguments, *options]) == 2
    assert "nothing to compare the gene models with: name known genes with" in capsys.readouterr().err
    assert main([*arguments, *options, "--annotation", str(genome.annotation)]) == 0
    assert "annotated already; nothing to do" in " ".join("".join(capsys.readouterr()).split())


@pytest.mark.parametrize(
    ("options", "status", "expected"),
    [
        (["--output", "g.gff"], 2, "does not end in .gff3"),
        (["--output", "g.gff3", "--bigwig", "c.wig"], 2, "--bigwig"),
        (["--output", "g.gff3", "--min-score", "2"], 2, "'2' is not from 0 to 1"),
        (["--output", "g.gff3", "--genetic-code", "7"], 2, "genetic code 7: not a table of NCBI"),
        (["--output", "g.gff3", "--report", "r.html"], 2, "--report: nothing to compare the gene models with"),
        (["--output", "g.gff3", "--split", "test"], 2, "--split: nothing to compare the gene models with"),
        (["--output", "g.gff3", "--gtf", "g.json"], 2, "--gtf: would overwrite"),
        (["--output", "g.gff3", "--cds", "c.plus.bw", "--bigwig", "c.bw"], 2, "would overwrite"),
        (["--output", "g.gff3", "--workers", "0"], 2, "'0' is not a whole number of at least 1"),
        (["--output", "g.gff3", "--window", "9"], 2, "unknown argument --window"),
        ([], 2, "the following arguments are required: --output"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(
    genome: GenomeFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    status: int,
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["annotate", str(bundle(tmp_path)), "--fasta", str(genome.fasta), *options]) == status
    assert expected in " ".join(capsys.readouterr().err.split())


def test_a_model_that_recognises_genes_is_refused_with_its_verbs(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_bundle(TokenDataset.open(write_dataset(tmp_path / "dataset"), "train")).save(tmp_path / "bundle")
    arguments = ["--fasta", str(genome.fasta), "--output", str(tmp_path / "g.gff3")]
    assert main(["annotate", str(tmp_path / "bundle"), *arguments]) == 1
    assert "use it with raygene scan" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("verb", ["scan", "predict"])
def test_a_model_of_gene_structure_is_refused_by_verbs_of_recognition(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    arguments = ["--fasta", str(genome.fasta), "--output", str(tmp_path / "g.gff3")]
    if verb == "predict":
        arguments = ["--sequences", str(genome.fasta), "--output", str(tmp_path / "g.tsv")]
    assert main([verb, str(bundle(tmp_path)), *arguments]) == 1
    assert "use it with raygene annotate" in " ".join(capsys.readouterr().err.split())
