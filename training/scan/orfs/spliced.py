"""Frames of two exons: an intron between splice sites as learnt, read through from a start codon to a stop codon.

For every acceptor, donors upstream within the lengths of introns; for every such pair and each of the three ways that
an intron may cut a codon, the first stop codon after it and the first start codon before it. Of all that end at a stop
codon those with the best splice sites are kept. Genes with more introns are not attempted.

Takes some 20 bytes a base of the longest sequence for scores of sites; pairs are made and reduced some at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.gene_models import genetic_code, open_frames
from pipelines.gene_models.genetic_code import CODON, GeneticCode
from pipelines.gene_models.open_frames import Flags, Integers
from pipelines.genome import sequence
from pipelines.genome.sequence import Bytes
from training.scan.orfs.splice_sites import Floats, SpliceSites

# Kept of the pairs that end at one stop codon.
KEPT = 8
_PAIRS = 1 << 18


@dataclass(frozen=True)
class SplicedFrames:
    """Frames of two exons of one strand, positions in reading direction; every array has shape (frames,).

    Attributes:
        starts: first base of the start codon.
        donors: first base of the intron.
        acceptors: first base after it.
        ends: base after the stop codon.
        splice: score of the splice sites and the branch point.
    """

    starts: Integers
    donors: Integers
    acceptors: Integers
    ends: Integers
    splice: Floats

    @property
    def lengths(self) -> Integers:
        """Bases of both exons."""
        return self.ends - self.acceptors + self.donors - self.starts

    def taken(self, chosen: Integers | Flags) -> SplicedFrames:
        """Some of them."""
        return SplicedFrames(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def find(read: Bytes, code: GeneticCode, sites: SpliceSites, shortest: int) -> SplicedFrames:
    """Find the frames of one strand.

    Args:
        read: ASCII in reading direction, shape (bases,).
        code: start and stop codons.
        sites: splice sites, lengths of introns and of first exons.
        shortest: bases of both exons at least.
    """
    codes = sequence.base_codes(read)
    of_donors, of_acceptors = sites.donor_scores(codes), sites.acceptor_scores(codes)
    donors = np.flatnonzero(of_donors >= sites.lowest_donor)
    acceptors = np.flatnonzero(of_acceptors >= sites.lowest_acceptor)
    values = of_acceptors[acceptors] + sites.branch_scores(codes, acceptors)
    starts, ends = _starts(read, donors, code, sites.longest_first), _ends(read, acceptors, code)
    gaps = sequence.runs_of_n(read, open_frames.GAP)
    none = np.empty(0, np.int64)
    found = [SplicedFrames(none, none, none, none, np.empty(0))]
    for donor, acceptor in _pairs(donors, acceptors, sites.introns):
        for cut in range(CODON):
            frames = SplicedFrames(
                starts[cut][donor],
                donors[donor],
                acceptors[acceptor],
                ends[cut][acceptor],
                of_donors[donors[donor]] + values[acceptor],
            )
            frames = frames.taken((frames.starts >= 0) & (frames.ends >= 0))
            frames = frames.taken(frames.lengths >= shortest)
            frames = frames.taken(~_cuts_stop(read, frames, cut, code) & ~_in_gap(frames, gaps))
            found.append(_best(frames))
    columns = zip(*(vars(one).values() for one in found), strict=True)
    return _best(SplicedFrames(*(np.concatenate(column) for column in columns)))


def _pairs(donors: Integers, acceptors: Integers, introns: tuple[int, int]) -> Iterator[tuple[Integers, Integers]]:
    """Indices of donors and acceptors with an intron's length between them, some at a time."""
    low = np.searchsorted(donors, acceptors - introns[1])
    counts = np.searchsorted(donors, acceptors - introns[0], side="right") - low
    before = np.append(0, np.cumsum(counts))
    first = 0
    while first < len(acceptors):
        last = max(int(np.searchsorted(before, before[first] + _PAIRS, side="right")) - 1, first + 1)
        of_block = counts[first:last]
        acceptor = np.repeat(np.arange(first, last), of_block)
        donor = np.arange(before[last] - before[first]) - np.repeat(before[first:last] - before[first], of_block)
        yield donor + low[acceptor], acceptor
        first = last


def _starts(read: Bytes, donors: Integers, code: GeneticCode, longest: int) -> list[Integers]:
    """Where the exon before each donor starts if 0, 1 or 2 bases of its last codon stand before it; -1 for nowhere."""
    starts, stops = (open_frames.codon_positions(read, flags) for flags in (code.is_start, code.is_stop))
    found = []
    for cut in range(CODON):
        bounds, chosen = donors - cut, np.full(len(donors), -1)
        for phase in range(CODON):
            of_phase = np.flatnonzero(bounds % CODON == phase)
            bound, own = bounds[of_phase], np.append(starts[starts % CODON == phase], len(read))
            before = np.append(-CODON, stops[stops % CODON == phase])
            earliest = before[np.searchsorted(before, bound - CODON, side="right") - 1] + CODON
            earliest = np.maximum(earliest, donors[of_phase] - longest)
            first = own[np.searchsorted(own, earliest)]
            chosen[of_phase] = np.where(first + CODON <= bound, first, -1)
        found.append(chosen)
    return found


def _ends(read: Bytes, acceptors: Integers, code: GeneticCode) -> list[Integers]:
    """Where the exon after each acceptor ends if 0, 1 or 2 bases of a codon stand before the intron; -1 for nowhere."""
    stops, found = open_frames.codon_positions(read, code.is_stop), []
    for cut in range(CODON):
        firsts, chosen = acceptors + -cut % CODON, np.full(len(acceptors), -1)
        for phase in range(CODON):
            of_phase = np.flatnonzero(firsts % CODON == phase)
            own = np.append(stops[stops % CODON == phase], -1 - CODON)
            index = np.searchsorted(own[:-1], firsts[of_phase])
            chosen[of_phase] = np.where(index < len(own) - 1, own[index] + CODON, -1)
        found.append(chosen)
    return found


def _cuts_stop(read: Bytes, frames: SplicedFrames, cut: int, code: GeneticCode) -> Flags:
    """Whether the codon that the intron cuts is a stop codon."""
    if not cut:
        return np.zeros(len(frames.starts), np.bool_)
    places = [frames.donors - cut + place if place < cut else frames.acceptors + place - cut for place in range(CODON)]
    letters = read[np.stack(places, axis=1).reshape(-1)]
    return code.is_stop[genetic_code.codon_numbers(letters)[::CODON]]


def _in_gap(frames: SplicedFrames, gaps: Integers) -> Flags:
    """Whether a gap lies within frames."""
    return np.searchsorted(gaps[:, 1], frames.starts, side="right") < np.searchsorted(gaps[:, 0], frames.ends)


def _best(frames: SplicedFrames) -> SplicedFrames:
    """Those with the best splice sites of every stop codon, sorted by it."""
    order = np.lexsort((frames.acceptors, frames.donors, -frames.splice, frames.ends))
    ends = frames.ends[order]
    is_first = np.append(True, ends[1:] != ends[:-1])[: len(ends)]
    rank = np.arange(len(ends)) - np.maximum.accumulate(np.where(is_first, np.arange(len(ends)), 0))
    return frames.taken(order[rank < KEPT])
