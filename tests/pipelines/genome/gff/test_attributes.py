from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.genome.gff.attributes import dialect_of, gene_names, part_names, quick_value

PIECES = st.sampled_from(
    ["ID=a", "Parent=b,c", "gene_id", '"x"', "transcript_id", "7", ";", " ", "=", '"', "%3B", ",", ".", "g1", "\u00a0"]
)


@given(st.lists(PIECES, max_size=8).map("".join), st.booleans())
def test_any_text_gives_names_or_none(text: str, is_transcript: bool) -> None:
    dialect = dialect_of(text)
    gene = gene_names(text, dialect)
    names = part_names(text, is_transcript=is_transcript)
    assert "" not in (gene.gene_id, names.gene, names.transcript)
    assert "" not in (*gene.names, *names.other_genes, *names.parents)


@pytest.mark.parametrize(
    ("text", "dialect", "gene_id"),
    [
        ("ID=a;Name=b", "GFF3", "a"),
        ('gene_id "a"; gene_name "b";', "GTF", "a"),
        ("gene_id a", "GTF", "a"),
        ('gene_id ""; transcript_id "t"', "GTF", "t"),
        ('geneId "a"', "GTF", "a"),
        ('name "a"; transcriptId 7', "GTF", "a"),
        ("g1", "bare", "g1"),
        ('"g1";', "bare", "g1"),
        (".", "", None),
        ("", "", None),
        ("note;ID=a", "GFF3", "a"),
        ("locus_tag=b0001;product=x", "GFF3", "b0001"),
        ("gene_id=a;transcript_id=b", "GFF3", "a"),
    ],
)
def test_a_gene_row_is_named_in_any_dialect(text: str, dialect: str, gene_id: str | None) -> None:
    assert dialect_of(text) == dialect
    assert gene_names(text, dialect_of(text)).gene_id == gene_id


@pytest.mark.parametrize(
    ("text", "transcript", "gene"),
    [
        ("ID=t;Parent=g", "t", "g"),
        ("ID=t;geneID=g", "t", "g"),
        ('gene_id "g"; transcript_id "t"', "t", "g"),
        ('transcript_id "t"', "t", None),
        ("g1.t1", "g1.t1", None),
        ("ID=t;Parent=t", "t", None),
        ("ID=t%2C1;Parent=g%2C1,h", "t,1", "g,1"),
        ('gene_id "."; transcript_id "t"', "t", None),
    ],
)
def test_a_transcript_names_itself_and_its_gene(text: str, transcript: str, gene: str | None) -> None:
    names = part_names(text, is_transcript=True)
    assert (names.transcript, names.gene) == (transcript, gene)


@pytest.mark.parametrize(
    ("text", "transcript", "gene"),
    [
        ("ID=e;Parent=t", "t", None),
        ('gene_id "g"; transcript_id ""', None, "g"),
        ('name "g"; proteinId 9', "9", "g"),
        ("transcriptId 7", "7", None),
        ("ID=e", None, None),
        ("Parent=t;gene=g;locus_tag=l", "t", "l"),
        ("t1", "t1", None),
    ],
)
def test_an_exon_names_its_transcript_and_its_gene(text: str, transcript: str | None, gene: str | None) -> None:
    names = part_names(text, is_transcript=False, is_exon=True)
    assert (names.transcript, names.gene) == (transcript, gene)


def test_a_value_is_found_only_where_its_key_begins() -> None:
    assert quick_value("ID=a;Parent=b;x=c", "Parent=", ";") == "b"
    assert quick_value("ID=a;notParent=b", "Parent=", ";") is None
    assert quick_value('x "y"; gene_id "a"', 'gene_id "', '"') == "a"
