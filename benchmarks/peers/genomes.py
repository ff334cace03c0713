"""The genomes on which gene finders are compared: their files, and what is held out for the comparison."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.genome import fasta
from pipelines.genome.fasta import Genome
from pipelines.progress import Silent

LINE = 60


@dataclass(frozen=True)
class HeldOut:
    """A sequence from a 0-based base to its end: that is not trained on."""

    chromosome: str
    start: int = 0


@dataclass(frozen=True)
class BenchmarkGenome:
    """One genome of the comparison.

    Attributes:
        name: as its results are called.
        species: Latin name.
        folder, fasta, annotation: its files below `RAYGENE_DATA`.
        experiment: configuration of raygene's model, below `examples/`.
        augustus: the species of AUGUSTUS' built-in parameters.
        test: what is held out.
    """

    name: str
    species: str
    folder: str
    fasta: str
    annotation: str
    experiment: str
    augustus: str
    test: tuple[HeldOut, ...]

    def files(self, data: Path) -> tuple[Path, Path]:
        """FASTA and annotation below a data folder."""
        return data / self.folder / self.fasta, data / self.folder / self.annotation


GENOMES = {
    genome.name: genome
    for genome in (
        BenchmarkGenome(
            "cerevisiae",
            "S. cerevisiae",
            "saccharomyces_cerevisiae",
            "Saccharomyces_cerevisiae.R64-1-1.dna.toplevel.fa.gz",
            "Saccharomyces_cerevisiae.R64-1-1.99.gff3.gz",
            "scan/cerevisiae.yaml",
            "saccharomyces_cerevisiae_S288C",
            (HeldOut("IV"), HeldOut("VIII"), HeldOut("XV")),
        ),
        BenchmarkGenome(
            "pombe",
            "S. pombe",
            "schizosaccharomyces_pombe",
            "Schizosaccharomyces_pombe.ASM294v2.dna.toplevel.fa.gz",
            "derived_names_matched.gff3.gz",
            "scan/pombe.yaml",
            "schizosaccharomyces_pombe",
            (HeldOut("III"),),
        ),
        BenchmarkGenome(
            "arabidopsis",
            "A. thaliana",
            "arabidopsis_thaliana_chr1",
            "AthaTAIR10_chr1_GCF_000001735.4_TAIR10.1_genomic.fna.gz",
            "AthaTAIR10_chr1.gff.gz",
            "scan/arabidopsis.yaml",
            "arabidopsis",
            (HeldOut("NC_003070.9", 24_000_000),),
        ),
    )
}


def opened(genome: BenchmarkGenome, data: Path) -> Genome:
    """The genome's FASTA file, indexed."""
    return fasta.open_genome(genome.name, genome.files(data)[0], Silent())


def write_fasta(path: Path, sequences: Mapping[str, str]) -> None:
    """Write sequences, given as name to letters."""
    with path.open("w") as stream:
        for name, letters in sequences.items():
            stream.write(f">{name}\n")
            stream.writelines(f"{letters[at : at + LINE]}\n" for at in range(0, len(letters), LINE))


def write_test_sequences(genome: BenchmarkGenome, sequences: Genome, path: Path) -> int:
    """Write the held-out sequence alone, letter case kept; return its bases.

    What is held out of a chromosome from a base on becomes a sequence with the chromosome's name: see `moved_back`.
    """
    parts = {part.chromosome: _letters(sequences, part.chromosome, part.start) for part in genome.test}
    write_fasta(path, parts)
    return sum(map(len, parts.values()))


def training_sequences(genome: BenchmarkGenome, sequences: Genome) -> dict[str, str]:
    """Name to letters of what is not held out."""
    held_out = {part.chromosome: part.start for part in genome.test}
    parts = {name: _letters(sequences, name, 0, held_out.get(name)) for name in sequences.lengths}
    return {name: letters for name, letters in parts.items() if letters}


def _letters(sequences: Genome, chromosome: str, start: int, end: int | None = None) -> str:
    last = sequences.lengths[chromosome] if end is None else end
    return sequences.sequence(chromosome, start, last).tobytes().decode()


def moved_back(genome: BenchmarkGenome, rows: Iterable[str]) -> Iterator[str]:
    """Rows of a GFF file on the held-out sequence, in coordinates of the whole chromosomes; comments are left out."""
    starts = {part.chromosome: part.start for part in genome.test}
    for row in rows:
        if row.startswith("#") or not row.strip():
            continue
        columns = row.split("\t")
        columns[3:5] = [str(int(column) + starts[columns[0]]) for column in columns[3:5]]
        yield "\t".join(columns)


def coding_rows(rows: list[str]) -> Iterator[str]:
    """The rows of protein-coding genes in a GFF3 file: each mRNA with a CDS, its gene, and its parts.

    CDS rows below anything else than an mRNA (pseudogenes, transposons, transcripts of other kinds) are no genes that
    a gene finder should call.
    """
    features = [row for row in rows if not row.startswith("#") and row.count("\t") == 8]
    columns = [row.rstrip("\n").split("\t") for row in features]
    names = [dict(part.split("=", 1) for part in row[8].split(";") if "=" in part) for row in columns]
    parents = [set(name.get("Parent", "").split(",")) for name in names]
    with_cds = set().union(*(parent for row, parent in zip(columns, parents, strict=True) if row[2] == "CDS"))
    transcripts = {name["ID"] for row, name in zip(columns, names, strict=True) if row[2] == "mRNA"} & with_cds
    genes = set().union(*(parent for name, parent in zip(names, parents, strict=True) if name.get("ID") in transcripts))
    for row, name, parent in zip(features, names, parents, strict=True):
        if name.get("ID") in transcripts | genes or parent & transcripts:
            yield row


def write_coding_genes(genome: BenchmarkGenome, data: Path, path: Path) -> None:
    """Write the annotation's protein-coding genes as GFF3."""
    with gzip.open(genome.files(data)[1], "rt") as stream:
        rows = stream.readlines()
    path.write_text("##gff-version 3\n" + "".join(coding_rows(rows)))
