from __future__ import annotations

from pathlib import Path

import pytest

from cluster.experiment import load
from tests.cluster.command_line import one_line, run_here
from tests.conftest import GenomeFiles
from tests.pipelines.build.gene_genomes import make_gene_genome


def test_a_structure_experiment_passes_a_dry_run_with_the_split_that_was_shown(tmp_path: Path) -> None:
    genes = make_gene_genome(tmp_path / "genes", bases=30_000)
    files = ["--fasta", genes.fasta, "--annotation", genes.annotation]
    done = run_here("init", tmp_path / "mine", "--preset", "structure", *files)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "mine" / "experiment.yaml"
    assert f"raygene build {path} --output {tmp_path}/mine/data" in done.stdout
    experiment = load(path, {})
    assert experiment.task == "structure"
    assert Path(str(experiment.sources[0].fasta)).samefile(genes.fasta)
    dry = run_here("build", path, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "validation" in dry.stderr


def test_a_scan_experiment_passes_a_dry_run(genome: GenomeFiles, tmp_path: Path) -> None:
    files = ["--fasta", genome.fasta, "--annotation", genome.annotation]
    done = run_here("init", tmp_path / "mine", "--preset", "scan", "--genome", "toy", *files)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "mine" / "experiment.yaml"
    assert load(path, {}).sources[0].genome == "toy"
    assert run_here("build", path, "--dry-run").returncode == 0


def test_an_experiment_that_exists_is_not_overwritten(genome: GenomeFiles, tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text("mine")
    files = ["--fasta", genome.fasta, "--annotation", genome.annotation]
    line = one_line(run_here("init", tmp_path, "--preset", "scan", *files), 2)
    assert "experiment.yaml: exists already: choose another DIR" in line
    assert path.read_text() == "mine"


def test_organelles_are_left_out_and_named(genome: GenomeFiles, tmp_path: Path) -> None:
    fasta, annotation = tmp_path / "genome.fa", tmp_path / "genes.gff3"
    fasta.write_text(
        genome.fasta.read_text().replace(">chr1 a toy chromosome", ">chr1 Toy mitochondrion, complete genome")
    )
    annotation.write_text(genome.annotation.read_text())
    done = run_here("init", tmp_path / "mine", "--preset", "scan", "--fasta", fasta, "--annotation", annotation)
    assert done.returncode == 0, done.stderr
    assert "organelles are left out: chr1 (" in done.stderr
    chromosomes = load(tmp_path / "mine" / "experiment.yaml", {}).sources[0].chromosomes
    assert chromosomes is not None
    assert "chr1" not in chromosomes


@pytest.mark.parametrize("missing", ["--fasta", "--annotation"])
def test_a_file_that_is_missing_is_one_line(genome: GenomeFiles, tmp_path: Path, missing: str) -> None:
    files = {"--fasta": genome.fasta, "--annotation": genome.annotation, missing: tmp_path / "none"}
    words = [word for pair in files.items() for word in pair]
    line = one_line(run_here("init", tmp_path / "mine", "--preset", "scan", *words), 1)
    assert "no such file" in line
    assert not (tmp_path / "mine").exists()
