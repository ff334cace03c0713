from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from pipelines.config import GENE_LIKE
from pipelines.errors import InputError
from pipelines.genome.annotation import format_of, read
from pipelines.genome.gff.rows import Rows


def row(name: str, start: int) -> str:
    return f"{name}\ts\tgene\t{start}\t{start + 9}\t.\t+\t.\tID={name}-{start}\n"


FILES = {
    "two files end to end": "##gff-version 3\n{0}##FASTA\n>c1\nACGT\n##gff-version 3\n{1}##FASTA\n>c2\nAC\n",
    "rows after sequences": "{0}##FASTA\n>c1 x\nACGT\nNNNN\n{1}",
    "sequences without a directive": "{0}>c1\nACGT\n\n{1}",
    "sequences first": ">c1\nACGT\n##gff-version 3\n{0}{1}",
    "directives between rows": "{0}###\n#!note\n##sequence-region c1 1 9\n##species x\n{1}",
    "three files": "{0}##FASTA\n>c1\tan annotated\theader\nAC\n##gff-version 3\n##FASTA\n>c2\nAC\n{1}>c3\nA\n",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_row_is_read_wherever_sequences_lie(tmp_path: Path, name: str, end: str) -> None:
    path = tmp_path / "a.gff"
    path.write_bytes(FILES[name].format(row("c1", 1), row("c2", 21)).replace("\n", end).encode())
    annotation = read(path, ["gene"], GENE_LIKE)
    assert [gene.gene_id for gene in annotation.genes] == ["c1-1", "c2-21"]
    assert ("rows after sequences" in annotation.rules) == ("directives" not in name)
    assert format_of(path) == "GFF3"


def test_a_row_among_sequences_that_is_none_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.gff"
    path.write_text(row("c1", 1) + "##FASTA\n>c1\nACGT\nc1\tgene\t1\n")
    with pytest.raises(InputError, match="line 5: 3 columns instead of 9"):
        list(Rows(path))


def test_a_row_among_sequences_whose_columns_are_not_separated_by_tabs_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.gff"
    path.write_text(row("c1", 1) + "##FASTA\n>c1\nACGT ACGT\n" + row("c1", 1).replace("\t", " "))
    with pytest.raises(InputError, match="line 5: neither a sequence nor a row of 9 tab-separated columns"):
        list(Rows(path))


def test_a_row_whose_sequence_name_begins_like_a_header_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.gff"
    path.write_text(row("c1", 1) + row(">c2", 1))
    with pytest.raises(InputError, match="line 2: a row whose sequence name begins with '>'"):
        list(Rows(path))


@pytest.mark.parametrize(
    "line",
    ["c1" + "\t" * 14_000_000, "a=1;" * 4_000_000, row("c1", 1).rstrip() + ";a=b" * 4_000_000, "x" * 14_000_000],
    ids=["tabs", "attributes", "a row", "letters"],
)
def test_a_line_without_end_is_refused_in_one_line_and_little_memory(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.gff"
    path.write_text(line)
    tracemalloc.start()
    with pytest.raises(InputError, match="line 1: longer than 1,048,576 letters"):
        read(path, ["gene"], GENE_LIKE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(line)


def test_a_row_of_very_many_attributes_takes_memory_in_proportion(tmp_path: Path) -> None:
    path = tmp_path / "a.gff"
    path.write_text(row("c1", 1).rstrip() + ";" + ";".join(f"k{n}=v" for n in range(50_000)) + "\n")
    tracemalloc.start()
    assert len(read(path, ["gene"], GENE_LIKE).genes) == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * path.stat().st_size


def test_a_sequence_on_one_line_of_any_length_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.gff"
    path.write_text(row("c1", 1) + "##FASTA\n>c1\n" + "ACGT" * 1_000_000 + "\n##gff-version 3\n" + row("c2", 1))
    assert len(read(path, ["gene"], GENE_LIKE).genes) == 2
