"""Genes to train AUGUSTUS on, as GenBank records: those of a dataset's train split, one record a gene.

A gene is written if one of its transcripts has a complete CDS: whole codons from ATG to a stop codon, none in between,
of A, C, G and T alone. Of several it is the one with the longest CDS. AUGUSTUS' own program for this makes records of
the same kind (`gff2gbSmallDNA.pl`), and `etraining` learns from them what lies between genes as well. So a record has
sequence on both sides of its gene, of half the mean length of a gene (as BRAKER takes it), but no further than to the
next annotated gene or the end of the sequence that is trained on.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TextIO

from pipelines.gene_models.model import Gene, Spans, Transcript

STOPS = frozenset({"TAA", "TAG", "TGA"})
MOST_FLANK = 10_000
COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")
LINE, BLOCK = 60, 10


@dataclass
class Written:
    """What became of the training genes.

    Attributes:
        genes: of the train split.
        records: those written.
        left_out: reason to number of the others.
    """

    genes: int = 0
    records: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def reverse_complement(letters: str) -> str:
    """The other strand, in its reading direction."""
    return letters.translate(COMPLEMENT)[::-1]


def coding_sequence(transcript: Transcript, strand: str, sequence: str) -> str:
    """The CDS in reading direction, upper case.

    Args:
        transcript: with its coding parts.
        strand: + or -.
        sequence: its whole chromosome.
    """
    letters = "".join(sequence[start:end] for start, end in transcript.cds).upper()
    return reverse_complement(letters) if strand == "-" else letters


def is_complete(letters: str) -> bool:
    """Whether a coding sequence is whole codons from ATG to its only stop, of A, C, G and T."""
    codons = [letters[at : at + 3] for at in range(0, len(letters), 3)]
    return (
        len(letters) % 3 == 0
        and len(codons) > 1
        and codons[0] == "ATG"
        and codons[-1] in STOPS
        and not STOPS.intersection(codons[:-1])
        and not set(letters) - set("ACGT")
    )


def training_transcript(gene: Gene, sequence: str) -> Transcript | None:
    """The transcript with the longest complete CDS, the first of several; None if there is none."""
    complete = [
        transcript
        for transcript in gene.transcripts
        if transcript.cds and is_complete(coding_sequence(transcript, gene.strand, sequence))
    ]
    return max(complete, key=lambda transcript: sum(end - start for start, end in transcript.cds), default=None)


def flank_length(transcripts: Iterable[Transcript]) -> int:
    """Bases to show on each side of a gene: half the mean length from a gene's first to its last coding base."""
    lengths = [transcript.cds[-1][1] - transcript.cds[0][0] for transcript in transcripts]
    return min(sum(lengths) // (2 * max(len(lengths), 1)), MOST_FLANK)


def free_stretch(gene: Gene, start: int, end: int, others: Spans) -> tuple[int, int]:
    """The longest stretch around [start, end) without a base of another gene beyond it.

    Args:
        gene: whose row does not limit the stretch.
        start, end: coding part of the gene.
        others: coding genes of its chromosome, by start.
    """
    first, last = 0, 1 << 62
    for other_start, other_end in others:
        if (other_start, other_end) == (gene.start, gene.end):
            continue
        if other_start < start:
            first = max(first, min(other_end, start))
        if other_end > end:
            last = min(last, max(other_start, end))
    return first, last


def location(spans: Spans, strand: str, first: int) -> str:
    """A CDS as GenBank locates it, 1-based from `first`."""
    parts = [f"{start - first + 1}..{end - first}" for start, end in spans]
    joined = f"join({','.join(parts)})" if len(parts) > 1 else parts[0]
    return f"complement({joined})" if strand == "-" else joined


def lines_of(name: str, letters: str, place: str) -> Iterator[str]:
    """The lines of a record with one CDS."""
    yield f"LOCUS       {name}   {len(letters)} bp  DNA"
    yield "FEATURES             Location/Qualifiers"
    yield f"     source          1..{len(letters)}"
    label = "     CDS             "
    while place:
        cut = len(place) if len(place) <= LINE - 2 else place.rindex(",", 0, LINE - 2) + 1
        yield label + place[:cut]
        label, place = " " * len(label), place[cut:]
    yield f'                     /gene="{name}"'
    counts = Counter(letters.lower())
    yield "BASE COUNT     " + "   ".join(f"{counts[base]} {base}" for base in "acgt")
    yield "ORIGIN"
    for at in range(0, len(letters), LINE):
        row = letters[at : at + LINE].lower()
        yield f"{at + 1:>9} " + " ".join(row[block : block + BLOCK] for block in range(0, len(row), BLOCK))
    yield "//"


def write(stream: TextIO, training: list[Gene], annotated: list[Gene], chromosomes: Mapping[str, str]) -> Written:
    """Write training genes as GenBank records.

    Args:
        stream: the file to write.
        training: genes of the train split.
        annotated: all annotated genes of the sequence that is trained on; those with a CDS limit the records.
        chromosomes: sequence that is trained on, from its first base; a region's ends where training ends.
    """
    written = Written(len(training))
    chosen: list[tuple[Gene, Transcript]] = []
    for gene in training:
        if not any(transcript.cds for transcript in gene.transcripts):
            written.left_out["codes for no protein"] += 1
        elif transcript := training_transcript(gene, chromosomes[gene.chromosome]):
            chosen.append((gene, transcript))
        else:
            written.left_out["no complete CDS"] += 1
    coding = coding_genes(annotated)
    flank = flank_length(transcript for _, transcript in chosen)
    for gene, transcript in chosen:
        sequence, spans = chromosomes[gene.chromosome], transcript.cds
        start, end = spans[0][0], spans[-1][1]
        first, last = free_stretch(gene, start, end, neighbours(coding[gene.chromosome], start - flank, end + flank))
        first, last = max(first, start - flank, 0), min(last, end + flank, len(sequence))
        name = f"{gene.chromosome}_{start + 1}-{end}"
        for line in lines_of(name, sequence[first:last], location(spans, gene.strand, first)):
            stream.write(line + "\n")
        written.records += 1
    return written


def coding_genes(genes: Iterable[Gene]) -> dict[str, list[tuple[int, int]]]:
    """Start and end of the genes with a CDS, by start, for every chromosome."""
    found: dict[str, list[tuple[int, int]]] = {}
    for gene in genes:
        if any(transcript.cds for transcript in gene.transcripts):
            found.setdefault(gene.chromosome, []).append((gene.start, gene.end))
    return {chromosome: sorted(spans) for chromosome, spans in found.items()}


def neighbours(spans: list[tuple[int, int]], start: int, end: int) -> Spans:
    """The spans that share a base with [start, end), out of all by start."""
    longest = max(span[1] - span[0] for span in spans)
    first = bisect.bisect_left(spans, (start - longest, 0))
    return tuple(span for span in spans[first : bisect.bisect_left(spans, (end, 0))] if span[1] > start)
