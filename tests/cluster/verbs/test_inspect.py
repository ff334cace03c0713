from __future__ import annotations

import json
from pathlib import Path

import pybedtools
import pytest
import tokenizers

from cluster.cli import main
from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig, validate
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import GenomeFiles
from tests.pipelines.build.gene_genomes import make_gene_genome, structure_config, write_dataset


@pytest.mark.parametrize("arguments", [["--export", "bed"], ["--export-to", "i.bed"]])
def test_a_format_and_a_file_to_export_go_together(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "data", *arguments]) == 2
    assert "--export and --export-to go together" in capsys.readouterr().err


@pytest.mark.ray
def test_inspect_exports_and_warns_of_bases_that_tokens_do_not_show(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"sources": [genome.source()], "tokenizer": {"k": 4, "stride": 4, "tail": "drop"}}
    build(validate(DatasetConfig, values, "test"), tmp_path / "data", in_this_process, Silent())
    rows = 2 * len(genome.genes)
    for file_format in ("bed", "fasta"):
        target = tmp_path / file_format
        arguments = ["inspect", str(tmp_path / "data"), "--export", file_format, "--export-to", str(target)]
        assert main(arguments) == 0
        shown = capsys.readouterr()
        assert f"{file_format}: {rows:,} intervals in {target}" in shown.out
        assert ("tokenizer.tail drop do not contain them" in shown.err) == (file_format == "fasta")
    assert len(pybedtools.BedTool(tmp_path / "bed")) == rows


def test_the_tokenizer_of_a_bundle_or_dataset_is_exported_and_says_where_ids_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Tokenizer(3, 1, "anchor").save(tmp_path / "bundle")
    target = tmp_path / "tokenizer.json"
    assert main(["inspect", str(tmp_path / "bundle"), "--export", "huggingface", "--export-to", str(target)]) == 0
    assert "it cannot cut raw sequence" in capsys.readouterr().out
    assert tokenizers.Tokenizer.from_file(str(target)).token_to_id("AAA") == 3


def test_labelled_windows_are_shown_with_their_exons_and_introns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_dataset(structure_config(make_gene_genome(tmp_path / "genes", bases=3_000)), tmp_path / "data")
    arguments = ["--json", str(tmp_path / "i.json"), "--report", str(tmp_path / "i.html")]
    assert main(["inspect", str(folder), *arguments]) == 0
    assert "Introns by their first and last two bases" in capsys.readouterr().out
    assert json.loads((tmp_path / "i.json").read_text())["task"] == "structure"
    assert (tmp_path / "i.html").exists()
