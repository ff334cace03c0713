"""Writes a made-up genome with the names, proportions, masking, gaps and GFF3 of maize B73, of any size.

    python examples/maize/look_alike.py FOLDER [--scale 0.001] [--seed 0] [--hard | --capitals]

Repeats are copies of a few hundred made-up elements, so k-mers recur as they do in maize. The bases themselves mean
nothing: exons, introns, repeats and the rest differ in GC content only. The same scale and seed give the same bases
whatever the masking. It writes 50 Mb a second; memory is some eight times the longest chromosome.
"""

from __future__ import annotations

import argparse
import errno
import gzip
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ASSEMBLY = "Zm-B73-REFERENCE-NAM-5.0"
ANNOTATION = f"{ASSEMBLY}_Zm00001eb.1.gff3.gz"
FASTA = {
    "soft": f"Zea_mays.{ASSEMBLY}.dna_sm.toplevel.fa.gz",
    "hard": f"Zea_mays.{ASSEMBLY}.dna_rm.toplevel.fa.gz",
    "none": f"{ASSEMBLY}.fa.gz",
}
CHROMOSOMES = (
    308_452_471,
    243_675_191,
    238_017_767,
    250_330_460,
    226_353_449,
    181_357_234,
    185_808_916,
    182_411_202,
    163_004_744,
    152_435_371,
)
SCAFFOLD_BASES, SCAFFOLD = 50_000_000, 75_000
GENES_PER_MEGABASE = 18
MEDIAN_GENE, GENE_SPREAD = 4_000, 0.9
REPEAT, FREE = 6_000, 1_060
ELEMENTS, ELEMENT, MUTATED = 300, 9_000, 0.03
LONG_INTRON, INTRON_EDGE = 1_000, 300
GAP_EVERY = 2_000_000
LINE = 60

Masking = Literal["soft", "hard", "none"]
Bytes = NDArray[np.uint8]
Intervals = NDArray[np.int64]


@dataclass
class Sequence:
    """A chromosome or scaffold.

    Attributes:
        name: in Ensembl's FASTA.
        bases: capitals, shape (length,).
        masked: whether a base lies in a repeat, shape (length,).
        gaps: runs of N that stand for unknown sequence, shape (gaps, 2).
        genes: exons of each gene, shape (exons, 2) each.
    """

    name: str
    bases: Bytes
    masked: NDArray[np.bool_]
    gaps: Intervals
    genes: list[Intervals]


@dataclass
class Written:
    """What was written.

    Attributes:
        fasta, annotation: the files.
        lengths: bases of every sequence by its name in the FASTA file.
        genes: genes of every sequence.
        gaps: gaps of every sequence, shape (gaps, 2) each.
        masked: bases in repeats, over all sequences.
    """

    fasta: Path
    annotation: Path
    lengths: dict[str, int] = field(default_factory=dict)
    genes: dict[str, int] = field(default_factory=dict)
    gaps: dict[str, Intervals] = field(default_factory=dict)
    masked: int = 0


def write(folder: Path, scale: float = 0.001, seed: int = 0, masking: Masking = "soft") -> Written:
    """Write a FASTA and a GFF3 file, named as Ensembl Plants and MaizeGDB name them.

    Raises:
        FileExistsError: one of the files exists.
    """
    written = Written(folder / FASTA[masking], folder / ANNOTATION)
    for path in (written.fasta, written.annotation):
        if path.exists():
            raise FileExistsError(errno.EEXIST, "exists already", str(path))
    folder.mkdir(parents=True, exist_ok=True)
    with packed(written.annotation) as rows, packed(written.fasta) as stream:
        rows.write(b"##gff-version 3\n")
        number = 0
        for record in sequences(scale, seed):
            kind = "chromosome" if record.name.isdigit() else "scaffold"
            name = f"chr{record.name}" if kind == "chromosome" else record.name
            shown = name if masking == "none" else record.name
            header = f"{kind}:{ASSEMBLY}:{record.name}:1:{len(record.bases)}:1"
            about = "" if masking == "none" else f" dna_{'sm' if masking == 'soft' else 'rm'}:{kind} {header} REF"
            stream.write(f">{shown}{about}\n".encode())
            stream.write(lines(as_masked(record, masking)))
            rows.write(
                row(name, "assembly", kind, (0, len(record.bases)), ".", f"ID={record.name};Name={header}").encode()
            )
            strands = np.random.default_rng([seed, 2, len(written.lengths)]).choice(["+", "-"], len(record.genes))
            for exons, strand in zip(record.genes, strands, strict=True):
                number += 10
                rows.write("".join(gene_rows(name, f"Zm00001eb{number:06d}", exons, str(strand))).encode())
            written.lengths[shown], written.genes[shown] = len(record.bases), len(record.genes)
            written.gaps[shown] = record.gaps
            written.masked += int(record.masked.sum())
    return written


@contextmanager
def packed(path: Path) -> Iterator[gzip.GzipFile]:
    """A new gzip file without name and date in it, so that the bytes repeat."""
    with path.open("xb") as file, gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as stream:
        yield stream


def sequences(scale: float, seed: int) -> Iterator[Sequence]:
    """The chromosomes in order, then the scaffolds."""
    generator = np.random.default_rng([seed, 0])
    elements = letters(generator, ELEMENTS * ELEMENT, 0.47).reshape(ELEMENTS, ELEMENT)
    scaffolds = max(3, round(SCAFFOLD_BASES * scale / SCAFFOLD))
    named = [(str(number), round(bases * scale)) for number, bases in enumerate(CHROMOSOMES, 1)]
    named += [(f"scaf_{20 + number}", round(SCAFFOLD_BASES * scale / scaffolds)) for number in range(1, scaffolds + 1)]
    for number, (name, length) in enumerate(named):
        yield sequence(np.random.default_rng([seed, 1, number]), name, length, elements)


def sequence(generator: np.random.Generator, name: str, length: int, elements: Bytes) -> Sequence:
    """A sequence with repeats, genes and, on a chromosome, gaps between genes."""
    bases, masked = letters(generator, length, 0.43), np.zeros(length, np.bool_)
    for start, end in repeats(generator, length):
        bases[start:end] = copy_of(generator, elements, end - start)
        masked[start:end] = True
    genes = [gene(generator, start, end) for start, end in spans(generator, length)]
    for exons in genes:
        start, end = exons[0, 0], exons[-1, 1]
        bases[start:end], masked[start:end] = letters(generator, end - start, 0.38), False
        for first, last in exons:
            bases[first:last] = letters(generator, last - first, 0.55)
        for first, last in zip(exons[:-1, 1], exons[1:, 0], strict=True):
            if last - first > LONG_INTRON:
                first, last = first + INTRON_EDGE, last - INTRON_EDGE
                bases[first:last], masked[first:last] = copy_of(generator, elements, last - first), True
    gaps = gaps_between(generator, genes, length) if name.isdigit() else np.empty((0, 2), np.int64)
    for start, end in gaps:
        bases[start:end], masked[start:end] = ord("N"), False
    return Sequence(name, bases, masked, gaps, genes)


def letters(generator: np.random.Generator, count: int, gc: float) -> Bytes:
    """Random bases of a GC content, shape (count,)."""
    strong = round(gc * 128)
    table = np.repeat(np.frombuffer(b"GCAT", np.uint8), [strong, strong, 128 - strong, 128 - strong])
    drawn: Bytes = table[generator.integers(0, 256, count, np.uint8)]
    return drawn


def repeats(generator: np.random.Generator, length: int) -> Iterator[tuple[int, int]]:
    """Repeats and what lies between them, of exponential lengths: 85 % of a sequence."""
    end = 0
    while True:
        start = end + int(generator.exponential(FREE))
        end = start + 50 + int(generator.exponential(REPEAT))
        if end >= length:
            return
        yield start, end


def copy_of(generator: np.random.Generator, elements: Bytes, length: int) -> Bytes:
    """A stretch of repeats: pieces of elements end to end, with some bases changed, shape (length,)."""
    pieces, missing = [], int(length)
    while missing > 0:
        size = min(missing, int(generator.integers(200, ELEMENT)))
        start = int(generator.integers(0, ELEMENT - size + 1))
        pieces.append(elements[generator.integers(ELEMENTS), start : start + size])
        missing -= size
    copied: Bytes = np.concatenate(pieces)
    changed = generator.integers(0, length, round(length * MUTATED))
    copied[changed] = letters(generator, len(changed), 0.43)
    return copied


def spans(generator: np.random.Generator, length: int) -> Intervals:
    """Where genes lie, one in each of equal stretches; at least one gene. Shape (genes, 2)."""
    count = max(1, round(GENES_PER_MEGABASE * length / 1e6))
    stretch = length // count
    sizes = np.clip(generator.lognormal(np.log(MEDIAN_GENE), GENE_SPREAD, count), 300, stretch * 0.8).astype(np.int64)
    starts = np.arange(count) * stretch + generator.integers(0, stretch - sizes)
    return np.stack([starts, starts + sizes], axis=1)


def gene(generator: np.random.Generator, start: int, end: int) -> Intervals:
    """Exons of 80 to 400 bases from the first to the last base of a gene, shape (exons, 2)."""
    count = int(np.clip(1 + generator.poisson(4), 1, (end - start) // 500 or 1))
    if count == 1:
        return np.array([[start, end]], np.int64)
    sizes = generator.integers(80, 401, count)
    starts = np.linspace(start, end, count, endpoint=False).astype(np.int64)
    starts[-1] = end - sizes[-1]
    return np.stack([starts, starts + sizes], axis=1)


def gaps_between(generator: np.random.Generator, genes: list[Intervals], length: int) -> Intervals:
    """Gaps of 13 N, of 100 N and of an estimated size, each between two genes, shape (gaps, 2)."""
    free = np.array([[gene[-1, 1], following[0, 0]] for gene, following in itertools.pairwise(genes)])
    count = min(max(3, round(length / GAP_EVERY)), len(free))
    gaps = []
    for number, (start, end) in enumerate(generator.permutation(free)[:count].tolist()):
        size = min((13, 100, int(generator.lognormal(8, 1.5)) + 101)[number % 3], (end - start) // 2)
        at = int(generator.integers(start, end - size + 1))
        gaps.append((at, at + size))
    return np.array(sorted(gaps), np.int64).reshape(-1, 2)


def as_masked(record: Sequence, masking: Masking) -> Bytes:
    """The bases as a FASTA file shows them."""
    if masking == "none":
        return record.bases
    return np.where(record.masked, record.bases | 0x20 if masking == "soft" else np.uint8(ord("N")), record.bases)


def lines(bases: Bytes) -> bytes:
    """Bases in lines of 60."""
    whole = len(bases) // LINE * LINE
    table = np.full((whole // LINE, LINE + 1), ord("\n"), np.uint8)
    table[:, :LINE] = bases[:whole].reshape(-1, LINE)
    rest = bases[whole:].tobytes()
    return table.tobytes() + (rest + b"\n" if rest else b"")


def gene_rows(name: str, gene_id: str, exons: Intervals, strand: str) -> Iterator[str]:
    """Rows of a gene with one transcript, as MaizeGDB writes them."""
    whole = (int(exons[0, 0]), int(exons[-1, 1]))
    transcript, protein = f"{gene_id}_T001", f"{gene_id}_P001"
    yield row(name, "NAM", "gene", whole, strand, f"ID={gene_id};biotype=protein_coding;logic_name=cshl_gene")
    about = f"ID={transcript};Parent={gene_id};biotype=protein_coding;transcript_id={transcript};canonical_transcript=1"
    yield row(name, "NAM", "mRNA", whole, strand, about)
    ranks = range(1, len(exons) + 1) if strand == "+" else range(len(exons), 0, -1)
    for number, (exon, rank) in enumerate(zip(exons.tolist(), ranks, strict=True), 1):
        label = f"{transcript}.exon.{number}"
        yield row(name, "NAM", "exon", exon, strand, f"Parent={transcript};Name={label};exon_id={label};rank={rank}")
    untranslated = min(60, (whole[1] - whole[0]) // 4)
    coding = np.clip(exons, whole[0] + untranslated, whole[1] - untranslated)
    coding = coding[coding[:, 0] < coding[:, 1]]
    sizes = coding[:, 1] - coding[:, 0]
    before = np.cumsum(sizes) - sizes if strand == "+" else np.cumsum(sizes[::-1])[::-1] - sizes
    for part, done in zip(coding.tolist(), before.tolist(), strict=True):
        about = f"ID={protein};Parent={transcript};protein_id={protein}"
        yield row(name, "NAM", "CDS", part, strand, about, str(-done % 3))


def row(
    name: str, source: str, kind: str, bounds: tuple[int, int], strand: str, attributes: str, phase: str = "."
) -> str:
    """One GFF3 row of 0-based half-open bounds."""
    return f"{name}\t{source}\t{kind}\t{bounds[0] + 1}\t{bounds[1]}\t.\t{strand}\t{phase}\t{attributes}\n"


def main() -> None:
    """Write the requested files and report what is in them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="directory to write the two files to")
    parser.add_argument("--scale", type=float, default=0.001, help="size relative to maize (default 0.001)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws (default 0)")
    masking = parser.add_mutually_exclusive_group()
    masking.add_argument("--hard", action="store_const", const="hard", dest="masking", help="mask repeats as N")
    masking.add_argument(
        "--capitals",
        action="store_const",
        const="none",
        dest="masking",
        help="do not mask repeats, as in MaizeGDB's FASTA",
    )
    arguments = parser.parse_args()
    if not 0.0005 <= arguments.scale <= 1:
        parser.error("--scale must be between 0.0005 and 1")
    try:
        written = write(arguments.folder, arguments.scale, arguments.seed, arguments.masking or "soft")
    except FileExistsError as error:
        parser.error(f"{error.filename} exists already")
    bases, gaps = sum(written.lengths.values()), sum(map(len, written.gaps.values()))
    on_chromosomes = sum(list(written.genes.values())[: len(CHROMOSOMES)])
    print(f"{written.fasta}: {len(written.lengths):,} sequences, {bases:,} bases, {written.masked / bases:.0%} repeats")
    print(
        f"{written.annotation}: {on_chromosomes:,} genes on the chromosomes, "
        f"{sum(written.genes.values()) - on_chromosomes:,} on scaffolds; {gaps:,} gaps"
    )


if __name__ == "__main__":
    main()
