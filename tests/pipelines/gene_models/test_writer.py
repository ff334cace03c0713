from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipelines.gene_models import coding, genetic_code, writer
from pipelines.gene_models.model import Gene, Spans, Transcript
from pipelines.genome import sequence

CODE = genetic_code.genetic_code(1)


def gene(strand: str, cds: Spans, **values: object) -> Gene:
    exons = values.pop("exons", cds)
    transcript = Transcript("g1.t1", exons, cds, **values)  # type: ignore[arg-type]
    return Gene("g1", "chr 1", exons[0][0], exons[-1][1], strand, (transcript,))  # type: ignore[index]


def columns(text: str, kind: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines() if line.split("\t")[2] == kind]


def test_gff3_counts_from_one_and_gives_phases_in_reading_direction() -> None:
    forward = columns(writer.gff3(gene("+", ((10, 20), (30, 41)))), "CDS")
    assert [(row[3], row[4], row[7]) for row in forward] == [("11", "20", "0"), ("31", "41", "2")]
    reverse = columns(writer.gff3(gene("-", ((10, 20), (30, 41)))), "CDS")
    assert [(row[3], row[4], row[7]) for row in reverse] == [("11", "20", "1"), ("31", "41", "0")]
    assert {row[8] for row in reverse} == {"ID=g1.t1.cds;Parent=g1.t1"}


def test_exons_are_numbered_in_reading_direction() -> None:
    rows = columns(writer.gff3(gene("-", ((10, 20), (30, 41)))), "exon")
    assert [row[8].split(";")[0] for row in rows] == ["ID=g1.t1.exon2", "ID=g1.t1.exon1"]


def test_a_missing_end_is_marked_on_every_row_that_lacks_it_as_ncbi_does() -> None:
    text = writer.gff3(gene("-", ((0, 20), (30, 41)), is_partial_stop=True))
    marked = [line.split("\t")[2:4] for line in text.splitlines() if "partial=true;start_range=.,1" in line]
    assert marked == [["gene", "1"], ["mRNA", "1"], ["exon", "1"], ["CDS", "1"]]
    assert "end_range" not in text
    text = writer.gff3(gene("-", ((0, 20), (30, 41)), is_partial_start=True, phase=1))
    assert text.count("partial=true;end_range=41,.") == 4
    assert "start_range" not in text


def test_names_that_gff3_does_not_allow_are_escaped() -> None:
    model = Gene("a;b=c,d\t", "chr 1", 0, 9, "+")
    assert writer.gff3(model) == "chr%201\traygene\tgene\t1\t9\t.\t+\t.\tID=a%3Bb%3Dc%2Cd%09\n"


def test_exonic_bases_outside_the_cds_are_utrs_numbered_in_reading_direction() -> None:
    model = gene("-", ((15, 20), (30, 34)), exons=((10, 20), (30, 36), (40, 50)))
    rows = columns(writer.gff3(model), "five_prime_UTR")
    assert [(row[3], row[4], row[8].split(";")[0]) for row in rows] == [
        ("35", "36", "ID=g1.t1.5utr2"),
        ("41", "50", "ID=g1.t1.5utr1"),
    ]
    assert [row[3:5] for row in columns(writer.gff3(model), "three_prime_UTR")] == [["11", "15"]]
    assert [row[3:5] for row in columns(writer.gtf(model), "five_prime_utr")] == [["35", "36"], ["41", "50"]]
    assert [row[3:5] for row in columns(writer.gtf(model), "three_prime_utr")] == [["11", "15"]]


def test_a_model_without_untranslated_bases_has_no_utr() -> None:
    assert "UTR" not in writer.gff3(gene("+", ((10, 20), (30, 35))))


def test_parts_of_a_cds_have_the_scores_given_for_them() -> None:
    rows = columns(writer.gff3(gene("-", ((10, 20), (30, 41)), score=0.25), cds_scores=[(0.5, 0.75)]), "CDS")
    assert [(row[3], row[5]) for row in rows] == [("11", "0.5000"), ("31", "0.7500")]


def test_a_transcript_that_codes_for_nothing_is_no_mrna() -> None:
    assert not columns(writer.gff3(gene("+", (), exons=((3, 9),))), "mRNA")
    assert len(columns(writer.gff3(gene("+", (), exons=((3, 9),))), "transcript")) == 1


def test_gtf_leaves_the_stop_codon_out_of_the_cds_even_where_an_intron_splits_it() -> None:
    text = writer.gtf(gene("+", ((10, 20), (30, 31))))
    spans = {kind: [(row[3], row[4]) for row in columns(text, kind)] for kind in ("CDS", "start_codon", "stop_codon")}
    assert spans == {
        "CDS": [("11", "18")],
        "start_codon": [("11", "13")],
        "stop_codon": [("19", "20"), ("31", "31")],
    }


def test_gtf_marks_a_missing_start_by_a_tag_and_has_no_start_codon() -> None:
    text = writer.gtf(gene("-", ((10, 21),), is_partial_start=True, phase=2))
    assert not columns(text, "start_codon")
    assert [(row[3], row[4], row[7]) for row in columns(text, "CDS")] == [("14", "21", "2")]
    assert columns(text, "stop_codon")[0][3:5] == ["11", "13"]
    assert 'tag "cds_start_NF";' in columns(text, "CDS")[0][8]


def test_fasta_has_lines_of_eighty_letters() -> None:
    assert writer.fasta("a", "b c", "M" * 81) == f">a b c\n{'M' * 80}\nM\n"
    assert writer.fasta("a", "", "MK") == ">a\nMK\n"


@pytest.mark.full
def test_gt_takes_the_gff3_and_gffread_reads_the_same_proteins_from_it(tmp_path: Path) -> None:
    for program in ("gt", "gffread"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    generator = np.random.default_rng(0)
    letters = generator.choice(np.frombuffer(b"ACGTACGTACGTACGTACGTACGTNRYSWKM", np.uint8), 3_000)
    models, proteins = [], {}
    for number in range(60):
        strand, start = "+-"[number % 2], 45 * number
        cds = ((start, start + 13), (start + 20, start + 31))
        transcript = Transcript(f"t{number}", cds, cds, number % 3, is_partial_start=True, is_partial_stop=True)
        models.append(Gene(f"g{number}", "c", start, start + 31, strand, (transcript,)))
        read = coding.coding_letters(models[-1], transcript, lambda _, first, last: letters[first:last])
        # gffread leaves out a stop at the end whether the end is missing or not.
        protein = CODE.protein(read[transcript.phase :], has_start=False, has_stop=False)
        proteins[f"t{number}"] = protein.removesuffix("*")
    gff3, fasta = tmp_path / "g.gff3", tmp_path / "g.fa"
    gff3.write_text("".join([*writer.gff3_header({"c": len(letters)}), *map(writer.gff3, models)]))
    fasta.write_text(writer.fasta("c", "", letters.tobytes().decode()))
    assert "valid" in subprocess.run(["gt", "gff3validator", gff3], capture_output=True, text=True, check=True).stdout
    subprocess.run(["gffread", gff3, "-g", fasta, "-S", "-y", tmp_path / "y.fa"], check=True, capture_output=True)
    records = (tmp_path / "y.fa").read_text().split(">")[1:]
    # gffread knows B and Z on the forward strand alone.
    either = str.maketrans("BZ", "XX")
    written = {record.split()[0]: "".join(record.split()[1:]).translate(either) for record in records}
    assert written == {name: protein.translate(either) for name, protein in proteins.items()}


def test_the_letters_of_a_cds_are_read_in_its_direction() -> None:
    letters = np.frombuffer(b"AACCGGTTAC", np.uint8)
    model = gene("-", ((1, 3), (5, 8)))
    read = coding.coding_letters(model, model.transcripts[0], lambda _, first, last: letters[first:last])
    assert read.tobytes() == b"AACGT"
    assert sequence.reverse_complement(read).tobytes() == b"ACGTT"
