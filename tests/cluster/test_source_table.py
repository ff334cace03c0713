from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cluster.experiment import load, portable
from pipelines.build.pipeline import prepare
from pipelines.errors import InputError, UsageError
from pipelines.progress import Silent
from tests.conftest import GenomeFiles

SECTIONS = "split: {by: genome, test: [g7, g8], validation: [g9]}\n"


def experiment(folder: Path, table: str, name: str = "genomes.tsv") -> Path:
    (folder / "tables").mkdir()
    (folder / "tables" / name).write_text(table)
    path = folder / "experiment.yaml"
    path.write_text(f"sources: {{table: tables/{name}}}\n")
    return path


def problem(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load(path, {})
    return str(caught.value)


def test_a_table_is_the_list_of_its_rows(tmp_path: Path) -> None:
    table = (
        "Genome\tfasta\tannotation\tfeature_types\tchromosomes\tmin_length\tignore_chr\n"
        "a\ta.fa\t../a.gff3\tgene, tRNA\t/chr[0-9]{1,2}/\t1000\ttrue\n"
        "\n"
        "b\t/abs/b.fa\ts3://bucket/b.gff3\t\t010\t\t\n"
    )
    path = experiment(tmp_path, table)
    listed = tmp_path / "listed.yaml"
    first = {"genome": "a", "fasta": "tables/a.fa", "annotation": "tables/../a.gff3", "min_length": 1000}
    first |= {"feature_types": ["gene", "tRNA"], "chromosomes": ["/chr[0-9]{1,2}/"], "ignore_chr": True}
    second = {"genome": "b", "fasta": "/abs/b.fa", "annotation": "s3://bucket/b.gff3", "chromosomes": ["010"]}
    listed.write_text(yaml.safe_dump({"sources": [first, second]}))
    assert load(path, {}) == load(listed, {})
    assert load(path, {("sources", 1, "fasta"): "/c.fa"}).sources[1].fasta == "/c.fa"
    text, changed = portable(path)
    assert (yaml.safe_load(text)["sources"][0]["genome"], changed) == ("a", {})


@pytest.mark.full
def test_five_hundred_rows_are_planned_as_the_list_is(genome: GenomeFiles, tmp_path: Path) -> None:
    source = genome.source("g")
    rows = "".join(f"g{number},{source['fasta']},{source['annotation']}\n" for number in range(500))
    path = experiment(tmp_path, "genome,fasta,annotation\n" + rows, "genomes.csv")
    path.write_text(path.read_text() + SECTIONS)
    listed = tmp_path / "listed.yaml"
    sources = [source | {"genome": f"g{number}"} for number in range(500)]
    listed.write_text(yaml.safe_dump({"sources": sources}) + SECTIONS)
    config = load(path, {}).dataset("test")
    assert config == load(listed, {}).dataset("test")
    planned = prepare(config, Silent()).splits()
    assert len(planned) == 500
    assert [one.genome for one in planned if one.split != "train"] == ["g9", "g7", "g8"]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("genome\tfast\na\tb\n", "line 1: column 2 ('fast'): no key of a source: did you mean fasta?"),
        ("genome\tgenome\na\tb\n", "line 1: column 2 ('genome'): twice"),
        ("genome\tfasta\tannotation\na\ta.fa\n", "line 2: a needs fasta and annotation"),
        ("genome\tfasta\tannotation\na\ta.fa\tb\tc\n", "line 2: 4 columns instead of 3"),
        ("genome\tfasta\tannotation\n\ta.fa\tb\n", "line 2: column genome: empty"),
        ("genome\tfasta\tannotation\na\tx\ty\nb\tx\ty\na\tx\ty\n", "line 4: column genome: a is in line 2 too"),
        ("genome\tfasta\tannotation\tfirst\na\tx\ty\tmany\n", "line 2: column first: 'many'"),
        ("genome\tsequences\tspan\na\tx\tgenes\nb\tx\t\nb\tx\t\nc d\tx\t\n", "line 2: column span: 'genes'"),
        ("genome\tfasta\tannotation\n", "has no row below its header"),
    ],
)
def test_a_row_that_is_no_source_is_one_line_with_its_line_and_column(
    tmp_path: Path, table: str, expected: str
) -> None:
    text = problem(experiment(tmp_path, table))
    assert f"{tmp_path}/tables/genomes.tsv: {expected}" in text
    assert "\n" not in text


def test_further_bad_rows_are_named_by_their_lines(tmp_path: Path) -> None:
    table = "genome\tsequences\tspan\na\tx\tgenes\nb\tx\t\nb\tx\t\nc d\tx\t\n"
    assert "; and lines 4, 5: correct the rows" in problem(experiment(tmp_path, table))


@pytest.mark.parametrize("text", ["{tables: a.tsv}", "{table: [a.tsv]}", "{table: a.tsv, genome: a}"])
def test_what_is_neither_a_list_nor_a_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(f"sources: {text}\n")
    assert "sources: neither a list nor a table" in problem(path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text("sources: {table: none.tsv}\n")
    with pytest.raises(InputError, match=r"none\.tsv"):
        load(path, {})
