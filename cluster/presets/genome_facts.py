"""What the choice of a split needs to know of a genome: its sequences, their genes, and which are organelles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import NegativesConfig, SourceConfig
from pipelines.errors import InputError
from pipelines.genome.intervals import Intervals
from pipelines.inputs import downloads
from pipelines.inputs.numbered_lines import lines_of
from pipelines.progress import Progress

if TYPE_CHECKING:
    from pipelines.gene_models.model import Gene

# As Ensembl, NCBI and UCSC name them in records and in their descriptions.
_ORGANELLE_NAME = re.compile(r"chr[mc]|(chr)?(mt|mtdna|mito\w*|pt|pltd|chloroplast|plastid)", re.IGNORECASE)
_ORGANELLE_WORDS = re.compile(
    r"\b(mitochondri\w+|chloroplast|plastid|apicoplast|kinetoplast|maxicircle)\b", re.IGNORECASE
)
# A nuclear contig may be described as an insertion of such a genome.
_COMPLETE = re.compile(r"\bcomplete\b|\bgenome\b|:(MT|Mito|Pt|Mt):", re.IGNORECASE)


@dataclass(frozen=True)
class GenomeFacts:
    """The sequences of a genome that have genes.

    Attributes:
        lengths: bases of each sequence, in FASTA order, organelles left out.
        genes: start and end of the genes of each of them, by start; shape (genes, 2).
        organelles: the sequences with genes that are organelles, with their number of genes.
        sequences: number of sequences in the FASTA file.
        dropped: number of genes that are not on a sequence of the FASTA file, by reason.
        introns: mean number of coding introns of the genes with a coding sequence; None where it was not read.
    """

    lengths: dict[str, int]
    genes: dict[str, Intervals]
    organelles: dict[str, int]
    sequences: int
    dropped: Counter[str]
    introns: float | None = None


def read(source: SourceConfig, is_structure: bool, progress: Progress) -> GenomeFacts:
    """Read a genome and its annotation as `raygene build` does.

    Args:
        source: with `fasta` and `annotation`.
        is_structure: whether genes need a coding sequence.
        progress: where what does not match is reported.

    Raises:
        InputError: a file is missing or damaged, they share no sequence name, or all genes are of organelles.
    """
    source = downloads.fetched(source, progress.note)
    facts = _of_structure(source, progress) if is_structure else _of_genes(source, progress)
    lengths, genes = facts.lengths, facts.genes
    found = organelles(Path(str(source.fasta)), set(lengths))
    nuclear = {name: length for name, length in lengths.items() if name not in found and len(genes.get(name, ()))}
    if not nuclear:
        raise InputError(
            f"{source.annotation}: no gene is on a sequence of {source.fasta} that is no organelle",
            "check that both files are of one assembly",
        )
    return replace(
        facts,
        lengths=nuclear,
        genes={name: genes[name] for name in nuclear},
        organelles={name: len(genes.get(name, ())) for name in lengths if name in found},
    )


def _of_structure(source: SourceConfig, progress: Progress) -> GenomeFacts:
    from pipelines.gene_models import annotated_genome
    from pipelines.structure.label import SELECTION

    genome = annotated_genome.read(source, SELECTION, progress)
    introns = mean_introns(gene for name in genome.bounds for gene in genome.genes(name))
    return GenomeFacts(genome.lengths, genome.bounds, {}, len(genome.genome.lengths), genome.dropped, introns)


def mean_introns(genes: Iterable[Gene]) -> float:
    """Coding introns of a gene, in the mean over coding genes, by the transcript with the longest coding sequence."""
    total, count = 0, 0
    for gene in genes:
        coding = [one for one in gene.transcripts if one.cds]
        if coding:
            longest = max(coding, key=lambda one: sum(end - start for start, end in one.cds))
            total, count = total + len(longest.coding_introns), count + 1
    return total / max(count, 1)


def _of_genes(source: SourceConfig, progress: Progress) -> GenomeFacts:
    from pipelines.genome.source import read_source

    genome = read_source(source, NegativesConfig(), progress)
    return GenomeFacts(genome.lengths, genome.bounds(), {}, len(genome.genome.lengths), genome.dropped)


def organelles(fasta: Path, names: set[str]) -> set[str]:
    """Those of some sequences whose name or description is that of a mitochondrion or plastid.

    Args:
        fasta: plain or compressed.
        names: of the sequences in question.

    Raises:
        InputError: the file cannot be read.
    """
    found = {name for name in names if _ORGANELLE_NAME.fullmatch(name)}
    for _, line in lines_of(fasta, longest=1_000):
        if not line.startswith(">"):
            continue
        name, _, description = line[1:].strip().partition(" ")
        if name in names and _ORGANELLE_WORDS.search(description) and _COMPLETE.search(description):
            found.add(name)
    return found
