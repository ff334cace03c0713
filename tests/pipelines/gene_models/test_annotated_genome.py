from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import InputError
from pipelines.gene_models import annotated_genome
from pipelines.gene_models.annotated_genome import AnnotatedGenome
from pipelines.gene_models.selection import Selection
from pipelines.progress import Silent
from tests.pipelines.build.gene_genomes import GeneGenome, make_gene_genome, structure_config

SELECTION = Selection(types=("gene",))


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> GeneGenome:
    return make_gene_genome(tmp_path_factory.mktemp("genes"))


def read(source: dict[str, Any], progress: Silent | None = None) -> AnnotatedGenome:
    (config,) = structure_config(sources=[source]).sources
    return annotated_genome.read(config, SELECTION, progress or Silent())


def test_the_genes_of_a_chromosome_are_those_of_its_bounds_in_their_order(genes: GeneGenome) -> None:
    annotated = read(genes.source())
    assert (annotated.name, [*annotated.lengths]) == ("toy", ["chr1", "chr2", "chr3"])
    for chromosome, bounds in annotated.bounds.items():
        expected = sorted((gene.start, gene.end) for gene in genes.genes if gene.chromosome == chromosome)
        assert bounds.tolist() == [[*extent] for extent in expected]
        assert [gene.extent for gene in annotated.genes(chromosome)] == expected
    assert annotated.genes("chr4") == []
    assert not annotated.dropped


def test_genes_on_sequences_that_are_not_chosen_are_counted(genes: GeneGenome) -> None:
    annotated = read(genes.source() | {"chromosomes": ["chr1", "chr2"]})
    assert [*annotated.lengths] == ["chr1", "chr2"]
    assert annotated.dropped == {"chromosome_not_chosen": sum(gene.chromosome == "chr3" for gene in genes.genes)}


def test_an_annotation_of_other_names_is_refused_with_names_of_both(genes: GeneGenome, tmp_path: Path) -> None:
    annotation, aliases = tmp_path / "genes.gff3", tmp_path / "aliases.tsv"
    annotation.write_text(genes.annotation.read_text().replace("chr", "NC_"))
    aliases.write_text("1\tchr1\n")
    source = genes.source() | {"annotation": str(annotation)}
    with pytest.raises(InputError, match=r"shares no sequence name with .*example with sources\.aliases") as caught:
        read(source)
    assert caught.value.key == "sources.aliases"
    assert "the annotation has NC_1, NC_2, NC_3, the FASTA has chr1, chr2, chr3" in caught.value.fix
    with pytest.raises(InputError, match=rf"make the names agree \({aliases} translates none of them\)"):
        read(source | {"aliases": str(aliases)})


def test_sequences_that_only_the_annotation_has_are_warned_of_and_rows_of_no_gene_noted(
    genes: GeneGenome, tmp_path: Path
) -> None:
    annotation, progress = tmp_path / "genes.gff3", Silent()
    others = "chrU\tx\tgene\t1\t90\t.\t+\t.\tID=u\nchr1\tx\tregion\t1\t9\t.\t+\t.\tID=r\n"
    annotation.write_text(genes.annotation.read_text() + others)
    annotated = read(genes.source() | {"annotation": str(annotation)}, progress)
    assert annotated.dropped == {"unknown_sequence": 1}
    assert annotated.unused.total() == 1
    (warning,) = progress.warnings
    assert warning.startswith("toy: 1 sequence of the annotation is not in the FASTA file, with 1 gene (chrU); ")
    assert any(note.startswith("toy: 1 row of the annotation is in no gene (1 ") for note in progress.notes)


@pytest.mark.parametrize("key", ["fasta", "annotation", "aliases", "exclude"])
def test_a_missing_file_is_named_with_its_genome(genes: GeneGenome, tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match=f"{tmp_path}/none: no such file: check the paths of genome toy under sources"):
        read(genes.source() | {key: str(tmp_path / "none")})


def test_bases_of_intervals_that_overlap_or_reach_past_the_end_are_excluded_once(
    genes: GeneGenome, tmp_path: Path
) -> None:
    exclude, progress = tmp_path / "exclude.bed", Silent()
    exclude.write_text("chr1\t3000\t4000\nchr1\t3500\t4321\nchr1\t5990\t9999\nchr2\t5\t5\n")
    annotated = read(genes.source() | {"exclude": str(exclude)}, progress)
    assert {name: rows.tolist() for name, rows in annotated.excluded.items()} == {
        "chr1": [[3_000, 4_321], [5_990, 6_000]]
    }
    assert f"toy: 1,331 of 18,000 bases are excluded by {exclude}" in progress.notes


def test_packed_genes_are_those_that_were_packed(genes: GeneGenome) -> None:
    packed = read(genes.source()).genes("chr1")
    assert annotated_genome.unpack(annotated_genome.pack(packed)) == packed
    assert all(gene.chromosome == "chr1" for gene in packed)


def test_an_annotation_without_coding_sequences_is_refused(genes: GeneGenome, tmp_path: Path) -> None:
    annotation = tmp_path / "genes.gff3"
    annotation.write_text("\n".join(row for row in genes.annotation.read_text().split("\n") if "\tCDS\t" not in row))
    source = genes.source() | {"annotation": str(annotation)}
    with pytest.raises(InputError, match="no gene on the sequences in use has a coding sequence"):
        read(source)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "no gene in it; it has no rows"),
        (["chr1\tx\tregion\t1\t9\t.\t+\t.\tID=r"], "no gene in it; it has rows of region"),
        (["chr1\tx\tgene\t99001\t99900\t.\t+\t.\tID=g"], r"no gene is left of 1 \(1 past the end\)"),
        (
            ["chr1\tx\tgene\t99001\t99900\t.\t+\t.\tID=g", "chrU\tx\tgene\t1\t90\t.\t+\t.\tID=u"],
            r"no gene is left of 2 \(1 past the end, 1 unknown sequence\)",
        ),
    ],
)
def test_an_annotation_without_genes_is_named_as_what_is_wrong(
    genes: GeneGenome, tmp_path: Path, rows: list[str], problem: str
) -> None:
    annotation = tmp_path / "none.gff3"
    annotation.write_text("\n".join(["##gff-version 3", *rows]) + "\n")
    with pytest.raises(InputError, match=f"none.gff3: {problem}") as caught:
        read(genes.source() | {"annotation": str(annotation)})
    assert caught.value.key == "sources.annotation"


def test_genes_that_are_cut_off_at_the_end_of_their_sequence_are_reported(genes: GeneGenome, tmp_path: Path) -> None:
    annotation = tmp_path / "long.gff3"
    length = max(gene.end for gene in genes.genes if gene.chromosome == "chr1") + 1_000_000
    rows = genes.annotation.read_text().rstrip("\n")
    annotation.write_text(f"{rows}\nchr1\tx\tgene\t9\t{length}\t.\t+\t.\tID=long;biotype=protein_coding\n")
    progress = Silent()
    source = genes.source() | {"annotation": str(annotation)}
    read(source, progress)
    assert "toy: 1 gene reaches past the end of its sequence, and is cut off there" in "\n".join(progress.warnings)
