from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from cluster.cli import main
from cluster.screen.terminal import Terminal
from cluster.verbs.build import show
from pipelines.build import plan_tables
from pipelines.build.manifest import QUANTILES
from pipelines.dataset.manifest import read_manifest
from pipelines.splits.plan import PlannedSplit
from tests.cluster.command_line import experiment, one_line, run_here
from tests.conftest import GenomeFiles
from tests.pipelines.build.gene_genomes import make_gene_genome, structure_config, write_dataset


def test_lengths_of_a_manifest_read_back_from_its_file_stand_in_their_order(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lengths = {f"{percent}%": 1000 + percent for percent in QUANTILES}
    genes = {
        "annotated": 1,
        "kept": 1,
        "shortened": 0,
        "negatives": 1,
        "length_before": lengths,
        "length_after": lengths,
    }
    manifest = {"counts": [], "files": [], "genes": {"toy": genes}, "dropped": {}, "leakage": {"evaluated": 0}}
    show(json.loads(json.dumps(manifest, sort_keys=True)), Terminal())
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "as annotated" in line)
    assert line.split()[-len(QUANTILES) :] == [f"{1000 + percent:,}" for percent in QUANTILES]


def test_the_splits_of_a_genome_fit_into_80_columns_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    yeast = [
        PlannedSplit("train", "R64", ("I", "V", "VI", "IX"), 4, 1_517_141, 722, is_exact=True),
        PlannedSplit("validation", "R64", ("III",), 1, 316_620, 168, is_exact=True),
        PlannedSplit("test", "R64", ("VIII",), 1, 562_643, 290, is_exact=True),
    ]
    table = plan_tables.splits_table(yeast)
    Terminal().table(table.caption, table.header, table.rows)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[4:7]] == ["train", "validation", "test"]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("tokenizer", "is_noted"), [({}, True), ({"k": 3, "stride": 1}, False)])
def test_a_dry_run_shows_splits_defaults_and_that_a_better_tokenizer_is_known(
    genome: GenomeFiles, tmp_path: Path, tokenizer: dict[str, int], is_noted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"sources": [genome.source()], "split": {"validation": ["chr3"], "test": ["chr4"]}, "tokenizer": tokenizer}
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(values))
    assert main(["build", str(tmp_path / "experiment.yaml"), "--dry-run"]) == 0
    shown = capsys.readouterr()
    words = [line.split() for line in shown.out.splitlines()]
    assert next(row for row in words if row[:1] == ["test"])[2] == "chr4"
    assert ["crop.length", "whole", "genes"] in words
    assert "time: about" in shown.out
    assert ("recognises genes better than the defaults" in shown.err) == is_noted


@pytest.mark.parametrize("output", ["notes", "notes/text.md", "notes/text.md/data", "circle", "circle/data"])
def test_a_dry_run_refuses_an_output_with_the_line_of_the_build_itself(
    genome: GenomeFiles, tmp_path: Path, output: str
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "text.md").write_text("mine")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    command = ("build", experiment(genome, tmp_path), "--output", tmp_path / output)
    line = one_line(run_here(*command, "--dry-run"), 1)
    assert str(tmp_path / output.partition("/")[0]) in line
    assert line == one_line(run_here(*command), 1)


@pytest.mark.parametrize("exists", [False, True])
def test_a_dry_run_refuses_an_output_in_a_directory_that_cannot_be_written(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    (tmp_path / "shared").mkdir()
    output = tmp_path / "shared" / "data"
    if exists:
        output.mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != output.parent and access(path, mode))
    command = ("build", experiment(genome, tmp_path), "--output", output)
    line = one_line(run_here(*command, "--dry-run"), 1)
    assert f"{output}: cannot be written (Permission denied): " in line
    assert line == one_line(run_here(*command), 1)


def test_a_dry_run_refuses_a_folder_of_a_store_that_holds_other_files(genome: GenomeFiles, tmp_path: Path) -> None:
    (tmp_path / "bucket" / "data").mkdir(parents=True)
    command = ("build", experiment(genome, tmp_path), "--output", f"local://{tmp_path}/bucket/data")
    assert run_here(*command, "--dry-run").returncode == 0
    assert not any((tmp_path / "bucket" / "data").iterdir())
    (tmp_path / "bucket" / "data" / "text.md").write_text("mine")
    line = one_line(run_here(*command, "--dry-run"), 1)
    assert "bucket/data: holds files that are not a raygene dataset" in line
    assert line == one_line(run_here(*command), 1)


def test_windows_genes_and_masked_bases_are_shown_by_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    genes = make_gene_genome(tmp_path / "genes", bases=3_000)
    show(read_manifest(write_dataset(structure_config(genes), tmp_path / "data")), Terminal())
    shown = capsys.readouterr().out
    assert "Windows of 500 bases" in shown
    labelled = next(line for line in shown.splitlines() if line.split()[:1] == ["labelled"])
    by_chromosome = [sum(gene.chromosome == name for gene in genes.genes) for name in ("chr1", "chr2", "chr3")]
    assert labelled.split()[1:] == [str(count) for count in by_chromosome]
    assert next(line for line in shown.splitlines() if "not acgt" in line).split()[2:] == ["80", "80", "80"]
