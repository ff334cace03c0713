"""The list of models that come with raygene, and their names on command lines."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from cluster.cli import main
from tests.training import small_structure
from training.bundle import included_models

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_list_has_names_figures_and_digests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json", "models.json"]) == 0
    shown = capsys.readouterr().out
    listed = json.loads((tmp_path / "models.json").read_text())
    assert [model["name"] for model in listed] == list(included_models.catalogue())
    for model in listed:
        assert model["name"] in shown
        assert model["digest"][:12] in shown
        assert Path(model["directory"]).is_dir()
        for measured in model["measured"]:
            assert f"{measured['f1']['cds_exon']:.3f}" in shown


def test_a_card_is_shown_below_the_path_of_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "plant"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"plant: {included_models.directory('plant')}"
    assert shown[1].startswith("# A model of gene structure")


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "animal"]) == 2
    assert f"name one of {', '.join(included_models.catalogue())}" in capsys.readouterr().err


def write_genome(path: Path) -> Path:
    """The first 18 kb of a chromosome of the example genome."""
    with gzip.open(ROOT / "examples" / "yeast" / "genome.fa.gz", "rt") as stream:
        header = stream.readline()
        path.write_text(header + "".join(stream.readline() for _ in range(300)))
    return path


def test_a_genome_is_annotated_by_the_name_of_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    genome = write_genome(tmp_path / "genome.fa")
    arguments = ["annotate", "yeast", "--fasta", str(genome), "--output", "genes.gff3", "--discard-scores"]
    assert main(arguments) == 0, capsys.readouterr().err
    shown = capsys.readouterr()
    assert "yeast: the model that comes with raygene" in shown.err
    assert sum("\tmRNA\t" in line for line in (tmp_path / "genes.gff3").read_text().splitlines()) > 1


def test_a_path_of_that_name_is_taken_and_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_structure.saved(tmp_path / "yeast")
    assert main(["annotate", "yeast", "--fasta", "missing.fa", "--output", "genes.gff3"]) != 0
    shown = capsys.readouterr().err
    assert "yeast: the path of this name, not the model that comes with raygene" in shown
    assert "missing.fa" in shown


def test_an_output_may_lie_in_a_folder_of_the_models_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", "yeast", "--fasta", "missing.fa", "--output", "yeast/genes.gff3"]) != 0
    assert "missing.fa" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["scan", "yeast", "--fasta", "g.fa", "--output", "o.gff3"],
        ["predict", "yeast", "--sequences", "s.fa", "--output", "o.tsv"],
        ["evaluate", "yeast", "--dataset", "data"],
    ],
)
def test_a_verb_for_another_task_refuses_the_model_by_its_name(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 1
    assert "raygene: error: yeast: " in capsys.readouterr().err


def test_an_unknown_model_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", "yeats", "--fasta", "g.fa", "--output", "o.gff3"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("or a path such as RUN/bundle")
