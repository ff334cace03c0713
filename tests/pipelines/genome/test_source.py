from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import NegativesConfig, SourceConfig
from pipelines.errors import InputError
from pipelines.genome import source as source_module
from pipelines.genome.source import Source, read_source
from pipelines.progress import Silent
from tests.conftest import GenomeFiles


def read(genome: GenomeFiles, progress: Silent | None = None, **keys: Any) -> Source:
    return read_source(SourceConfig(**{**genome.source("g"), **keys}), NegativesConfig(), progress or Silent())


def renamed(genome: GenomeFiles, folder: Path, old: str, new: str) -> str:
    path = folder / "renamed.gff3"
    path.write_text(genome.annotation.read_text().replace(old, new))
    return str(path)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, ["chr1", "chr2", "chr3", "chr4"]),
        ({"chromosomes": ["chr4", "chr2"]}, ["chr2", "chr4"]),
        ({"chromosomes": ["/chr[13]/"]}, ["chr1", "chr3"]),
        ({"first": 2}, ["chr1", "chr2"]),
        ({"chromosomes": ["/chr[^1]/"], "min_length": 12_000, "first": 1}, ["chr2"]),
    ],
)
def test_sequences_are_selected_by_name_pattern_length_and_number(
    genome: GenomeFiles, keys: dict[str, Any], expected: list[str]
) -> None:
    assert list(read(genome, **keys).lengths) == expected


def test_the_selected_sequences_are_reported_with_the_reason(genome: GenomeFiles) -> None:
    progress = Silent()
    read(genome, progress, first=3)
    assert "g: 3 of 4 sequences used (all that have a gene, the first 3)" in progress.notes


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"min_length": 99_999}, "no sequence is left .*of at least 99,999 bases"),
        ({"chromosomes": ["chr9"]}, "no sequence 'chr9': choose among chr1"),
        ({"chromosomes": ["/[/"]}, r"/\[/ is not a regular expression"),
        ({"chromosomes": ["/x/"]}, "no sequence is left"),
    ],
)
def test_a_selection_that_leaves_nothing_is_an_error(genome: GenomeFiles, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(genome, **keys)


def test_genes_on_sequences_that_are_not_selected_are_counted(genome: GenomeFiles) -> None:
    source = read(genome, chromosomes=["chr1"])
    used = sum(map(len, source.genes.values()))
    assert source.dropped == {"chromosome_not_chosen": len(genome.genes) - used}
    assert source.features == len(genome.genes)


@pytest.mark.parametrize(
    "aliases",
    [
        "# a comment\nLG1 chr1\nLG2\tchr2\nLG3 chr3\nLG4 chr4\n",
        "# Assembly name: toy\n# Sequence-Name\tSequence-Role\tGenBank-Accn\tRelationship\tRefSeq-Accn\n"
        + "".join(f"LG{number}\tassembled\tchr{number}\t=\tNC_{number}\n" for number in range(1, 5)),
    ],
    ids=["two columns", "assembly report"],
)
def test_aliases_match_other_names(genome: GenomeFiles, tmp_path: Path, aliases: str) -> None:
    (tmp_path / "aliases.txt").write_text(aliases)
    annotation = renamed(genome, tmp_path, "chr", "LG")
    with pytest.raises(InputError, match="shares no sequence name"):
        read(genome, annotation=annotation)
    source = read(genome, annotation=annotation, aliases=str(tmp_path / "aliases.txt"))
    assert sum(map(len, source.genes.values())) == len(genome.genes)
    assert source.excluded.keys() == genome.sequences.keys()
    assert "aliases" in source.contents


def test_the_prefix_chr_can_be_ignored(genome: GenomeFiles, tmp_path: Path) -> None:
    source = read(genome, annotation=renamed(genome, tmp_path, "chr", ""), ignore_chr=True)
    assert sum(map(len, source.genes.values())) == len(genome.genes)


def test_a_partial_match_is_a_counted_warning(genome: GenomeFiles, tmp_path: Path) -> None:
    progress = Silent()
    source = read(genome, progress, annotation=renamed(genome, tmp_path, "chr3", "scaffold3"))
    lost = sum(gene[0] == "chr3" for gene in genome.genes)
    assert source.dropped == {"unknown_sequence": lost}
    (warning,) = progress.warnings
    assert f"1 sequence of the annotation is not in the FASTA file, with {lost} genes (scaffold3)" in warning
    assert "1 sequence of the FASTA file has no annotation (chr3)" in warning


def test_the_users_intervals_are_excluded(genome: GenomeFiles, tmp_path: Path) -> None:
    (tmp_path / "exclude.bed").write_text("chr1\t5\t50\nchr1\t11990\t99999\nelsewhere\t1\t2\n")
    progress = Silent()
    source = read(genome, progress, exclude=str(tmp_path / "exclude.bed"))
    rows = source.excluded["chr1"].tolist()
    assert [5, 50, 0] in rows
    assert [11_990, 12_000, 0] in rows
    assert any("on sequences that are not used" in warning for warning in progress.warnings)


def test_a_gene_that_ends_where_its_sequence_ends_is_used_and_a_longer_one_is_not(
    genome: GenomeFiles, tmp_path: Path
) -> None:
    length = len(genome.sequences["chr1"])
    (tmp_path / "genes.bed").write_text(
        f"chr1\t{length - 50}\t{length}\ta\t0\t+\nchr1\t{length - 50}\t{length + 1}\tb\t0\t+\n"
    )
    source = read(genome, annotation=str(tmp_path / "genes.bed"))
    assert [gene.gene_id for gene in source.genes["chr1"]] == ["a"]
    assert source.dropped == {"past_the_end": 1}


def test_of_genes_at_the_same_position_and_strand_the_first_is_used(genome: GenomeFiles, tmp_path: Path) -> None:
    rows = ["chr1\t10\t90\ta\t0\t+", "chr1\t10\t90\tb\t0\t+", "chr1\t10\t90\tc\t0\t-"]
    (tmp_path / "genes.bed").write_text("\n".join(rows))
    source = read(genome, annotation=str(tmp_path / "genes.bed"))
    assert [gene.gene_id for gene in source.genes["chr1"]] == ["a", "c"]
    assert source.dropped == {"duplicate": 1}


def test_intervals_without_length_or_strand_are_counted(genome: GenomeFiles, tmp_path: Path) -> None:
    (tmp_path / "genes.bed").write_text("chr1\t10\t90\ta\t0\t+\nchr1\t100\t100\tb\t0\t+\nchr2\t5\t80\n")
    source = read(genome, annotation=str(tmp_path / "genes.bed"))
    assert source.dropped == {"zero_length": 1, "unknown_strand": 1}
    assert source.features == 3


def gff3(folder: Path, text: str) -> str:
    path = folder / "a.gff3"
    path.write_text("".join("\t".join(line.split(" ")) + "\n" for line in text.splitlines()))
    return str(path)


@pytest.mark.parametrize(
    ("region", "is_circular"),
    [
        ("chr1 x region 1 12000 . + . ID=chr1;Is_circular=true", True),
        ("chr1 x chromosome 1 12000 . + . ID=chr1;Is_circular=True", True),
        ("chr1 x region 1 12000 . + . ID=chr1;Is_circular=false", False),
        ("chr2 x region 1 14000 . + . ID=chr2;Is_circular=true", False),
        ("chr1 x region 50 90 . + . ID=plasmid;Is_circular=true", False),
        ("chr1 x region 1 12000 . + . ID=chr1;Note=not_Is_circular=true", False),
    ],
)
def test_only_a_sequence_that_is_declared_circular_goes_on_at_its_beginning(
    genome: GenomeFiles, tmp_path: Path, region: str, is_circular: bool
) -> None:
    progress = Silent()
    annotation = gff3(tmp_path, f"{region}\nchr1 x gene 101 200 . + . ID=a\nchr1 x gene 11991 12010 . - . ID=b")
    (tmp_path / "exclude.bed").write_text("chr1\t11900\t12050\nchr1\t13000\t13001\n")
    source = read(genome, progress, annotation=annotation, exclude=str(tmp_path / "exclude.bed"))
    rows = source.excluded["chr1"].tolist()
    assert [11_990, 12_000, -1] in rows
    assert [11_900, 12_000, 0] in rows
    assert ([0, 10, -1] in rows) == is_circular
    assert ([0, 50, 0] in rows) == is_circular
    assert source.dropped == {"past_the_end": 1}
    assert any("3 intervals that negatives avoid end past the end" in text for text in progress.warnings) != is_circular
    assert ("ends of linear sequences" in source.rules) != is_circular


def test_rows_that_begin_past_the_end_are_counted_and_change_no_dataset(genome: GenomeFiles, tmp_path: Path) -> None:
    progress = Silent()
    (tmp_path / "exclude.bed").write_text("chr1\t13000\t13001\n")
    source = read(genome, progress, exclude=str(tmp_path / "exclude.bed"))
    assert "1 interval that negatives avoid ends past the end of its sequence and is cut" in progress.warnings[0]
    assert source.rules == []


def test_genes_without_a_row_and_rows_without_a_gene_are_reported(genome: GenomeFiles, tmp_path: Path) -> None:
    progress = Silent()
    annotation = gff3(
        tmp_path,
        "chr1 x mRNA 101 200 . + . ID=a.1;Parent=a\nchr1 x mRNA 301 400 . - . ID=b.1;Parent=a\n"
        "chr1 x exon 501 600 . - . .\nchr2 x tRNA 1 9 . + . ID=t",
    )
    source = read(genome, progress, annotation=annotation)
    assert [gene.gene_id for gene in source.genes["chr1"]] == ["a", "a"]
    assert source.unused == {"other_type": 1, "without_gene_name": 1}
    assert source.rules == ["genes without a row"]
    assert "g: 2 genes have no row of their own and span their parts" in progress.notes
    assert "g: gene ids at several places, of which each is a gene: 1 (a)" in progress.notes
    assert any("2 rows of the annotation are not used for genes (1 " in text for text in progress.notes)
    assert "line 3: an exon or CDS names neither a gene nor a transcript" in progress.warnings[0]


def test_where_no_gene_lies_on_the_sequences_neither_file_is_blamed_alone(genome: GenomeFiles, tmp_path: Path) -> None:
    annotation = gff3(tmp_path, "chr1 x gene 1 99999 . + . ID=a\nchr9 x gene 1 9 . + . ID=b")
    with pytest.raises(InputError, match=r"1 past_the_end, 1 unknown_sequence\): check that both .* reach base 99,999"):
        read(genome, annotation=annotation)


def test_ten_thousand_sequences_are_read_in_seconds(tmp_path: Path) -> None:
    contigs = 10_000
    names = [f"scaffold_{number}" for number in range(contigs)]
    (tmp_path / "g.fa").write_text("".join(f">{name}\nACGTACGTAC\n" for name in names))
    rows = [f"{name}\tx\tgene\t1\t9\t.\t+\t.\tID=g" for name in [*names, "absent"]]
    (tmp_path / "a.gff3").write_text("\n".join(rows))
    (tmp_path / "exclude.bed").write_text("".join(f"{name}\t0\t1\n" for name in names[::2]))
    config = SourceConfig(
        genome="g",
        fasta=str(tmp_path / "g.fa"),
        annotation=str(tmp_path / "a.gff3"),
        chromosomes=names,
        exclude=str(tmp_path / "exclude.bed"),
    )
    started = time.process_time()
    source = read_source(config, NegativesConfig(), Silent())
    # 40 s while every sequence was compared with all.
    assert time.process_time() - started < 5
    assert len(source.genes) == contigs
    assert source.dropped == {"unknown_sequence": 1}


@pytest.mark.parametrize("key", ["annotation", "aliases", "exclude"])
def test_a_file_that_is_edited_while_a_source_is_read_is_an_error(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    files = {"annotation": genome.annotation.read_text(), "aliases": "one\tchr1\n", "exclude": "chr1\t10\t20\n"}
    path = tmp_path / key
    path.write_text(files[key])
    warn = source_module._warn_of_unmatched_names

    def edit(*arguments: Any) -> None:
        path.write_text(files[key] + "\n")
        warn(*arguments)

    monkeypatch.setattr(source_module, "_warn_of_unmatched_names", edit)
    with pytest.raises(InputError, match=f"{key}: changed while it was read: run the same command again"):
        read(genome, **{key: str(path)})


def test_rows_of_genes_that_are_left_out_are_others_where_genes_are_coding_spans(
    genome: GenomeFiles, tmp_path: Path
) -> None:
    path = tmp_path / "coding.gff3"
    row = "chr1\tt\t{}\t{}\t{}\t.\t{}\t.\t{}\n"
    path.write_text(
        row.format("gene", 1001, 1300, "+", "ID=a")
        + row.format("CDS", 1051, 1200, "+", "Parent=a")
        + row.format("gene", 2001, 2300, ".", "ID=unstranded")
        + row.format("CDS", 2051, 2200, ".", "Parent=unstranded")
    )
    source = read(genome, annotation=str(path), span="cds")
    assert source.dropped == {"unknown_strand": 1}
    assert source.others["chr1"].tolist() == [[2000, 2300, 0]]
