"""The coding sequence of a transcript: its letters in reading direction, its parts, and the phase of each part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipelines.gene_models.model import Gene, Spans, Transcript
from pipelines.genome import sequence
from pipelines.genome.sequence import Bytes

Fetch = Callable[[str, int, int], Bytes]
"""Gives the ASCII letters of [start, end) of a sequence on the forward strand, as `Genome.sequence` does."""


def coding_letters(gene: Gene, transcript: Transcript, fetch: Fetch) -> Bytes:
    """The letters of the CDS in reading direction, with the bases before the first whole codon.

    Args:
        gene: says sequence and strand; one without a strand is read forward.
        transcript: of that gene.
        fetch: gives the letters.

    Returns:
        ASCII, case kept, shape (bases of the CDS,).
    """
    parts = [fetch(gene.chromosome, start, end) for start, end in transcript.cds]
    letters = np.concatenate(parts) if parts else np.empty(0, np.uint8)
    return sequence.reverse_complement(letters) if gene.strand == "-" else letters


def phases(transcript: Transcript, strand: str) -> list[int]:
    """The phase of every part of the CDS, in the order of `transcript.cds`: bases before its first whole codon."""
    parts = transcript.cds[::-1] if strand == "-" else transcript.cds
    values, before = [], -transcript.phase
    for start, end in parts:
        values.append(-before % 3)
        before += end - start
    return values[::-1] if strand == "-" else values


def part_of_cds(cds: Spans, strand: str, first: int, last: int) -> Spans:
    """What lies between two bases of a CDS, both counted from 0 in reading direction.

    Args:
        cds: parts on the forward strand.
        strand: + or -.
        first: first base.
        last: base after the last; none if not above `first`.
    """
    if strand == "-":
        total = sum(end - start for start, end in cds)
        first, last = total - last, total - first
    spans, before = [], 0
    for start, end in cds:
        low, high = max(first - before, 0), min(last - before, end - start)
        if low < high:
            spans.append((start + low, start + high))
        before += end - start
    return tuple(spans)


def untranslated(transcript: Transcript, strand: str) -> tuple[Spans, Spans]:
    """The exonic bases before and after the CDS in reading direction; none of a transcript without a CDS.

    Args:
        transcript: any.
        strand: + or -.
    """
    if not transcript.cds:
        return (), ()
    first, last = transcript.cds[0][0], transcript.cds[-1][1]
    low = tuple((start, min(end, first)) for start, end in transcript.exons if start < first)
    high = tuple((max(start, last), end) for start, end in transcript.exons if end > last)
    return (high, low) if strand == "-" else (low, high)
