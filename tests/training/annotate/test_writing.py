from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipelines.gene_models import genetic_code, reader
from pipelines.gene_models.model import Gene, Spans, Transcript
from pipelines.gene_models.selection import Selection
from pipelines.genome.sequence import Bytes
from training.annotate import writing
from training.annotate.outputs import Counts, Outputs
from training.decoding.called import CalledGene

LETTERS = np.random.default_rng(2).choice(np.frombuffer(b"ACGT", np.uint8), 2000)
NAMES = ("c;1=a,b", "ünì%c&")
LENGTHS = dict.fromkeys(NAMES, 2000)
CODE = genetic_code.genetic_code(1)


def fetch(_: str, start: int, end: int) -> Bytes:
    return LETTERS[start:end]


def called(
    chromosome: str, strand: str, cds: Spans, support: float, exons: Spans | None = None, **ends: object
) -> CalledGene:
    transcript = Transcript("t", exons or cds, cds, score=support, **ends)  # type: ignore[arg-type]
    gene = Gene("g", chromosome, transcript.start, transcript.end, strand, (transcript,), None, support)
    return CalledGene(gene, support, tuple(0.5 + number / 100 for number in range(len(cds))))


GENES = [
    called(NAMES[0], "+", ((0, 100), (200, 300)), 0.75, phase=2, is_partial_start=True),
    called(NAMES[0], "-", ((400, 430), (500, 560), (700, 730)), 0.25, exons=((390, 430), (500, 560), (700, 800))),
    called(NAMES[1], "-", ((900, 960),), 0.9),
    called(NAMES[1], "+", ((1900, 2000),), 0.1, is_partial_stop=True),
]


def write(folder: Path, min_score: float = 0.0) -> tuple[Outputs, Counts]:
    outputs = Outputs.of(
        folder / "genes.gff3", gtf=folder / "genes.gtf", proteins=folder / "proteins.fa", cds=folder / "cds.fa"
    )
    return outputs, writing.write(outputs, GENES, LENGTHS, "raygene 0", fetch, CODE, min_score)


def test_counts_say_what_was_written(tmp_path: Path) -> None:
    _, counts = write(tmp_path, 0.2)
    assert counts == Counts({"+": 1, "-": 2}, 2, 1, 2, 1, 0, 380, 4000)


def test_a_gene_keeps_its_id_when_others_are_left_out(tmp_path: Path) -> None:
    def ids(folder: Path, min_score: float) -> list[str]:
        rows = write(folder, min_score)[0].gff3.read_text().splitlines()
        return [row.split("ID=")[1].split(";")[0] for row in rows if "\tgene\t" in row]

    assert ids(tmp_path / "all", 0) == [f"raygene_00000{number}" for number in (1, 2, 3, 4)]
    assert ids(tmp_path / "few", 0.5) == ["raygene_000001", "raygene_000003"]


def test_models_are_read_back_as_they_were_decoded(tmp_path: Path) -> None:
    outputs, _ = write(tmp_path)
    for path in (outputs.gff3, outputs.gtf):
        assert path is not None
        genes = reader.read(path, LENGTHS, Selection(())).genes
        assert [(gene.chromosome, gene.strand, gene.start, gene.end) for gene in genes] == [
            (one.gene.chromosome, one.gene.strand, one.gene.start, one.gene.end) for one in GENES
        ]
        for gene, one in zip(genes, GENES, strict=True):
            (transcript,), (decoded,) = gene.transcripts, one.gene.transcripts
            assert (transcript.exons, transcript.cds, transcript.phase) == (decoded.exons, decoded.cds, decoded.phase)


def test_rows_have_the_posterior_of_their_gene_and_of_their_coding_part(tmp_path: Path) -> None:
    rows = [row.split("\t") for row in write(tmp_path)[0].gff3.read_text().splitlines() if row[0] != "#"]
    second = [row for row in rows if "raygene_000002" in row[8]]
    assert {row[5] for row in second if row[2] in ("gene", "mRNA")} == {"0.2500"}
    assert [row[5] for row in second if row[2] == "CDS"] == ["0.5000", "0.5100", "0.5200"]
    assert {row[5] for row in second if row[2] in ("exon", "five_prime_UTR", "three_prime_UTR")} == {"."}


def test_files_that_are_not_requested_are_not_written(tmp_path: Path) -> None:
    writing.write(Outputs.of(tmp_path / "genes.gff3"), GENES, LENGTHS, "raygene 0", fetch, CODE, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["genes.gff3"]


def test_no_file_is_left_where_one_cannot_be_written(tmp_path: Path) -> None:
    def broken(name: str, start: int, end: int) -> Bytes:
        raise ValueError

    outputs = Outputs.of(tmp_path / "genes.gff3", proteins=tmp_path / "proteins.fa")
    with pytest.raises(ValueError):  # noqa: PT011
        writing.write(outputs, GENES, LENGTHS, "raygene 0", broken, CODE, 0)
    assert not list(tmp_path.iterdir())


def test_a_genome_without_genes_gives_files_without_rows(tmp_path: Path) -> None:
    outputs = Outputs.of(tmp_path / "genes.gff3", proteins=tmp_path / "proteins.fa")
    assert writing.write(outputs, [], LENGTHS, "raygene 0", fetch, CODE, 0) == Counts(bases=4000)
    assert all(line.startswith("#") for line in outputs.gff3.read_text().splitlines())
    assert (tmp_path / "proteins.fa").read_text() == ""


@pytest.mark.full
def test_gt_takes_the_gff3_and_gffread_reads_the_same_coding_sequences(tmp_path: Path) -> None:
    for program in ("gt", "gffread"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    outputs, _ = write(tmp_path)
    assert outputs.cds is not None
    validated = subprocess.run(["gt", "gff3validator", outputs.gff3], capture_output=True, text=True, check=False)
    assert "input is valid GFF3" in validated.stdout, validated.stderr
    fasta = tmp_path / "g.fa"
    text = LETTERS.tobytes().decode()
    # gffread compares names as they are written.
    names = [row.split()[1] for row in outputs.gff3.read_text().splitlines() if row.startswith("##sequence-region")]
    fasta.write_text("".join(f">{name}\n{text}\n" for name in names))
    subprocess.run(["gffread", outputs.gff3, "-g", fasta, "-x", tmp_path / "x.fa"], check=True, capture_output=True)

    def records(path: Path) -> dict[str, str]:
        parts = path.read_text().split(">")[1:]
        return {part.split()[0]: "".join(part.split("\n")[1:]) for part in parts}

    # gffread begins with the first whole codon.
    phases = {f"raygene_{number:06d}.t1": one.gene.transcripts[0].phase for number, one in enumerate(GENES, 1)}
    expected = {name: letters[phases[name] :] for name, letters in records(outputs.cds).items()}
    assert records(tmp_path / "x.fa") == expected
