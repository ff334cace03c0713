from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.gene_models import reader
from pipelines.gene_models.model import Gene
from pipelines.gene_models.reader import GeneFile
from pipelines.gene_models.selection import Selection
from pipelines.genome import annotation

LENGTHS = {"c": 100_000, "d": 5_000}


def row(
    kind: str, start: int, end: int, attributes: str, *, strand: str = "+", phase: str = ".", name: str = "c"
) -> str:
    return f"{name}\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t{phase}\t{attributes}"


def read(tmp_path: Path, rows: list[str], *types: str, biotypes: tuple[str, ...] | None = None) -> GeneFile:
    path = tmp_path / "genes.gff"
    path.write_text("\n".join(rows) + "\n")
    return reader.read(path, LENGTHS, Selection(types, biotypes))


def structures(genes: list[Gene]) -> list[tuple[object, ...]]:
    return sorted(
        (gene.chromosome, gene.start, gene.end, gene.strand, sorted((one.exons, one.cds) for one in gene.transcripts))
        for gene in genes
    )


GFF3 = [
    row("gene", 11, 100, "ID=g;biotype=protein_coding"),
    row("mRNA", 11, 100, "ID=t;Parent=g"),
    row("exon", 11, 30, "Parent=t"),
    row("exon", 51, 100, "Parent=t"),
    row("CDS", 21, 30, "ID=p;Parent=t", phase="0"),
    row("CDS", 51, 70, "ID=p;Parent=t", phase="2"),
    row("mRNA", 11, 100, "ID=u;Parent=g"),
    row("exon", 11, 100, "Parent=u"),
    row("CDS", 41, 70, "ID=q;Parent=u", phase="0"),
    row("gene", 201, 260, "ID=h;biotype=ncRNA", strand="-"),
    row("ncRNA", 201, 260, "ID=v;Parent=h", strand="-"),
    row("exon", 201, 260, "Parent=v", strand="-"),
]
EXPECTED = [
    ("c", 10, 100, "+", [(((10, 30), (50, 100)), ((20, 30), (50, 70))), (((10, 100),), ((40, 70),))]),
    ("c", 200, 260, "-", [(((200, 260),), ())]),
]


@pytest.mark.parametrize("seed", range(5))
def test_rows_in_any_order_give_the_same_genes(tmp_path: Path, seed: int) -> None:
    rows = list(GFF3)
    random.Random(seed).shuffle(rows)
    found = read(tmp_path, ["##gff-version 3", *rows])
    assert structures(found.genes) == EXPECTED
    assert not found.unused


def test_a_compressed_file_is_read_as_a_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "genes.gff3.gz"
    path.write_bytes(gzip.compress(("\n".join(GFF3) + "\n").encode()))
    assert structures(reader.read(path, LENGTHS).genes) == EXPECTED


def gtf(kind: str, start: int, end: int, gene: str, transcript: str, strand: str = "+", phase: str = ".") -> str:
    return row(kind, start, end, f'gene_id "{gene}"; transcript_id "{transcript}";', strand=strand, phase=phase)


def test_gtf_without_rows_of_genes_gives_genes_with_their_isoforms(tmp_path: Path) -> None:
    rows = [
        gtf("exon", 11, 30, "g", "g.1"),
        gtf("exon", 51, 100, "g", "g.1"),
        gtf("CDS", 21, 30, "g", "g.1", phase="0"),
        gtf("CDS", 51, 70, "g", "g.1", phase="2"),
        gtf("exon", 11, 100, "g", "g.2"),
        gtf("CDS", 41, 70, "g", "g.2", phase="0"),
        gtf("exon", 201, 260, "h", "h.1", "-"),
    ]
    found = read(tmp_path, rows)
    assert structures(found.genes) == EXPECTED
    assert (found.derived, found.unused.total()) == (2, 0)
    assert structures(read(tmp_path, rows[::-1]).genes) == EXPECTED


def test_one_gene_id_at_two_far_places_is_two_genes_with_the_parts_of_each(tmp_path: Path) -> None:
    rows = [
        gtf("transcript", 101, 200, "g", "t"),
        gtf("exon", 101, 120, "g", "t"),
        gtf("exon", 181, 200, "g", "t"),
        gtf("transcript", 50_101, 50_200, "g", "t"),
        gtf("exon", 50_101, 50_200, "g", "t"),
    ]
    found = read(tmp_path, rows)
    assert structures(found.genes) == [
        ("c", 100, 200, "+", [(((100, 120), (180, 200)), ())]),
        ("c", 50_100, 50_200, "+", [(((50_100, 50_200),), ())]),
    ]


def test_rows_of_one_name_on_two_sequences_are_two_genes(tmp_path: Path) -> None:
    rows = [
        row(kind, 11, 40, ids, name=name) for name in "cd" for kind, ids in (("gene", "ID=g1"), ("CDS", "Parent=g1"))
    ]
    assert [(gene.chromosome, len(gene.transcripts)) for gene in read(tmp_path, rows).genes] == [("c", 1), ("d", 1)]


@pytest.mark.parametrize("strand", ["+", "-"])
def test_a_stop_codon_outside_of_the_cds_is_part_of_it(tmp_path: Path, strand: str) -> None:
    """As GTF 2.2 and AUGUSTUS write it; Ensembl's exons hold it too."""
    stop, cds = ((68, 70), (41, 67)) if strand == "+" else ((41, 43), (44, 70))
    rows = [
        gtf("transcript", 21, 100, "g", "t", strand),
        gtf("CDS", *cds, "g", "t", strand, "0"),
        gtf("stop_codon", *stop, "g", "t", strand, "0"),
        gtf("5UTR", 21, 40, "g", "t", strand),
        gtf("3UTR", 71, 100, "g", "t", strand),
    ]
    (transcript,) = read(tmp_path, rows).genes[0].transcripts
    assert (transcript.exons, transcript.cds) == (((20, 100),), ((40, 70),))
    inside = [gtf("CDS", 41, 70, "g", "t", strand, "0"), gtf("stop_codon", *stop, "g", "t", strand, "0")]
    assert read(tmp_path, inside).genes[0].transcripts[0].cds == ((40, 70),)


@pytest.mark.parametrize("strand", ["+", "-"])
def test_a_stop_codon_that_an_intron_parts_joins_piece_by_piece(tmp_path: Path, strand: str) -> None:
    pieces = [(41, 69), (70, 70), (81, 82)] if strand == "+" else [(41, 42), (53, 53), (54, 82)]
    kinds = ["CDS", "stop_codon", "stop_codon"] if strand == "+" else ["stop_codon", "stop_codon", "CDS"]
    rows = [gtf(kind, *place, "g", "t", strand, "0") for kind, place in zip(kinds, pieces, strict=True)]
    (transcript,) = read(tmp_path, rows).genes[0].transcripts
    assert transcript.cds == (((40, 70), (80, 82)) if strand == "+" else ((40, 42), (52, 82)))


def test_the_gff3_of_augustus_gives_exons_of_coding_and_untranslated_parts(tmp_path: Path) -> None:
    rows = [
        "# start gene g1",
        row("gene", 1, 90, "ID=g1"),
        row("transcript", 1, 90, "ID=g1.t1;Parent=g1"),
        row("intron", 21, 40, "Parent=g1.t1"),
        row("CDS", 1, 20, "ID=g1.t1.cds;Parent=g1.t1", phase="1"),
        row("CDS", 41, 60, "ID=g1.t1.cds;Parent=g1.t1", phase="0"),
        row("stop_codon", 58, 60, "Parent=g1.t1", phase="0"),
        row("three_prime_utr", 61, 90, "ID=g1.t1.3UTR1;Parent=g1.t1"),
        "# protein sequence = [MK]",
    ]
    found = read(tmp_path, ["##gff-version 3", *rows])
    (transcript,) = found.genes[0].transcripts
    assert (transcript.exons, transcript.cds) == (((0, 20), (40, 90)), ((0, 20), (40, 60)))
    assert (transcript.phase, transcript.is_partial_start, transcript.is_partial_stop) == (1, True, False)
    assert found.unused == {"other_type": 1}


def test_cds_rows_alone_are_genes_with_missing_ends_as_prodigal_marks_them(tmp_path: Path) -> None:
    rows = [
        row("CDS", 1, 90, "ID=1_1;partial=10;start_type=Edge", phase="0", strand="-"),
        row("CDS", 101, 190, "ID=1_2;partial=00;start_type=ATG", phase="0"),
    ]
    first, second = read(tmp_path, rows).genes
    assert (first.gene_id, first.transcripts[0].cds, first.transcripts[0].exons) == ("1_1", ((0, 90),), ((0, 90),))
    assert (first.transcripts[0].is_partial_start, first.transcripts[0].is_partial_stop) == (False, True)
    assert (second.transcripts[0].is_partial_start, second.transcripts[0].is_partial_stop) == (False, False)


def test_genes_of_augustus_in_gff_with_bare_names_are_read(tmp_path: Path) -> None:
    rows = [
        row("gene", 1, 90, "g1"),
        row("transcript", 1, 90, "g1.t1"),
        gtf("CDS", 1, 90, "g1", "g1.t1", phase="0"),
    ]
    (gene,) = read(tmp_path, rows).genes
    assert [one.cds for one in gene.transcripts] == [((0, 90),)]


def test_cds_rows_under_transcripts_that_are_no_mrna_are_not_coding(tmp_path: Path) -> None:
    rows = [
        row("gene", 1, 90, "ID=g"),
        row("ncRNA", 1, 90, "ID=t;Parent=g"),
        row("CDS", 1, 20, "Parent=t", phase="0"),
        row("CDS", 51, 90, "Parent=t", phase="0"),
    ]
    (transcript,) = read(tmp_path, rows).genes[0].transcripts
    assert (transcript.exons, transcript.cds) == (((0, 20), (50, 90)), ())


def test_rows_that_several_transcripts_share_belong_to_each(tmp_path: Path) -> None:
    rows = [
        row("gene", 1, 90, "ID=g"),
        row("mRNA", 1, 90, "ID=t;Parent=g"),
        row("mRNA", 1, 60, "ID=u;Parent=g"),
        row("exon", 1, 20, "Parent=t,u"),
        row("exon", 51, 90, "Parent=t"),
        row("exon", 51, 60, "Parent=u"),
    ]
    assert structures(read(tmp_path, rows).genes)[0][4] == [(((0, 20), (50, 60)), ()), (((0, 20), (50, 90)), ())]


def test_types_of_transcripts_choose_transcripts_and_genes_span_those(tmp_path: Path) -> None:
    found = read(tmp_path, [*GFF3, row("tRNA", 5, 8, "ID=w;Parent=g"), row("exon", 5, 8, "Parent=w")], "mRNA")
    assert structures(found.genes) == EXPECTED[:1]
    assert found.left_out == {"no_transcript_of_these_types": 1}
    assert [gene.gene_id for gene in read(tmp_path, GFF3, "ncRNA").genes] == ["h"]


def test_cds_as_a_type_leaves_the_coding_part_of_every_gene(tmp_path: Path) -> None:
    found = read(tmp_path, GFF3, "CDS")
    assert structures(found.genes) == [
        ("c", 20, 70, "+", [(((20, 30), (50, 70)), ((20, 30), (50, 70))), (((40, 70),), ((40, 70),))])
    ]
    assert found.left_out == {"no_cds": 1}


@pytest.mark.parametrize(("kind", "asked"), [("transcript", "mRNA"), ("mRNA", "transcript")])
def test_where_a_file_has_only_one_of_mrna_and_transcript_the_other_means_it(
    tmp_path: Path, kind: str, asked: str
) -> None:
    rows = [row("gene", 1, 90, "ID=g"), row(kind, 1, 90, "ID=t;Parent=g"), row("CDS", 1, 90, "Parent=t", phase="0")]
    assert len(read(tmp_path, rows, asked).genes) == 1


def test_genes_of_other_biotypes_do_not_count(tmp_path: Path) -> None:
    found = read(tmp_path, GFF3, biotypes=("Protein_Coding",))
    assert ([gene.gene_id for gene in found.genes], found.left_out) == (["g"], {"other_biotype": 1})
    with pytest.raises(InputError, match="no gene of biotype lncRNA: the file has"):
        read(tmp_path, GFF3, biotypes=("lncRNA",))


def test_every_row_that_feeds_no_gene_is_counted_by_reason(tmp_path: Path) -> None:
    rows = [
        *GFF3,
        GFF3[2],
        row("region", 1, 500, "ID=r"),
        row("ncRNA_gene", 301, 360, "ID=n"),
        row("snoRNA", 301, 360, "ID=s;Parent=n"),
        row("exon", 301, 360, "Parent=s"),
        row("exon", 401, 460, "Parent=missing"),
        row("exon", 401, 460, "Note=nothing"),
        row("mRNA", 11, 100, "ID=empty;Parent=g"),
    ]
    found = read(tmp_path, rows)
    assert structures(found.genes) == EXPECTED
    assert found.unused == {
        "other_type": 2,
        "gene_of_other_type": 2,
        "parent_is_no_gene": 1,
        "without_a_name": 1,
        "repeated": 1,
        "transcript_without_parts": 1,
    }


def test_genes_are_cut_off_at_the_end_of_their_sequence_or_left_out(tmp_path: Path) -> None:
    rows = [
        row("gene", 4_901, 5_100, "ID=g", name="d"),
        row("CDS", 4_901, 4_950, "Parent=g", name="d", phase="0"),
        row("CDS", 4_991, 5_100, "Parent=g", name="d", phase="0"),
        row("gene", 5_001, 5_100, "ID=h", name="d"),
        row("gene", 1, 10, "ID=i", name="elsewhere"),
    ]
    found = read(tmp_path, rows)
    assert [(gene.start, gene.end, gene.transcripts[0].cds) for gene in found.genes] == [
        (4_900, 5_000, ((4_900, 4_950), (4_990, 5_000)))
    ]
    assert (found.left_out, found.unknown) == ({"past_the_end": 1, "unknown_sequence": 1}, ["elsewhere"])


def test_bed_of_twelve_columns_gives_exons_and_cds_and_of_six_a_span(tmp_path: Path) -> None:
    twelve = "c\t10\t100\tg\t900\t-\t20\t70\t0\t2\t20,50,\t0,40,"
    found = read(tmp_path, ["track name=x", twelve, "d\t5\t9\th\t0\t+"])
    assert structures(found.genes) == [
        ("c", 10, 100, "-", [(((10, 30), (50, 100)), ((20, 30), (50, 70)))]),
        ("d", 5, 9, "+", []),
    ]
    assert found.genes[0].score == 0.9
    without_cds = twelve.replace("\t20\t70\t", "\t10\t10\t")
    assert read(tmp_path, [without_cds]).genes[0].transcripts[0].cds == ()


@pytest.mark.parametrize("blocks", ["3\t20,50,\t0,40,", "2\t20,50\t0,41", "2\t20,50\t1,40", "2\t50,50\t0,40", "1\t\t"])
def test_blocks_that_do_not_fit_are_an_error_with_the_line(tmp_path: Path, blocks: str) -> None:
    with pytest.raises(InputError, match="line 2"):
        read(tmp_path, ["c\t1\t5", f"c\t10\t100\tg\t0\t-\t20\t70\t0\t{blocks}"])


@pytest.mark.parametrize("name", ["saccharomyces_cerevisiae/Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz"])
def test_genes_are_those_that_a_build_reads(data: Path, name: str) -> None:
    expected = annotation.read(data / name, ["gene"], []).genes
    found = reader.read(data / name, dict.fromkeys((gene.chromosome for gene in expected), 10**9))
    assert [(g.chromosome, g.start, g.end, g.strand, g.gene_id) for g in found.genes] == [
        (g.chromosome, g.start, g.end, g.strand, g.gene_id) for g in expected
    ]
    assert all(gene.transcripts for gene in found.genes)


def test_both_files_of_ensembl_have_the_same_coding_sequences(data: Path) -> None:
    """The GTF writes stop codons as rows of their own, the GFF3 within the CDS."""
    folder = data / "saccharomyces_cerevisiae"
    sets = []
    for name in ("Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz", "Saccharomyces_cerevisiae.R64-1-1.96.gtf.gz"):
        with gzip.open(folder / name, "rt") as stream:
            names = {line.split("\t")[0] for line in stream if not line.startswith("#")}
        found = reader.read(folder / name, dict.fromkeys(names, 10**9), Selection(("mRNA",)))
        sets.append({(gene.chromosome, gene.strand, one.cds) for gene in found.genes for one in gene.transcripts})
    assert len(sets[0]) > 6000
    assert sets[0] == sets[1]
