"""Genes of files as programs and databases write them; each text is made up in the manner of its namesake."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.config import GENE_LIKE
from pipelines.errors import InputError
from pipelines.genome.annotation import read
from pipelines.genome.features import Annotation

Gene = tuple[str, int, int, str]


def rows(*lines: str) -> str:
    """Rows written as `kind start end strand attributes`, or with the name of a sequence before `:`."""
    written = []
    for line in lines:
        kind, start, end, strand, attributes = line.split(" ", 4)
        name, _, kind = kind.rpartition(":")
        written.append(f"{name or 'c1'}\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t.\t{attributes}\n")
    return "".join(written)


def annotation_of(folder: Path, text: str, feature_types: tuple[str, ...] = ("gene",)) -> Annotation:
    path = folder / "a.gff"
    path.write_text(text)
    return read(path, feature_types, GENE_LIKE, may_be_empty=True)


def genes_of(annotation: Annotation) -> list[Gene]:
    return [(gene.gene_id, gene.start + 1, gene.end, gene.strand) for gene in annotation.genes]


FORMATS: dict[str, tuple[str, list[Gene]]] = {
    "BRAKER: bare ids and GTF parts": (
        rows(
            "gene 1001 2000 + g1",
            "transcript 1001 2000 + g1.t1",
            'CDS 1001 1201 + transcript_id "g1.t1"; gene_id "g1";',
            'exon 1001 1201 + transcript_id "g1.t1"; gene_id "g1";',
            "transcript 1001 1900 + g1.t2",
            'CDS 1001 1900 + transcript_id "g1.t2"; gene_id "g1";',
        ),
        [("g1", 1001, 2000, "+")],
    ),
    "BRAKER without its gene rows": (
        rows(
            "transcript 1001 2000 + g1.t1",
            'CDS 1001 1201 + transcript_id "g1.t1"; gene_id "g1";',
            "transcript 1001 1900 + g1.t2",
            'CDS 1001 1900 + transcript_id "g1.t2"; gene_id "g1";',
        ),
        [("g1", 1001, 2000, "+")],
    ),
    "bare ids of transcripts alone": (
        rows("transcript 11 90 + g1.t1", "transcript 21 99 + g1.t2", "transcript 11 90 - g2.t1"),
        [("g1", 11, 99, "+"), ("g2.t1", 11, 90, "-")],
    ),
    "JGI: name with transcriptId, and with proteinId": (
        rows(
            'exon 1001 1201 + name "fgenesh1_pm.1_#_0"; transcriptId 100',
            'CDS 1011 1191 + name "fgenesh1_pm.1_#_0"; proteinId 200; exonNumber 1',
            'exon 1401 1601 + name "fgenesh1_pm.1_#_0"; transcriptId 100',
            'start_codon 1011 1013 + name "fgenesh1_pm.1_#_0"',
            'exon 5001 5201 - name "fgenesh1_pm.1_#_1"; transcriptId 101',
        ),
        [("fgenesh1_pm.1_#_0", 1001, 1601, "+"), ("fgenesh1_pm.1_#_1", 5001, 5201, "-")],
    ),
    "GFF2 with transcriptId alone": (
        rows("exon 11 20 + transcriptId 7; exonNumber 1", "exon 41 50 + transcriptId 7; exonNumber 2"),
        [("7", 11, 50, "+")],
    ),
    "WormBase GFF2: transcripts by their kind": (
        rows(
            'exon 101 200 + Transcript "B0.1"', 'exon 301 400 + Transcript "B0.1"', 'CDS 101 400 + CDS "B0.1" ; x "y"'
        ),
        [("B0.1", 101, 400, "+")],
    ),
    "TSEBRA: transcripts of other programs' names": (
        rows(
            "gene 101 950 + g_1",
            "transcript 101 900 + anno1.g1.t1",
            'exon 101 900 + transcript_id "anno1.g1.t1"; gene_id "g_1";',
            "transcript 201 950 + anno2.g7.t1",
            'exon 201 950 + transcript_id "anno2.g7.t1"; gene_id "g_1";',
        ),
        [("g_1", 101, 950, "+")],
    ),
    "two files end to end that use the same ids": (
        rows(
            "gene 101 900 + ID=g1",
            "mRNA 101 900 + ID=g1.t1;Parent=g1",
            "c2:mRNA 201 900 + ID=g1.t1;Parent=g1",
            "c2:exon 201 900 + Parent=g1.t1",
        ),
        [("g1", 101, 900, "+"), ("g1", 201, 900, "+")],
    ),
    "StringTie: transcripts and exons, of which two are fragments": (
        rows(
            'transcript 101 900 + gene_id "STRG.1"; transcript_id "STRG.1.1"; FPKM "1.0";',
            'exon 101 900 + gene_id "STRG.1"; transcript_id "STRG.1.1"; exon_number "1";',
            'transcript 1101 1900 + gene_id "STRG.1"; transcript_id "STRG.1.2"; FPKM "1.0";',
            'exon 1101 1900 + gene_id "STRG.1"; transcript_id "STRG.1.2"; exon_number "1";',
        ),
        [("STRG.1", 101, 1900, "+")],
    ),
    "UCSC: two copies of one gene, the second with a number": (
        rows(
            'transcript 501 1101 + gene_id "MIRX"; transcript_id "NR_1"; gene_name "MIRX";',
            'exon 501 1101 + gene_id "MIRX"; transcript_id "NR_1"; exon_number "1";',
            'transcript 2001 2601 + gene_id "MIRX"; transcript_id "NR_1_2"; gene_name "MIRX";',
        ),
        [("MIRX", 501, 1101, "+"), ("MIRX", 2001, 2601, "+")],
    ),
    "UCSC: copies named _dup1 and _dup2": (
        rows(
            'exon 501 601 + gene_id "SNORA"; transcript_id "NR_2"; exon_number "1";',
            'exon 801 901 + gene_id "SNORA"; transcript_id "NR_2"; exon_number "2";',
            'exon 2001 2101 + gene_id "SNORA"; transcript_id "NR_2_dup1"; exon_number "1";',
            'exon 3001 3101 + gene_id "SNORA"; transcript_id "NR_2_dup2"; exon_number "1";',
        ),
        [("SNORA", 501, 901, "+"), ("SNORA", 2001, 2101, "+"), ("SNORA", 3001, 3101, "+")],
    ),
    "UCSC: copies under one transcript_id": (
        rows(
            'exon 501 601 + gene_id "U1"; transcript_id "NR_3"; exon_number "1";',
            'exon 801 901 + gene_id "U1"; transcript_id "NR_3"; exon_number "2";',
            'exon 2001 2101 + gene_id "U1"; transcript_id "NR_3"; exon_number "1";',
            'exon 2301 2401 + gene_id "U1"; transcript_id "NR_3"; exon_number "2";',
        ),
        [("U1", 501, 901, "+"), ("U1", 2001, 2401, "+")],
    ),
    "one gene_id with other genes between its places": (
        rows(
            'transcript 101 200 + gene_id "A"; transcript_id "x";',
            'transcript 401 500 - gene_id "B"; transcript_id "y";',
            'transcript 701 800 + gene_id "A"; transcript_id "z";',
        ),
        [("A", 101, 200, "+"), ("B", 401, 500, "-"), ("A", 701, 800, "+")],
    ),
    "one gene_id at places far apart, on two strands and on two sequences": (
        rows(
            'transcript 101 200 + gene_id "A"; transcript_id "x";',
            'transcript 20101 20200 + gene_id "A"; transcript_id "y";',
            'transcript 301 400 - gene_id "A"; transcript_id "z";',
            'c2:transcript 101 200 + gene_id "A"; transcript_id "w";',
        ),
        [("A", 101, 200, "+"), ("A", 20101, 20200, "+"), ("A", 301, 400, "-"), ("A", 101, 200, "+")],
    ),
    "a gene within the intron of another": (
        rows(
            'exon 101 200 + gene_id "A"; transcript_id "x";',
            'exon 301 400 + gene_id "B"; transcript_id "y";',
            'exon 501 600 + gene_id "A"; transcript_id "x";',
        ),
        [("A", 101, 600, "+"), ("B", 301, 400, "+")],
    ),
    "UCSC table browser: gene_id is transcript_id, gene_name is the gene": (
        rows(
            'exon 101 200 + gene_id "uc1.1"; transcript_id "uc1.1"; gene_name "DDX";',
            'exon 151 300 + gene_id "uc2.1"; transcript_id "uc2.1"; gene_name "DDX";',
            'exon 801 900 + gene_id "uc3.1"; transcript_id "uc3.1"; gene_name "WASH";',
        ),
        [("DDX", 101, 300, "+"), ("uc3.1", 801, 900, "+")],
    ),
    "gene_id is transcript_id with the number of the isoform": (
        rows(
            'exon 101 200 + gene_id "AT1G01.1"; transcript_id "AT1G01.1";',
            'exon 151 300 + gene_id "AT1G01.2"; transcript_id "AT1G01.2";',
            'exon 281 400 + gene_id "AT1G02.1"; transcript_id "AT1G02.1";',
        ),
        [("AT1G01", 101, 300, "+"), ("AT1G02.1", 281, 400, "+")],
    ),
    "NCBI: gene rows with an empty transcript_id": (
        rows(
            'gene 101 400 + gene_id "A"; transcript_id ""; gbkey "Gene"; gene_biotype "protein_coding";',
            'transcript 101 400 + gene_id "A"; transcript_id "XM_1"; gbkey "mRNA";',
            'exon 101 400 + gene_id "A"; transcript_id "XM_1"; exon_number "1";',
            'CDS 501 600 + gene_id "B"; transcript_id ""; gbkey "CDS";',
        ),
        [("A", 101, 400, "+"), ("B", 501, 600, "+")],
    ),
    "Ensembl without its gene rows, and with some of them": (
        rows(
            'gene 101 400 + gene_id "A"; gene_biotype "x";',
            'transcript 101 400 + gene_id "A"; transcript_id "A.1";',
            'transcript 501 600 - gene_id "B"; transcript_id "B.1"; gene_biotype "y";',
            'exon 501 700 - gene_id "B"; transcript_id "B.1";',
            'CDS 801 900 - gene_id "C"; transcript_id "C.1";',
        ),
        [("A", 101, 400, "+"), ("B", 501, 600, "-"), ("C", 801, 900, "-")],
    ),
    "gffread: GFF3 with geneID": (
        rows(
            "transcript 101 400 + ID=t1;geneID=A",
            "exon 101 200 + Parent=t1",
            "exon 301 400 + Parent=t1",
            "transcript 151 500 + ID=t2;geneID=A",
            "exon 151 500 + Parent=t2",
        ),
        [("A", 101, 500, "+")],
    ),
    "GlimmerHMM: mRNA without gene": (
        rows(
            "mRNA 101 400 - ID=c1.path1.gene1;Name=c1.path1.gene1", "CDS 101 400 - ID=c1.cds1.1;Parent=c1.path1.gene1"
        ),
        [("c1.path1.gene1", 101, 400, "-")],
    ),
    "GFF3 without its gene rows": (
        rows(
            "mRNA 101 400 + ID=g1.t1;Parent=g1",
            "exon 101 400 + ID=e1;Parent=g1.t1",
            "mRNA 101 500 + ID=g1.t2;Parent=g1",
            "mRNA 601 700 - ID=g2.t1;Parent=g2",
        ),
        [("g1", 101, 500, "+"), ("g2", 601, 700, "-")],
    ),
    "GFF3 of exons alone, with a parent for each isoform": (
        rows(
            "exon 101 200 + Parent=AT1G01010.1",
            "exon 301 400 + Parent=AT1G01010.1",
            "exon 101 500 + Parent=AT1G01010.2",
            "exon 601 700 + Parent=AT1G01020.1",
        ),
        [("AT1G01010", 101, 500, "+"), ("AT1G01020.1", 601, 700, "+")],
    ),
    "Prodigal: CDS alone": (
        rows("CDS 2 181 + ID=1_1;partial=10;start_type=Edge", "CDS 181 900 + ID=1_2;partial=00;start_type=ATG"),
        [("1_1", 2, 181, "+"), ("1_2", 181, 900, "+")],
    ),
    "Prokka: CDS with locus_tag, and a tRNA": (
        rows(
            "CDS 101 400 + ID=P_00001;gene=dnaA;locus_tag=P_00001;product=x",
            "tRNA 501 580 + ID=P_00002;locus_tag=P_00002;product=tRNA-Gly",
            "exon 501 580 + ID=P_00002_exon;Parent=P_00002",
        ),
        [("P_00001", 101, 400, "+")],
    ),
    "FlyBase: exons before the mRNA that they belong to": (
        rows(
            "exon 101 200 + Parent=FBtr1",
            "gene 101 900 + ID=FBgn1;Name=a",
            "CDS 101 200 + Parent=FBtr1,FBtr2",
            "mRNA 101 900 + ID=FBtr1;Parent=FBgn1",
            "ncRNA 101 900 + ID=FBtr2;Parent=FBgn1",
        ),
        [("FBgn1", 101, 900, "+")],
    ),
    "RefSeq: pseudogenes, segments and genes of other types": (
        rows(
            "gene 101 400 + ID=gene-A;gene=A",
            "mRNA 101 400 + ID=rna-A;Parent=gene-A;gene=A",
            "CDS 101 400 + ID=cds-A;Parent=rna-A;gene=A",
            "pseudogene 501 600 + ID=gene-B;gene=B",
            "transcript 501 600 + ID=rna-B;Parent=gene-B;gene=B",
            "exon 501 600 + ID=exon-B;Parent=rna-B;gene=B",
            "V_gene_segment 101 300 + ID=id-V;Parent=gene-A",
            "exon 101 300 + ID=e;Parent=id-V",
        ),
        [("gene-A", 101, 400, "+")],
    ),
    "NCBI of 2010: genes and CDS that share a locus_tag and have no ID": (
        rows("gene 101 400 + locus_tag=b0001;db_xref=1", "CDS 101 397 + locus_tag=b0001;product=x"),
        [("b0001", 101, 400, "+")],
    ),
    "MAKER and EVM: gene, mRNA, exon and matches": (
        rows(
            "gene 101 400 + ID=maker-c1-gene-0.1;Name=maker-c1-gene-0.1",
            "mRNA 101 400 + ID=maker-c1-gene-0.1-mRNA-1;Parent=maker-c1-gene-0.1",
            "exon 101 400 + ID=e;Parent=maker-c1-gene-0.1-mRNA-1",
            "protein_match 901 990 + ID=c1:hit:1;Name=P1",
            "match_part 901 990 + ID=c1:hsp:1;Parent=c1:hit:1",
        ),
        [("maker-c1-gene-0.1", 101, 400, "+")],
    ),
    "SGD and Liftoff: a gene on two rows, and a copy with its own ID": (
        rows(
            "gene 101 400 + ID=YAL001C;extra_copy_number=0",
            "gene 801 990 + ID=YAL001C_1;extra_copy_number=1",
            "mRNA 801 990 + ID=YAL001C_1_mRNA;Parent=YAL001C_1",
        ),
        [("YAL001C", 101, 400, "+"), ("YAL001C_1", 801, 990, "+")],
    ),
    "GTF in a file that begins with GFF3": (
        rows("gene 101 400 + ID=A", 'gene 501 600 + gene_id "B"', 'exon 701 800 + gene_id "C"; transcript_id "C.1"'),
        [("A", 101, 400, "+"), ("B", 501, 600, "+"), ("C", 701, 800, "+")],
    ),
    "GFF3: exons that isoforms share, without rows of genes": (
        rows(
            "mRNA 101 400 + ID=a",
            "mRNA 801 990 + ID=b",
            "mRNA 101 150 + ID=c",
            "exon 101 150 + Parent=a,c",
            "exon 301 400 + Parent=a,b",
            "exon 801 990 + Parent=b",
            "exon 5001 5600 - Parent=d,e",
            "exon 5701 5790 - Parent=e",
        ),
        [("a", 101, 990, "+"), ("d", 5001, 5790, "-")],
    ),
    "GTF as a spreadsheet writes it, column 9 in quotes": (
        rows(
            'gene 101 400 + "gene_id ""A""; gene_name ""x"";"',
            'exon 501 600 + "gene_id ""B""; transcript_id ""B.1"";"',
            'exon 701 800 + "gene_id ""C""; transcript_id ""C.1"";"',
        ),
        [("A", 101, 400, "+"), ("B", 501, 600, "+"), ("C", 701, 800, "+")],
    ),
    "GFF3 with blanks around =": (
        rows(
            "gene 101 400 + ID = A ; Name = x",
            "c2:mRNA 501 600 + ID = b.1 ; Parent = B",
            "c2:exon 501 600 + Parent = b.1",
        ),
        [("A", 101, 400, "+"), ("B", 501, 600, "+")],
    ),
    "a gene_id with a row, and its transcripts elsewhere too": (
        rows(
            'gene 101 400 + gene_id "A";',
            'transcript 101 400 + gene_id "A"; transcript_id "x";',
            'exon 101 400 + gene_id "A"; transcript_id "x";',
            'transcript 30101 30400 + gene_id "A"; transcript_id "x_2";',
            'exon 30101 30400 + gene_id "A"; transcript_id "x_2";',
            'c2:exon 101 400 + gene_id "A"; transcript_id "x_3";',
        ),
        [("A", 101, 400, "+"), ("A", 30101, 30400, "+"), ("A", 101, 400, "+")],
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_genes_are_those_that_the_rows_say(tmp_path: Path, name: str) -> None:
    text, expected = FORMATS[name]
    assert genes_of(annotation_of(tmp_path, text)) == expected


@pytest.mark.parametrize("name", [name for name in FORMATS if "copies" not in name and "2010" not in name])
def test_the_order_of_the_rows_does_not_matter(tmp_path: Path, name: str) -> None:
    text, expected = FORMATS[name]
    reversed_rows = "".join(reversed(text.splitlines(keepends=True)))
    assert sorted(genes_of(annotation_of(tmp_path, reversed_rows))) == sorted(expected)


@pytest.mark.parametrize("name", ["tRNAscan-SE", "RepeatMasker", "SNAP"])
def test_files_without_a_gene_a_transcript_or_a_part_have_no_gene(tmp_path: Path, name: str) -> None:
    text = {
        "tRNAscan-SE": rows("tRNA 11 80 + ID=c1.trna1;Name=c1.tRNA1", "exon 11 80 + ID=c1.trna1.exon1;Parent=c1.trna1"),
        "RepeatMasker": rows('similarity 11 80 + Target "Motif:(TA)n" 1 70'),
        "SNAP": rows("Einit 11 80 + c1-snap.1", "Eterm 91 99 + c1-snap.1"),
    }[name]
    annotation = annotation_of(tmp_path, text)
    assert annotation.genes == []
    assert annotation.unused.total() == len(text.splitlines())
    assert len(annotation_of(tmp_path, text, ("tRNA", "similarity", "Einit")).genes) == 1


def test_every_row_that_is_in_no_gene_is_counted_by_its_reason(tmp_path: Path) -> None:
    annotation = annotation_of(
        tmp_path,
        rows(
            "gene 101 400 + ID=A",
            "intron 101 120 + Parent=A.1",
            "ncRNA_gene 501 600 + ID=B",
            "mRNA 501 600 + ID=B.1;Parent=B",
            "exon 501 600 + Parent=B.1",
            "exon 701 800 + Parent=lost",
            "mRNA 111 150 + ID=inner",
            "exon 121 130 + .",
            "mRNA 121 130 + ID=part;Parent=inner",
        ),
    )
    assert genes_of(annotation) == [("A", 101, 400, "+")]
    assert annotation.unused == {
        "other_type": 2,
        "gene_of_other_type": 2,
        "parent_is_no_gene": 1,
        "inside_a_gene": 1,
        "without_gene_name": 1,
        "inside_a_transcript": 1,
    }
    assert annotation.unnamed == 8


def test_transcripts_of_a_gene_of_another_type_do_not_make_it_a_gene(tmp_path: Path) -> None:
    gtf = rows(
        'gene 101 400 + gene_id "A";',
        'pseudogene 501 600 + gene_id "B";',
        'transcript 501 600 + gene_id "B"; transcript_id "B.1";',
        'exon 501 600 + gene_id "B"; transcript_id "B.1";',
    )
    assert genes_of(annotation_of(tmp_path, gtf)) == [("A", 101, 400, "+")]
    without_genes = rows("region 1 900 + ID=B", "mRNA 501 600 + ID=B.1;Parent=B", "exon 501 600 + Parent=B.1")
    annotation = annotation_of(tmp_path, without_genes)
    assert annotation.genes == []
    assert annotation.unused == {"other_type": 1, "gene_of_other_type": 2}


def test_parents_in_a_circle_are_counted_and_end(tmp_path: Path) -> None:
    annotation = annotation_of(tmp_path, rows("mRNA 1 9 + ID=a;Parent=b", "mRNA 1 9 + ID=b;Parent=a"))
    assert annotation.genes == []
    assert annotation.unused == {"inside_a_transcript": 2}
    assert genes_of(annotation_of(tmp_path, rows("mRNA 1 9 + ID=a;Parent=a"))) == [("a", 1, 9, "+")]


def test_genes_are_derived_only_where_genes_are_requested(tmp_path: Path) -> None:
    text = FORMATS["GFF3 without its gene rows"][0]
    assert len(annotation_of(tmp_path, text, ("mRNA",)).genes) == 3
    assert annotation_of(tmp_path, text, ("pseudogene",)).genes == []


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_read_as_before_these_rules_has_no_mark(tmp_path: Path, name: str) -> None:
    unchanged = {
        "StringTie: transcripts and exons, of which two are fragments",
        "FlyBase: exons before the mRNA that they belong to",
        "RefSeq: pseudogenes, segments and genes of other types",
        "MAKER and EVM: gene, mRNA, exon and matches",
        "SGD and Liftoff: a gene on two rows, and a copy with its own ID",
        "a gene within the intron of another",
    }
    assert (annotation_of(tmp_path, FORMATS[name][0]).rules == set()) == (name in unchanged)


def test_an_exon_without_any_name_is_an_error_that_says_what_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "a.gtf"
    path.write_text(rows("exon 1 9 + ."))
    with pytest.raises(InputError, match=r"line 1: an exon or CDS that names neither .* \(gene_id of GTF, Parent"):
        read(path, ["gene"], GENE_LIKE)
