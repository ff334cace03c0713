from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.cli import main
from tests.cluster.command_line import experiment
from tests.conftest import GenomeFiles
from tests.training.conftest import write_dataset

FEW = ("--embedding.epochs", "10", "--embedding.head-positions", "2000", "--embedding.scored", "1000")


def test_a_genome_becomes_an_embedding_with_figures_on_screen_and_in_json(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, target = experiment(genome, tmp_path), tmp_path / "e.json"
    options = (
        "--fasta",
        str(genome.fasta),
        "--hold-out",
        "chr4",
        "--output",
        str(tmp_path / "out"),
        "--json",
        str(target),
    )
    assert main(["embed", str(path), *options, *FEW]) == 0
    text, figures = capsys.readouterr().out, json.loads(target.read_text())
    for share in ("accuracy", "random_vectors", "markov_left", "markov_both", "most_frequent"):
        assert f"{figures[share]:.2%}" in text
    assert figures["both_strands"]
    assert "Both strands were learnt from" in text
    assert figures["dimension"] == 8
    assert list((tmp_path / "out").glob("embed-8-67-*-checkpoint.safetensors"))


def test_a_datasets_tokenizer_is_used_and_a_difference_is_a_warning(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = experiment(genome, tmp_path, tokenizer={"k": 4, "stride": 1}), write_dataset(tmp_path / "data")
    assert main(["embed", str(path), "--dataset", str(data), "--output", str(tmp_path / "out"), *FEW]) == 0
    warning = " ".join(capsys.readouterr().err.split())
    assert "built with tokenizer.k 3, not 4 as in the experiment: the dataset's tokenizer is used" in warning
    assert list((tmp_path / "out").glob("embed-8-67-*-checkpoint.safetensors"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "give --dataset or --fasta, and not both"),
        (["--dataset", "d", "--fasta", "f"], "give --dataset or --fasta, and not both"),
        (["--fasta", "f", "--split", "test"], "--split goes with --dataset"),
        (["--dataset", "d", "--hold-out", "chr1"], "--hold-out goes with --fasta"),
        (["--fasta", "none.fa"], "none.fa: no such file: correct --fasta"),
        (["--fasta", "f", "--embedding.window", "0"], "embedding.window: 0"),
        (["--fasta", "f", "--embedding.head-window", "100000"], "embedding.head_window: 100000"),
    ],
)
def test_wrong_options_are_one_line(
    genome: GenomeFiles, tmp_path: Path, options: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["embed", str(experiment(genome, tmp_path)), "--output", str(tmp_path / "out"), *options]) != 0
    assert expected in " ".join(capsys.readouterr().err.split())
