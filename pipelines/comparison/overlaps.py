"""Which calls overlap which genes, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.comparison.loci import Numbers
from pipelines.gene_models.model import Gene, Transcript
from pipelines.genome.intervals import Intervals

HALF = 0.5
# Share of the longer of two transcripts of one exon that makes them the same to gffcompare.
SINGLE_EXON_SHARE = 0.8
_CHUNK = 1 << 22


def pairs(genes: Intervals, gene_signs: Numbers, calls: Intervals, call_signs: Numbers) -> Numbers:
    """Gene, call and number of shared bases of each pair that shares any on the same strand; shape (pairs, 3).

    Args:
        genes: start and end of each gene on the axis of all sequences, shape (genes, 2).
        gene_signs: +1 or -1 by strand, 0 for none, which is on both; shape (genes,).
        calls: the same of calls, sorted by start.
        call_signs: their strands.
    """
    found = [np.empty((0, 3), np.int64)]
    if len(calls) and len(genes):
        # The furthest end of this and all earlier calls: where it is before a gene, no earlier call reaches the gene.
        reach = np.maximum.accumulate(calls[:, 1])
        first = np.searchsorted(reach, genes[:, 0], side="right")
        last = np.searchsorted(calls[:, 0], genes[:, 1], side="left")
        for gene, call in _candidates(first, np.maximum(last - first, 0)):
            shared = np.minimum(genes[gene, 1], calls[call, 1]) - np.maximum(genes[gene, 0], calls[call, 0])
            # The product is -1 for opposite strands, and 0 where one has none.
            overlap = (shared > 0) & (gene_signs[gene] * call_signs[call] >= 0)
            found.append(np.stack([gene, call, shared], axis=1)[overlap])
    return np.concatenate(found)


def _candidates(first: Numbers, counts: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Genes and the calls from `first` on, `counts` of them, pair by pair; in pieces, so that memory is bounded."""
    ends = np.cumsum(counts)
    at = 0
    while at < len(counts):
        done = ends[at - 1] if at else 0
        until = max(int(np.searchsorted(ends, done + _CHUNK, side="right")), at + 1)
        sizes = counts[at:until]
        gene = np.repeat(np.arange(at, until), sizes)
        offsets = np.arange(len(gene)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        yield gene, first[gene] + offsets
        at = until


def share_at_least(found: Numbers, genes: Intervals, calls: Intervals, share: float) -> NDArray[np.bool_]:
    """Whether the shared bases are at least a share of both the gene and the call; shape (pairs,).

    Args:
        found: gene, call and shared bases, shape (pairs, 3).
        genes, calls: start and end, shape (n, 2).
        share: from 0 to 1.
    """
    sizes = [spans[found[:, side], 1] - spans[found[:, side], 0] for side, spans in ((0, genes), (1, calls))]
    return found[:, 2] >= share * np.maximum(*sizes)


def single_exon_matches(found: Numbers, genes: Sequence[Gene], calls: Sequence[Gene]) -> NDArray[np.bool_]:
    """Whether gene and call have transcripts of one exon that overlap by most of the longer; shape (pairs,).

    Only those of the same strand match. The share is gffcompare's, `SINGLE_EXON_SHARE`.
    """
    ours, theirs = [_single(gene) for gene in genes], [_single(call) for call in calls]
    matches = np.zeros(len(found), np.bool_)
    for number, (gene, call, _) in enumerate(found.tolist()):
        if ours[gene] and theirs[call] and genes[gene].strand == calls[call].strand:
            matches[number] = any(_is_match(one, other) for one in ours[gene] for other in theirs[call])
    return matches


def _single(gene: Gene) -> list[Transcript]:
    """The transcripts without introns."""
    return [transcript for transcript in gene.transcripts if not transcript.introns]


def _is_match(one: Transcript, other: Transcript) -> bool:
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > 0 and shared >= SINGLE_EXON_SHARE * max(one.end - one.start, other.end - other.start)
