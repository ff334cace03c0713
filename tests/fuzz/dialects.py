"""The same genes as annotation programs and archives write them: GFF3, GTF and BED in their dialects.

A writer takes genes and gives the rows of each one, so that rows of several dialects can be mixed in one file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

LENGTHS = {"c1": 6000, "c2": 4000, "c3": 900}


@dataclass(frozen=True)
class Gene:
    """A gene of one transcript; coordinates are 0-based half-open.

    Attributes:
        chromosome: its sequence.
        strand: + or -.
        name: unique.
        biotype: of the gene.
        exons: start and end of each, ascending.
        transcripts: how many there are; all of them begin or end with the gene.
    """

    chromosome: str
    strand: str
    name: str
    biotype: str
    exons: tuple[tuple[int, int], ...]
    transcripts: int = 1

    @property
    def start(self) -> int:
        return self.exons[0][0]

    @property
    def end(self) -> int:
        return self.exons[-1][1]

    @property
    def position(self) -> tuple[str, int, int, str]:
        return self.chromosome, self.start, self.end, self.strand


def draw_genes(random: Random, lengths: dict[str, int] = LENGTHS) -> list[Gene]:
    """Genes that do not overlap, in the order of the sequences."""
    genes: list[Gene] = []
    for chromosome, length in lengths.items():
        position = random.randint(0, 200)
        while True:
            exons, start = [], position
            for _ in range(random.choice((1, 1, 2, 3, 5))):
                end = start + random.randint(3, 90)
                exons.append((start, end))
                start = end + random.randint(10, 60)
            if exons[-1][1] > length:
                break
            name, biotype = f"g{len(genes) + 1}", random.choice(("protein_coding", "lncRNA"))
            genes.append(
                Gene(chromosome, random.choice("+-"), name, biotype, tuple(exons), random.choice((1, 1, 2, 3)))
            )
            position = exons[-1][1] + random.randint(1, 300)
    return genes


def _row(gene: Gene, kind: str, start: int, end: int, attributes: str, source: str = "src", phase: str = ".") -> str:
    return "\t".join((gene.chromosome, source, kind, str(start + 1), str(end), ".", gene.strand, phase, attributes))


def _isoforms(gene: Gene) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    """Name and exons of each transcript: the first has all exons, the last ones lack those at the gene's end."""
    isoforms = [(f"{gene.name}.t{number}", gene.exons) for number in range(1, gene.transcripts + 1)]
    if len(gene.exons) > 1 and len(isoforms) > 1:
        isoforms[-1] = (isoforms[-1][0], gene.exons[:-1])
    return isoforms


def ensembl_gff3(gene: Gene) -> list[str]:
    """Ensembl's GFF3."""
    rows = [_row(gene, "gene", gene.start, gene.end, f"ID=gene:{gene.name};Name=N {gene.name};biotype={gene.biotype}")]
    for name, exons in _isoforms(gene):
        rows.append(
            _row(gene, "mRNA", exons[0][0], exons[-1][1], f"ID=transcript:{name};Parent=gene:{gene.name};biotype=x")
        )
        for kind in ("exon", "CDS"):
            rows += [_row(gene, kind, *exon, f"Parent=transcript:{name};rank=1", phase="0") for exon in exons]
    return [*rows, "###"]


def ncbi_gff3(gene: Gene) -> list[str]:
    """NCBI's GFF3."""
    described = f"ID=gene-{gene.name};Dbxref=GeneID:1;Name={gene.name};gbkey=Gene;gene={gene.name}"
    rows = [_row(gene, "gene", gene.start, gene.end, f"{described};gene_biotype={gene.biotype}", "RefSeq")]
    for name, exons in _isoforms(gene):
        rows.append(_row(gene, "mRNA", exons[0][0], exons[-1][1], f"ID=rna-{name};Parent=gene-{gene.name}", "RefSeq"))
        rows += [
            _row(gene, "exon", *exon, f"ID=exon-{name}-{number};Parent=rna-{name}", "RefSeq")
            for number, exon in enumerate(exons, 1)
        ]
    return rows


def prokka_gff3(gene: Gene) -> list[str]:
    """Prokka's GFF3 with genes."""
    return [
        _row(gene, "gene", gene.start, gene.end, f"ID={gene.name}_gene;locus_tag={gene.name}", "prokka"),
        _row(gene, "CDS", gene.start, gene.end, f"ID={gene.name};Parent={gene.name}_gene;product=a%3B b", "prokka"),
    ]


def _gtf(gene: Gene, transcript: str = "") -> str:
    text = f'gene_id "{gene.name}"; '
    return text + (f'transcript_id "{transcript}"; ' if transcript else "") + f'gene_biotype "{gene.biotype}";'


def ensembl_gtf(gene: Gene) -> list[str]:
    """Ensembl's GTF, with gene rows."""
    return [_row(gene, "gene", gene.start, gene.end, _gtf(gene)), *transcripts_gtf(gene)]


def transcripts_gtf(gene: Gene) -> list[str]:
    """GTF without gene rows, as StringTie and UCSC's genePredToGtf write it."""
    rows = []
    for name, exons in _isoforms(gene):
        rows.append(_row(gene, "transcript", exons[0][0], exons[-1][1], _gtf(gene, name)))
        rows += [_row(gene, "exon", *exon, _gtf(gene, name)) for exon in exons]
    return rows


def parts_gtf(gene: Gene) -> list[str]:
    """GTF of exons and CDS only, as GTF 2.2 has it."""
    return [
        _row(gene, kind, *exon, _gtf(gene, name))
        for name, exons in _isoforms(gene)
        for kind in ("exon", "CDS")
        for exon in exons
    ]


def braker_gtf(gene: Gene) -> list[str]:
    """BRAKER's and AUGUSTUS' GTF: gene and transcript rows hold a bare id."""
    rows = [_row(gene, "gene", gene.start, gene.end, gene.name, "AUGUSTUS")]
    for name, exons in _isoforms(gene):
        text = f'transcript_id "{name}"; gene_id "{gene.name}";'
        rows.append(_row(gene, "transcript", exons[0][0], exons[-1][1], name, "AUGUSTUS"))
        for exon in exons:
            rows += [_row(gene, kind, *exon, text, "AUGUSTUS") for kind in ("CDS", "exon")]
    return rows


def jgi_gff(gene: Gene) -> list[str]:
    """JGI's older GFF: exons and CDS of one transcript, with bare words for keys."""
    number = gene.name.removeprefix("g")
    return [
        _row(gene, kind, *exon, f'name "fgenesh1_{gene.name}"; {key} {number}', "JGI")
        for exon in gene.exons
        for kind, key in (("exon", "transcriptId"), ("CDS", "proteinId"))
    ]


def transcripts_gff3(gene: Gene) -> list[str]:
    """GFF3 whose transcripts name their gene by an attribute, without a row of the gene."""
    rows = []
    for name, exons in _isoforms(gene):
        text = f"ID={name};geneID={gene.name}"
        rows.append(_row(gene, "transcript", exons[0][0], exons[-1][1], text))
        rows += [_row(gene, "exon", *exon, f"Parent={name}") for exon in exons]
    return rows


Writer = Callable[[Gene], list[str]]
GFF3: dict[str, tuple[Writer, Callable[[Gene], str]]] = {
    "Ensembl GFF3": (ensembl_gff3, lambda gene: f"gene:{gene.name}"),
    "NCBI GFF3": (ncbi_gff3, lambda gene: f"gene-{gene.name}"),
    "Prokka GFF3": (prokka_gff3, lambda gene: f"{gene.name}_gene"),
    "GFF3 of transcripts": (transcripts_gff3, lambda gene: gene.name),
}
GTF: dict[str, tuple[Writer, Callable[[Gene], str]]] = {
    "Ensembl GTF": (ensembl_gtf, lambda gene: gene.name),
    "GTF of transcripts": (transcripts_gtf, lambda gene: gene.name),
    "GTF of exons and CDS": (parts_gtf, lambda gene: gene.name),
    "BRAKER's GTF": (braker_gtf, lambda gene: gene.name),
    "JGI's GFF": (jgi_gff, lambda gene: f"fgenesh1_{gene.name}"),
}
"""Name of a dialect to its writer and the id that a reader gives a gene."""


def gff3(genes: Iterable[Gene], write: Writer) -> str:
    """A GFF3 file."""
    regions = [f"##sequence-region {name} 1 {length}" for name, length in LENGTHS.items()]
    return "\n".join(["##gff-version 3", *regions, *(row for gene in genes for row in write(gene)), ""])


def gtf(genes: Iterable[Gene], writers: Sequence[Writer], random: Random) -> str:
    """A GTF file whose genes are written by any of the writers."""
    return "\n".join(["#!genome-build x", *(row for gene in genes for row in random.choice(writers)(gene)), ""])


def respelled(row: str, random: Random) -> str:
    """A row whose attributes are in another order, with other blanks and ends, and with a note."""
    columns = row.split("\t")
    if row.startswith("#") or len(columns) < 9 or ("=" not in columns[8] and ";" not in columns[8]):
        return row
    is_gff3 = "=" in columns[8]
    parts = [part.strip() for part in columns[8].split(";") if part.strip()]
    parts.append(random.choice(("Note=a%3B gene_id %22x%22", "Alias=x,y") if is_gff3 else ('note "x; y=z"', "level 2")))
    random.shuffle(parts)
    joint = random.choice((";", "; ") if is_gff3 else ("; ", ";", " ; "))
    columns[8] = joint.join(parts) + random.choice(("", ";"))
    return "\t".join(columns)


def bed(genes: Iterable[Gene], columns: int) -> str:
    """A BED file of 3, 4, 6 or 12 columns."""
    rows = []
    for gene in genes:
        sizes = ",".join(str(end - start) for start, end in gene.exons)
        starts = ",".join(str(start - gene.start) for start, _ in gene.exons)
        fields = [gene.chromosome, gene.start, gene.end, gene.name, 0, gene.strand, gene.start, gene.end]
        rows.append("\t".join(map(str, [*fields, "0,0,0", len(gene.exons), f"{sizes},", f"{starts},"][:columns])))
    return "\n".join(["track name=genes", *rows, ""])


def fasta(random: Random, lengths: dict[str, int] = LENGTHS) -> str:
    """A FASTA file of these sequences, in lines of 60."""
    lines = []
    for name, length in lengths.items():
        letters = "".join(random.choices("ACGTacgtN", weights=[9] * 4 + [3] * 4 + [1], k=length))
        lines += [f">{name} a description", *(letters[first : first + 60] for first in range(0, length, 60))]
    return "\n".join([*lines, ""])
