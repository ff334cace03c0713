"""Writes windows of coding exons, introns and intergenic sequence of a genome as labelled sequences, a file a split.

    python examples/parts/make.py FASTA GFF3 FOLDER --train I --validation III --test II [--length 60] [--seed 0]

Every coding exon and every intron within a coding sequence that is long enough gives one window, at a random place in
it, as the gene reads. Introns of several transcripts count once. Intergenic windows touch no row of a gene, lie on a
random strand, and are as many as introns; exons are drawn to be as many. Windows with another letter than A, C, G and T
are left out. The same seed gives the same files.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.gene_models import reader
from pipelines.gene_models.model import Gene
from pipelines.genome import fasta, intervals
from pipelines.genome.fasta import Genome
from pipelines.genome.sequence import reverse_complement
from pipelines.progress import Silent

CLASSES = ("exon", "intron", "intergenic")
Place = tuple[str, int, int, str]
"""Chromosome, start, end (0-based half-open) and strand."""


def parts_of(genes: Sequence[Gene], kind: str) -> list[Place]:
    """The coding exons, or the introns between them, of all genes that have a strand, each once."""
    found: dict[Place, None] = {}
    for gene in genes:
        for transcript in gene.transcripts:
            spans = transcript.cds if kind == "exon" else transcript.coding_introns
            found |= {(gene.chromosome, start, end, gene.strand): None for start, end in spans if gene.strand in "+-"}
    return list(found)


def windows(places: Sequence[Place], length: int, generator: np.random.Generator) -> Iterator[Place]:
    """A window at a random place in each interval that is long enough."""
    for chromosome, start, end, strand in places:
        if end - start >= length:
            first = start + int(generator.integers(end - start - length + 1))
            yield chromosome, first, first + length, strand


def intergenic(
    genes: Sequence[Gene], lengths: dict[str, int], length: int, count: int, generator: np.random.Generator
) -> Iterator[Place]:
    """Windows side by side between genes, drawn at random, on random strands."""
    found: list[Place] = []
    for chromosome, bases in lengths.items():
        bounds = [gene.extent for gene in genes if gene.chromosome == chromosome]
        merged = intervals.merge(np.array(bounds, np.int64).reshape(-1, 2))
        for start, end in intervals.gaps(merged, bases).tolist():
            found += [(chromosome, first, first + length, "+") for first in range(start, end - length + 1, length)]
    for place in sorted(generator.permutation(len(found))[:count].tolist()):
        chromosome, start, end, _ = found[place]
        yield chromosome, start, end, "+-"[int(generator.integers(2))]


def letters(genome: Genome, place: Place) -> str | None:
    """The bases of a window on its strand; None with another letter than A, C, G and T."""
    chromosome, start, end, strand = place
    bases: NDArray[np.uint8] = genome.sequence(chromosome, start, end) & np.uint8(0xDF)
    text = (reverse_complement(bases) if strand == "-" else bases).tobytes().decode("ascii")
    return text if set(text) <= set("ACGT") else None


def write_split(genome: Genome, genes: Sequence[Gene], names: Sequence[str], path: Path, length: int, seed: int) -> str:
    """Write the windows of some chromosomes as CSV, as many of each class; return a line that counts them."""
    generator = np.random.default_rng([seed, *path.stem.encode()])
    own = [gene for gene in genes if gene.chromosome in names]
    lengths = {name: genome.lengths[name] for name in names}
    sequences: dict[str, list[tuple[str, str]]] = {}
    for kind in ("intron", "exon"):
        sequences[kind] = list(_sequences(genome, windows(parts_of(own, kind), length, generator)))
    count = len(sequences["intron"])
    sequences["intergenic"] = list(_sequences(genome, intergenic(own, lengths, length, count, generator)))
    count = min(map(len, sequences.values()))
    lines = ["name,sequence,label"]
    for kind in CLASSES:
        chosen = np.sort(generator.permutation(len(sequences[kind]))[:count]).tolist()
        lines += [f"{name},{text},{kind}" for name, text in (sequences[kind][number] for number in chosen)]
    path.write_text("\n".join(lines) + "\n")
    return f"{path}: {count:,} of each class"


def _sequences(genome: Genome, places: Iterator[Place]) -> Iterator[tuple[str, str]]:
    for place in places:
        if (text := letters(genome, place)) is not None:
            chromosome, start, end, strand = place
            yield f"{chromosome}:{start}-{end}({strand})", text


def main() -> None:
    """Parse the command line, and write the three files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fasta", type=Path)
    parser.add_argument("annotation", type=Path)
    parser.add_argument("folder", type=Path)
    for split in ("train", "validation", "test"):
        parser.add_argument(f"--{split}", nargs="+", required=True, metavar="CHROMOSOME")
    parser.add_argument("--length", type=int, default=60, help="bases of a window (default 60)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    genome = fasta.open_genome("genome", arguments.fasta, Silent())
    genes = reader.read(arguments.annotation, genome.lengths).genes
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        path = arguments.folder / f"{split}.csv"
        print(write_split(genome, genes, getattr(arguments, split), path, arguments.length, arguments.seed))


if __name__ == "__main__":
    main()
