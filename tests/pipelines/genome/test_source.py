from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.config import NegativesConfig, SourceConfig
from pipelines.errors import InputError
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
    assert f"1 sequences of the annotation are not in the FASTA file, with {lost} genes (scaffold3)" in warning
    assert "1 sequences of the FASTA file have no annotation (chr3)" in warning


def test_the_users_intervals_are_excluded(genome: GenomeFiles, tmp_path: Path) -> None:
    (tmp_path / "exclude.bed").write_text("chr1\t5\t50\nchr1\t11990\t99999\nelsewhere\t1\t2\n")
    progress = Silent()
    source = read(genome, progress, exclude=str(tmp_path / "exclude.bed"))
    rows = source.excluded["chr1"].tolist()
    assert [5, 50, 0] in rows
    assert [11_990, 12_000, 0] in rows
    assert any("are on sequences that are not used" in warning for warning in progress.warnings)


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
