"""What is known is read back: genes in every dialect, BED as bedtools reads it, FASTA as pyfaidx reads it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from random import Random

import pybedtools
import pyfaidx
import pytest

from pipelines.config import NegativesConfig, SourceConfig
from pipelines.genome import annotation, bed, fasta
from pipelines.genome.source import Source, read_source
from pipelines.progress import Silent
from tests.fuzz import dialects
from tests.fuzz.harness import written

ONE_BY_ONE = [(name, number) for name in [*dialects.GFF3, *dialects.GTF] for number in range(4)]


def source_of(folder: Path, text: str, fasta_text: str = dialects.fasta(Random(2))) -> Source:
    files = {"fasta": fasta_text, "annotation": text}
    config = {key: str(written(folder, f"{key}.txt", content.encode())) for key, content in files.items()}
    return read_source(SourceConfig(genome="g", **config), NegativesConfig(), Silent())


def assert_read_back(source: Source, genes: list[dialects.Gene]) -> None:
    read = {(gene.chromosome, gene.start, gene.end, gene.strand) for on in source.genes.values() for gene in on}
    assert read == {gene.position for gene in genes}
    assert source.features == len(genes)
    assert source.dropped.total() == 0


@pytest.mark.parametrize(("name", "number"), ONE_BY_ONE)
def test_genes_of_one_dialect_are_read_back(name: str, number: int, tmp_path: Path) -> None:
    random = Random(f"{name}/{number}")
    genes = dialects.draw_genes(random)
    write, identify = (dialects.GFF3 | dialects.GTF)[name]
    text = dialects.gff3(genes, write) if name in dialects.GFF3 else dialects.gtf(genes, [write], random)
    source = source_of(tmp_path, text)
    assert_read_back(source, genes)
    read = {(gene.chromosome, gene.start): gene for on_sequence in source.genes.values() for gene in on_sequence}
    for gene in genes:
        assert read[gene.chromosome, gene.start].gene_id == identify(gene)


@pytest.mark.parametrize("number", range(12))
def test_genes_of_any_dialects_in_one_file_are_read_back(number: int, tmp_path: Path) -> None:
    random = Random(number)
    genes = dialects.draw_genes(random)
    writers = [write for write, _ in dialects.GTF.values()]
    assert_read_back(source_of(tmp_path, dialects.gtf(genes, random.sample(writers, 3), random)), genes)


@pytest.mark.parametrize("number", range(6))
def test_genes_are_read_back_from_rows_in_any_order(number: int, tmp_path: Path) -> None:
    random = Random(number)
    genes = dialects.draw_genes(random)
    write, _ = (dialects.GFF3 | dialects.GTF)[random.choice([*dialects.GFF3, *dialects.GTF])]
    rows = [row for gene in genes for row in write(gene) if not row.startswith("#")]
    random.shuffle(rows)
    assert_read_back(source_of(tmp_path, "\n".join(rows)), genes)


@pytest.mark.parametrize("number", range(16))
def test_genes_are_read_back_from_attributes_in_any_spelling(number: int, tmp_path: Path) -> None:
    random = Random(number)
    genes = dialects.draw_genes(random)
    write, _ = random.choice([*(dialects.GFF3 | dialects.GTF).values()])
    rows = [dialects.respelled(row, random) for gene in genes for row in write(gene)]
    assert_read_back(source_of(tmp_path, "\n".join(rows)), genes)


@pytest.mark.parametrize("number", range(4))
def test_one_gene_id_at_two_far_loci_is_two_genes(number: int, tmp_path: Path) -> None:
    random = Random(number)
    write, _ = random.choice([dialects.GTF["GTF of transcripts"], dialects.GTF["GTF of exons and CDS"]])
    genes = [gene for gene in dialects.draw_genes(random) if gene.transcripts == 1 and gene.chromosome == "c1"]
    copies = [replace(gene, name=f"copy{index // 2}") for index, gene in enumerate([genes[0], genes[-1]])]
    rows = [
        row.replace('transcript_id "', f'transcript_id "{index}_')
        for index, gene in enumerate(copies)
        for row in write(gene)
    ]
    others = [row for gene in genes[1:-1] for row in write(gene)]
    assert_read_back(source_of(tmp_path, "\n".join([*rows, *others])), genes)


@pytest.mark.parametrize("number", range(4))
def test_files_with_sequences_that_were_joined_are_read_to_their_ends(number: int, tmp_path: Path) -> None:
    random = Random(number)
    genes, letters = dialects.draw_genes(random), dialects.fasta(random)
    write, _ = random.choice([*dialects.GFF3.values()])
    parts = [[gene for gene in genes if gene.chromosome in names] for names in (("c1", "c3"), ("c2",))]
    text = "".join(f"{dialects.gff3(part, write)}##FASTA\n{letters}" for part in parts)
    assert_read_back(source_of(tmp_path, text, letters), genes)


@pytest.mark.parametrize("number", range(4))
def test_a_bed_file_of_genes_is_read_back(number: int, tmp_path: Path) -> None:
    genes = dialects.draw_genes(Random(number))
    assert_read_back(source_of(tmp_path, dialects.bed(genes, 6)), genes)
    assert_read_back(source_of(tmp_path, dialects.bed(genes, 12)), genes)


@pytest.mark.parametrize("number", range(8))
def test_intervals_are_those_that_bedtools_reads(number: int, tmp_path: Path) -> None:
    random, rows = Random(number), []
    # bedtools refuses a file whose rows have different numbers of columns.
    columns = random.choice((3, 4, 6, 12))
    for line in dialects.bed(dialects.draw_genes(random), columns).splitlines():
        rows.append(line)
        if random.random() < 0.2:
            rows.append(random.choice(("# note", "", "browser position c1:1-9", "track name=x description=y")))
    end = random.choice(("\n", "\r\n"))
    path = written(tmp_path, "i.bed", (end.join(rows) + random.choice((end, ""))).encode())
    if number % 3 == 0:
        path = written(tmp_path, "i.bed.gz", gzip.compress(path.read_bytes()))
    expected = [(row.chrom, row.start, row.end, row.strand) for row in pybedtools.BedTool(str(path))]
    read = bed.read_intervals(path, ["gene"])
    assert [(row.chromosome, row.start, row.end, row.strand) for row in read] == expected
    assert annotation.format_of(path) == "BED"


@pytest.mark.parametrize("number", range(12))
def test_letters_are_those_that_pyfaidx_reads(number: int, tmp_path: Path) -> None:
    random = Random(number)
    end, parts = random.choice(("\n", "\r\n")), []
    for name in range(random.randint(1, 6)):
        length, width = random.choice((1, 2, 59, 60, 61, 4096, 9001)), random.choice((1, 2, 60, 61, 4095, 10_000))
        letters = "".join(random.choices("ACGTNacgtnRYKM", k=length))
        lines = [letters[first : first + width] for first in range(0, length, width)]
        parts += [f">s{name} some words", *lines]
    path = written(tmp_path, "g.fa", (end.join(parts) + random.choice((end, ""))).encode())
    genome, expected = fasta.open_genome("g", path, Silent()), pyfaidx.Fasta(str(path), as_raw=True)
    assert genome.lengths == {name: len(expected[name]) for name in expected.keys()}  # noqa: SIM118
    for name, length in genome.lengths.items():
        for _ in range(20):
            start = random.randrange(length)
            stop = random.randint(start + 1, length)
            assert genome.sequence(name, start, stop).tobytes().decode() == expected[name][start:stop]
        assert genome.sequence(name, 0, length).tobytes().decode() == expected[name][:]
    genome.close()
