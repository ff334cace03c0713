from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pipelines.config import GENE_LIKE
from pipelines.errors import InputError
from pipelines.genome.annotation import format_of, read
from pipelines.genome.features import Annotation

HEAD = "##gff-version 3\n"


def row(kind: str = "gene", start: object = 11, end: object = 20, strand: str = "+", attributes: str = "ID=a") -> str:
    return f"chrI\tsrc\t{kind}\t{start}\t{end}\t.\t{strand}\t.\t{attributes}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "a.gff3"
    path.write_bytes(text.encode())
    return path


def test_a_gene_comes_out_half_open_with_decoded_id_and_biotype(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + row(attributes="ID=gene%3Ba;gene_biotype=protein_coding"))
    gene = read(path, ["gene"], GENE_LIKE).genes[0]
    assert (gene.chromosome, gene.start, gene.end, gene.strand) == ("chrI", 10, 20, "+")
    assert (gene.gene_id, gene.biotype) == ("gene;a", "protein_coding")


@pytest.mark.parametrize(
    ("attributes", "expected"), [("ID=a;Name=b", "a"), ("Name=b", "b"), ("ID=;Name=b", "b"), ("Note=c", "chrI:10-20")]
)
def test_a_gene_has_its_id_its_name_or_its_position(tmp_path: Path, attributes: str, expected: str) -> None:
    (gene,) = read(written(tmp_path, HEAD + row(attributes=attributes)), ["gene"], []).genes
    assert gene.gene_id == expected


def test_comments_crlf_and_trailing_fasta_are_no_features(tmp_path: Path) -> None:
    text = HEAD + "# comment\n" + row() + "###\n\n" + row(start=31, end=40) + "##FASTA\n>chrI\nACGT\n"
    assert len(read(written(tmp_path, text.replace("\n", "\r\n")), ["gene"], []).genes) == 2


def test_types_match_column_three_without_case_and_never_attributes(tmp_path: Path) -> None:
    text = HEAD + row(kind="Gene") + row(kind="region", attributes="ID=gene;Note=gene")
    assert len(read(written(tmp_path, text), ["GENE"], []).genes) == 1


def test_gene_like_features_are_excluded_though_not_taken(tmp_path: Path) -> None:
    text = (
        HEAD
        + row()
        + row(kind="ncRNA_gene", start=31, end=40)
        + row(kind="tRNA", start=51, end=60)
        + row(kind="centromere", start=71, end=80)
    )
    annotation = read(written(tmp_path, text), ["gene"], GENE_LIKE)
    assert len(annotation.genes) == 1
    assert annotation.excluded == {"chrI": [(10, 20, 1), (30, 40, 1), (50, 60, 1)]}


def test_blank_lines_and_a_byte_order_mark_are_skipped(tmp_path: Path) -> None:
    text = "\ufeff" + HEAD + "   \n\n" + row()
    assert len(read(written(tmp_path, text), ["gene"], []).genes) == 1


def test_a_feature_of_one_base_is_a_gene(tmp_path: Path) -> None:
    annotation = read(written(tmp_path, HEAD + row(start=11, end=11)), ["gene"], [])
    assert [(gene.start, gene.end) for gene in annotation.genes] == [(10, 11)]


def test_gzip_is_read_as_plain(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3.gz"
    path.write_bytes(gzip.compress((HEAD + row()).encode()))
    assert len(read(path, ["gene"], []).genes) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + row(start=21), "line 2: start 21 and end 20"),
        (HEAD + row(start="x"), "line 2: 'x' is not a whole number"),
        (HEAD + row(start="-5"), "line 2: -5 is negative, which no position is"),
        (HEAD + row(start="1_0"), "line 2: '1_0' is not a whole number"),
        (HEAD + row(end=10**30), "line 2: 1000.* is larger than any chromosome"),
        (HEAD + row(start=0), "line 2: start 0"),
        (HEAD + "chrI gene 1 2\n", "line 2: 1 columns instead of 9"),
        (HEAD + row(kind="exon"), "line 2: an exon or CDS that names neither a gene nor a transcript"),
        (HEAD + row(kind="tRNA"), "no feature of type gene"),
        ("", "has no rows"),
    ],
)
def test_a_row_that_is_not_gff3_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(written(tmp_path, text), ["gene"], [])


def test_a_cut_off_gzip_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3.gz"
    packed = gzip.compress((HEAD + "".join(row(start=n, end=n + 5) for n in range(1, 4000))).encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match="damaged or cut off"):
        read(path, ["gene"], [])


def gtf(kind: str, start: int, end: int, gene: str, strand: str = "+", extra: str = "") -> str:
    return f'chrI\tsrc\t{kind}\t{start}\t{end}\t.\t{strand}\t.\tgene_id "{gene}"; transcript_id "{gene}.1"; {extra}\n'


def genes_of(annotation: Annotation) -> list[tuple[str, int, int, str, str | None]]:
    return [(gene.gene_id, gene.start, gene.end, gene.strand, gene.biotype) for gene in annotation.genes]


def test_gtf_genes_are_its_gene_rows(tmp_path: Path) -> None:
    text = gtf("gene", 11, 90, "a", extra='gene_biotype "tRNA";') + gtf("transcript", 11, 50, "a")
    assert genes_of(read(written(tmp_path, text), ["gene"], GENE_LIKE)) == [("a", 10, 90, "+", "tRNA")]


def test_gtf_genes_are_not_derived_where_gene_rows_follow_their_parts(tmp_path: Path) -> None:
    text = gtf("transcript", 11, 50, "a") + gtf("exon", 11, 20, "a") + gtf("gene", 11, 90, "a")
    annotation = read(written(tmp_path, text), ["gene"], ["gene"])
    assert genes_of(annotation) == [("a", 10, 90, "+", None)]
    assert annotation.excluded == {"chrI": [(10, 90, 1)]}


@pytest.mark.parametrize("kind", ["transcript", "mRNA", "exon"])
def test_gtf_genes_are_derived_where_there_are_no_gene_rows(tmp_path: Path, kind: str) -> None:
    text = gtf(kind, 31, 60, "a") + gtf("CDS", 31, 40, "a") + gtf(kind, 11, 40, "a") + gtf(kind, 71, 80, "b", "-")
    annotation = read(written(tmp_path, text), ["gene"], GENE_LIKE)
    assert genes_of(annotation) == [("a", 10, 60, "+", None), ("b", 70, 80, "-", None)]
    assert (10, 60, 1) in annotation.excluded["chrI"]


def test_the_rows_of_a_bed_file_are_genes_whatever_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "genes.txt"
    path.write_text("track name=x\nchrI\t10\t20\ta\t0\t-\nchrI\t30\t30\tb\t0\t+\n")
    annotation = read(path, ["gene"], GENE_LIKE)
    assert genes_of(annotation) == [("a", 10, 20, "-", None), ("b", 30, 30, "+", None)]
    assert annotation.excluded == {"chrI": [(10, 20, -1)]}


def test_genes_of_other_biotypes_are_counted_and_stay_excluded(tmp_path: Path) -> None:
    text = HEAD + row(attributes="ID=a;biotype=Protein_coding") + row(start=31, end=40, attributes="ID=b")
    annotation = read(written(tmp_path, text), ["gene"], GENE_LIKE, ["protein_CODING"])
    assert [gene.gene_id for gene in annotation.genes] == ["a"]
    assert annotation.dropped == {"other_biotype": 1}
    assert len(annotation.excluded["chrI"]) == 2
    with pytest.raises(InputError, match="no gene of biotype tRNA: set biotypes; the file has Protein_coding"):
        read(written(tmp_path, text), ["gene"], GENE_LIKE, ["tRNA"])


def test_a_file_of_no_known_format_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "genes.txt"
    path.write_text("# note\nchrI 10 20\n")
    with pytest.raises(InputError, match="line 2: neither GFF3, GTF nor BED"):
        read(path, ["gene"], GENE_LIKE)


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("a.gff", 'chrI\ts\tgene\t1\t9\t.\t+\t.\tgene_id "a"', "GTF"),
        ("a.gtf", "chrI\ts\tgene\t1\t9\t.\t+\t.\tID=a", "GFF3"),
        ("a.gtf.gz", "chrI\ts\tgene\t1\t9\t.\t+\t.\t.", "GTF"),
        ("a.txt", "chrI\ts\tgene\t1\t9\t.\t+\t.\t.", "GFF3"),
        ("a.bed", "##FASTA", "BED"),
        ("a.txt", "", "GFF3"),
    ],
)
def test_the_first_row_decides_the_format_and_the_name_where_the_row_does_not(
    tmp_path: Path, name: str, line: str, expected: str
) -> None:
    (tmp_path / name).write_text(f"# note\n{line}\n")
    assert format_of(tmp_path / name) == expected


@pytest.mark.parametrize("text", ["", "\n", "##gff-version 3\n# none\n", ">c1\nACGT\n"])
def test_a_file_without_rows_is_an_error_that_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.gff3"
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.gff3: has no rows"):
        read(path, ["gene"], GENE_LIKE)
    assert read(path, ["gene"], GENE_LIKE, may_be_empty=True).genes == []
