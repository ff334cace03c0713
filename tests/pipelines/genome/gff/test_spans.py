from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from pipelines.config import GENE_LIKE
from pipelines.errors import InputError
from pipelines.genome import annotation
from pipelines.genome.features import Annotation
from tests.hypothesis_profiles import examples

Span = Literal["gene", "mrna", "cds"]

# A gene with two isoforms and UTRs; a gene whose only CDS is under an ncRNA; a gene of one CDS; a tRNA gene.
GFF3 = """\
chr1	t	gene	101	900	.	+	.	ID=g1;Name=one
chr1	t	mRNA	101	800	.	+	.	ID=g1.1;Parent=g1
chr1	t	five_prime_UTR	101	200	.	+	.	ID=u1;Parent=g1.1
chr1	t	exon	101	400	.	+	.	ID=e1;Parent=g1.1
chr1	t	CDS	201	400	.	+	0	ID=c1;Parent=g1.1
chr1	t	mRNA	151	900	.	+	.	ID=g1.2;Parent=g1
chr1	t	CDS	181	390	.	+	0	ID=c2;Parent=g1.2
chr1	t	CDS	501	700	.	+	0	ID=c2;Parent=g1.2
chr1	t	ncRNA	111	890	.	+	.	ID=g1.3;Parent=g1
chr1	t	CDS	111	890	.	+	0	ID=c3;Parent=g1.3
chr1	t	gene	1001	1300	.	-	.	ID=g2
chr1	t	ncRNA	1001	1300	.	-	.	ID=g2.1;Parent=g2
chr1	t	CDS	1010	1200	.	-	0	ID=c4;Parent=g2.1
chr1	t	gene	2001	2300	.	-	.	ID=g3
chr1	t	CDS	2004	2290	.	-	0	ID=c5;Parent=g3
chr1	t	tRNA_gene	3001	3070	.	+	.	ID=g4
chr1	t	tRNA	3001	3070	.	+	.	ID=g4.1;Parent=g4
"""
GTF = """\
chr1	t	gene	101	900	.	+	.	gene_id "g1";
chr1	t	transcript	101	900	.	+	.	gene_id "g1"; transcript_id "t1";
chr1	t	exon	101	900	.	+	.	gene_id "g1"; transcript_id "t1"; exon_number "1";
chr1	t	CDS	201	797	.	+	0	gene_id "g1"; transcript_id "t1"; exon_number "1";
chr1	t	stop_codon	798	800	.	+	0	gene_id "g1"; transcript_id "t1"; exon_number "1";
chr1	t	transcript	51	990	.	+	.	gene_id "g1"; transcript_id "t2";
chr1	t	gene	1001	1300	.	-	.	gene_id "g2";
chr1	t	transcript	1001	1300	.	-	.	gene_id "g2"; transcript_id "t3";
chr1	t	exon	1001	1300	.	-	.	gene_id "g2"; transcript_id "t3"; exon_number "1";
"""

# AUGUSTUS names a gene and its transcript by a word; only the parts say whose they are.
AUGUSTUS = """\
chr1	AUGUSTUS	gene	101	900	.	+	.	g1
chr1	AUGUSTUS	transcript	101	900	.	+	.	g1.t1
chr1	AUGUSTUS	exon	101	900	.	+	.	transcript_id "g1.t1"; gene_id "g1";
chr1	AUGUSTUS	CDS	201	797	.	+	0	transcript_id "g1.t1"; gene_id "g1";
chr1	AUGUSTUS	stop_codon	798	800	.	+	0	transcript_id "g1.t1"; gene_id "g1";
"""


def read(folder: Path, text: str, span: Span) -> Annotation:
    path = folder / "genes.txt"
    path.write_text(text)
    return annotation.read(path, ["gene"], GENE_LIKE, span=span)


def spans(found: Annotation) -> dict[str, tuple[int, int]]:
    return {gene.gene_id: (gene.start, gene.end) for gene in found.genes}


def test_a_gene_is_what_its_mrnas_are_or_code_for(tmp_path: Path) -> None:
    assert spans(read(tmp_path, GFF3, "mrna")) == {"g1": (100, 900)}
    coding = read(tmp_path, GFF3, "cds")
    assert spans(coding) == {"g1": (180, 700), "g3": (2003, 2290)}
    assert [gene.row for gene in coding.genes] == [(100, 900), (2000, 2300)]


def test_genes_without_such_rows_are_counted_by_reason(tmp_path: Path) -> None:
    assert read(tmp_path, GFF3, "mrna").dropped == {"no_mrna": 2}
    assert read(tmp_path, GFF3, "cds").dropped == {"no_cds": 1}


def test_negatives_avoid_what_they_avoided_before(tmp_path: Path) -> None:
    assert read(tmp_path, GFF3, "cds").excluded == read(tmp_path, GFF3, "gene").excluded


def test_rows_of_no_gene_with_such_a_span_are_told_apart(tmp_path: Path) -> None:
    others = read(tmp_path, GFF3, "cds").others["chr1"]
    assert set(others) == {(1000, 1300, -1), (3000, 3070, 1)}


def test_in_gtf_a_transcript_with_a_cds_is_an_mrna_and_the_stop_codon_is_coding(tmp_path: Path) -> None:
    assert spans(read(tmp_path, GTF, "mrna")) == {"g1": (100, 900)}
    assert spans(read(tmp_path, GTF, "cds")) == {"g1": (200, 800)}


def test_a_transcript_of_augustus_is_of_the_gene_that_its_parts_name(tmp_path: Path) -> None:
    coding = read(tmp_path, AUGUSTUS, "cds")
    assert spans(coding) == {"g1": (200, 800)}
    assert coding.others == {"chr1": []}
    assert spans(read(tmp_path, AUGUSTUS, "mrna")) == {"g1": (100, 900)}


def test_coding_parts_far_from_their_gene_are_avoided(tmp_path: Path) -> None:
    trans_spliced = "chr1\tt\tCDS\t5001\t5100\t.\t+\t0\tID=c1;Parent=g1.1\n"
    found = read(tmp_path, GFF3 + trans_spliced, "cds")
    assert spans(found) == {"g1": (180, 700), "g3": (2003, 2290)}
    assert (5000, 5100, 1) in found.others["chr1"]


@pytest.mark.parametrize(
    ("left_out", "mrna"), [((), (100, 900)), (("gene",), (100, 900)), (("transcript",), (100, 900))]
)
def test_genes_and_transcripts_may_have_no_row(
    tmp_path: Path, left_out: tuple[str, ...], mrna: tuple[int, int]
) -> None:
    rows = [row for row in GTF.splitlines(keepends=True) if row.split("\t")[2] not in left_out]
    text = "".join(row for row in rows if '"t2"' not in row)
    assert spans(read(tmp_path, text, "mrna")) == {"g1": mrna}
    assert spans(read(tmp_path, text, "cds")) == {"g1": (200, 800)}


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.sampled_from([GFF3, GTF, AUGUSTUS]), st.sampled_from(["mrna", "cds"]))
def test_the_order_of_rows_changes_nothing(tmp_path: Path, seed: int, text: str, span: Span) -> None:
    rows = text.splitlines(keepends=True)
    random.Random(seed).shuffle(rows)
    shuffled, ordered = read(tmp_path, "".join(rows), span), read(tmp_path, text, span)
    assert spans(shuffled) == spans(ordered)
    assert sorted(shuffled.others["chr1"]) == sorted(ordered.others["chr1"])


def test_a_gene_that_is_there_twice_is_a_gene_twice(tmp_path: Path) -> None:
    found = read(tmp_path, GFF3 + GFF3.splitlines()[0] + "\n", "cds")
    assert [(gene.start, gene.end) for gene in found.genes if gene.gene_id == "g1"] == [(180, 700)] * 2


def test_genes_of_other_biotypes_are_counted_as_such(tmp_path: Path) -> None:
    path = tmp_path / "genes.gff3"
    path.write_text(GFF3.replace("ID=g1;", "ID=g1;biotype=protein_coding;"))
    found = annotation.read(path, ["gene"], GENE_LIKE, ["protein_coding"], span="cds")
    assert (spans(found), found.dropped) == ({"g1": (180, 700)}, {"other_biotype": 2})
    # g3 has a CDS, and partial negatives of g1 avoid it all the same.
    assert set(found.others["chr1"]) == {(1000, 1300, -1), (2000, 2300, -1), (3000, 3070, 1)}


def test_a_file_without_such_rows_is_an_error_that_names_the_key(tmp_path: Path) -> None:
    text = "".join(row for row in GFF3.splitlines(keepends=True) if "CDS" not in row)
    with pytest.raises(InputError, match="no gene has rows of CDS: set span: gene") as caught:
        read(tmp_path, text, "cds")
    assert caught.value.key == "sources.span"
    with pytest.raises(InputError, match="BED has no rows of cds"):
        read(tmp_path, "chr1\t100\t200\tg1\t0\t+\n", "cds")


FILES = [
    pytest.param("schizosaccharomyces_pombe/derived_names_matched.gff3.gz", marks=pytest.mark.full),
    "saccharomyces_cerevisiae/Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz",
]


@pytest.mark.parametrize("name", FILES)
def test_real_spans_are_those_of_a_plain_loop(data: Path, name: str) -> None:
    path = data / name
    with gzip.open(path, "rt") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if line.count("\t") == 8]
    parent_of, reach = {}, {"mrna": dict[str, list[int]](), "cds": dict[str, list[int]]()}
    for kind in ("mRNA", "CDS"):
        for row in rows:
            values = dict(pair.split("=", 1) for pair in row[8].split(";") if "=" in pair)
            if row[2] == kind == "mRNA":
                parent_of[values["ID"]] = values["Parent"]
            gene = parent_of.get(values["ID" if kind == "mRNA" else "Parent"]) if row[2] == kind else None
            if gene:
                reach[kind.lower()].setdefault(gene, []).extend([int(row[3]) - 1, int(row[4])])
    for span in ("mrna", "cds"):
        found = annotation.read(path, ["gene"], GENE_LIKE, span=span)
        expected = {gene: (min(bases), max(bases)) for gene, bases in reach[span].items()}
        genes = {row[8].split("ID=")[1].split(";")[0] for row in rows if row[2] == "gene"}
        assert spans(found) == {gene: bounds for gene, bounds in expected.items() if gene in genes}
