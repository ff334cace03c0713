from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.gene_models.gff_models import read_models

TWO_EXONS = ((0, 50), (80, 120))


def row(kind: str, start: int, end: int, attributes: str, strand: str = "+", phase: str = ".") -> str:
    return f"c\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t{phase}\t{attributes}"


def both(kind: str, attributes: str) -> list[str]:
    return [row(kind, 1, 50, attributes, phase="0"), row(kind, 81, 120, attributes, phase="1")]


DIALECTS = {
    "JGI, exons named by transcript and CDS by protein": [
        *both("exon", 'name "e1"; transcriptId 7'),
        *both("CDS", 'name "e1"; proteinId 9; exonNumber 1'),
    ],
    "WormBase, GFF2": [*both("exon", 'Sequence "AB.1"'), *both("CDS", 'CDS "AB.1"')],
    "BRAKER": [
        row("gene", 1, 120, "g1"),
        row("transcript", 1, 120, "g1.t1"),
        *both("exon", 'transcript_id "g1.t1"; gene_id "g1";'),
        *both("CDS", 'transcript_id "g1.t1"; gene_id "g1";'),
    ],
    "GeneMark": both("CDS", 'gene_id "1_g"; transcript_id "1_t";'),
    "GlimmerHMM": [
        row("mRNA", 1, 120, "ID=x.m1"),
        row("CDS", 1, 50, "ID=x.c1;Parent=x.m1", phase="0"),
        row("CDS", 81, 120, "ID=x.c2;Parent=x.m1", phase="1"),
    ],
    "Gnomon": [
        row("gene", 1, 120, "ID=gene-A;gene=A"),
        row("mRNA", 1, 120, "ID=rna-A;Parent=gene-A;gene=A"),
        row("exon", 1, 50, "ID=exon-1;Parent=rna-A;gene=A"),
        row("exon", 81, 120, "ID=exon-2;Parent=rna-A;gene=A"),
        *both("CDS", "ID=cds-A;Parent=rna-A;gene=A"),
    ],
}


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_gives_the_transcript_with_its_exons_and_cds(tmp_path: Path, name: str) -> None:
    path = tmp_path / "genes.gff"
    for rows in (DIALECTS[name], DIALECTS[name][::-1]):
        path.write_text("\n".join(rows) + "\n")
        models = read_models(path, ("gene",))
        assert [(gene.start, gene.end, len(gene.transcripts)) for gene in models.genes] == [(0, 120, 1)]
        (transcript,) = models.genes[0].transcripts
        assert (transcript.exons, transcript.cds, transcript.phase) == (TWO_EXONS, TWO_EXONS, 0)
        assert not models.unused


def test_copies_under_one_name_have_the_exons_of_their_place(tmp_path: Path) -> None:
    """As the Table Browser of UCSC writes them."""
    path = tmp_path / "genes.gtf"
    rows = [
        row("exon", shift + start, shift + end, f'gene_id "NR_1"; transcript_id "NR_1"; exon_number "{number}"')
        for shift in (0, 5_000)
        for number, (start, end) in enumerate(((1, 50), (81, 120)), 1)
    ]
    path.write_text("\n".join(rows) + "\n")
    found = [gene.transcripts[0].exons for gene in read_models(path, ("gene",)).genes]
    assert found == [TWO_EXONS, ((5_000, 5_050), (5_080, 5_120))]


def test_a_gene_spliced_from_both_strands_has_a_transcript_at_each_place(tmp_path: Path) -> None:
    path = tmp_path / "genes.gff3"
    rows = [
        row(kind, *place, attributes, strand)
        for kind, attributes in (("gene", "ID=g"), ("mRNA", "ID=t;Parent=g"), ("exon", "Parent=t"))
        for place, strand in (((1, 50), "+"), ((501, 600), "-"))
    ]
    path.write_text("\n".join(rows) + "\n")
    genes = read_models(path, ("gene",)).genes
    assert [(gene.strand, gene.transcripts[0].exons) for gene in genes] == [("+", ((0, 50),)), ("-", ((500, 600),))]


def test_rows_that_are_parents_of_one_another_end_the_search(tmp_path: Path) -> None:
    path = tmp_path / "genes.gff3"
    rows = [row("gene", 1, 9, "ID=g"), row("mRNA", 1, 9, "ID=a;Parent=b"), row("mRNA", 1, 9, "ID=b;Parent=a")]
    path.write_text("\n".join([*rows, row("exon", 1, 9, "Parent=a")]) + "\n")
    models = read_models(path, ("gene",))
    assert ([len(gene.transcripts) for gene in models.genes], models.unused.total()) == ([0], 3)
