"""Open reading frames of a sequence: for every stretch between two stop codons, all starts from which it may be read.

Both strands; found from arrays of codon positions, with no loop over bases. A sequence's end cuts frames, and so does a
gap, a run of N of at least 10: what lies beyond it is not known. Takes some 20 bytes a base of the longest sequence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.gene_models import genetic_code
from pipelines.gene_models.genetic_code import CODON, GeneticCode
from pipelines.genome import sequence
from pipelines.genome.sequence import Bytes

GAP = 10
_BLOCK = 1 << 20
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class OpenFrames:
    """The frames of one strand of a sequence. Positions are in reading direction: on - from the sequence's other end.

    Attributes:
        length: bases of the sequence.
        strand: + or -.
        ends: base after the stop codon, or after the last base of a frame without one, shape (frames,).
        is_cut_stop: whether a frame ends without a stop codon, shape (frames,).
        cut_starts: where a frame begins that has no stop codon before it, else -1, shape (frames,).
        phases: bases from there to its first whole codon, else 0, shape (frames,).
        starts: first bases of start codons, those of a frame together and ascending, shape (starts,).
        first_starts: index of each frame's first start, and their number at the end, shape (frames + 1,).
    """

    length: int
    strand: str
    ends: Integers
    is_cut_stop: Flags
    cut_starts: Integers
    phases: Integers
    starts: Integers
    first_starts: Integers

    def __len__(self) -> int:
        return len(self.ends)

    def forward(self, starts: Integers, ends: Integers) -> tuple[Integers, Integers]:
        """Intervals in reading direction as start and end on the forward strand."""
        if self.strand == "-":
            return self.length - ends, self.length - starts
        return starts, ends


def find(letters: Bytes, strand: str, code: GeneticCode, shortest: int) -> OpenFrames:
    """Find the frames of one strand.

    Args:
        letters: ASCII of the whole sequence on the forward strand, shape (bases,).
        strand: + or -.
        code: start and stop codons.
        shortest: bases that a frame has at least, read from its first start or from where it is cut, with the stop.
    """
    read = sequence.reverse_complement(letters) if strand == "-" else letters
    starts, stops = codon_positions(read, code.is_start), codon_positions(read, code.is_stop)
    parts = [
        _frames(_between(starts, *segment), _between(stops, *segment), *segment, phase)
        for segment in _segments(read)
        for phase in range(CODON)
    ]
    none = np.empty(0, np.int64)
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [none] * 6
    ends, is_cut, cut_starts, phases, counts, of_frames = columns
    first_starts = np.append(0, np.cumsum(counts))
    # Where a frame is read from at the earliest; one without any start has no length.
    earliest = np.where(counts > 0, np.append(of_frames, 0)[first_starts[:-1]], ends)
    earliest = np.where(cut_starts >= 0, cut_starts, earliest)
    chosen = ends - earliest >= max(shortest, 1)
    return OpenFrames(
        len(letters),
        strand,
        ends[chosen],
        is_cut[chosen].astype(np.bool_),
        cut_starts[chosen],
        phases[chosen],
        of_frames[np.repeat(chosen, counts)],
        np.append(0, np.cumsum(counts[chosen])),
    )


def _frames(starts: Integers, stops: Integers, first: int, last: int, phase: int) -> tuple[Integers, ...]:
    """The frames of one phase between two cuts: ends, cut stops, cut starts, phases, numbers of starts, starts."""
    begin = first + phase
    starts, stops = (positions[(positions - begin) % CODON == 0] for positions in (starts, stops))
    # The last stretch has no stop, and may have no whole codon.
    begins, ends = np.append(begin, stops + CODON), np.append(stops + CODON, last)
    frame = np.searchsorted(begins, starts, side="right") - 1
    cut_starts, phases = np.full(len(ends), -1), np.zeros(len(ends), np.int64)
    cut_starts[0], phases[0] = first, phase
    is_cut_stop = np.zeros(len(ends), np.int64)
    is_cut_stop[-1] = 1
    has_codon = ends - begins >= CODON
    counts = np.bincount(frame, minlength=len(ends))
    return ends[has_codon], is_cut_stop[has_codon], cut_starts[has_codon], phases[has_codon], counts[has_codon], starts


def _segments(letters: Bytes) -> Iterator[tuple[int, int]]:
    """What lies between gaps, as start and end."""
    begin = 0
    for start, end in sequence.runs_of_n(letters, GAP).tolist():
        if begin < start:
            yield begin, start
        begin = end
    if begin < len(letters):
        yield begin, len(letters)


def _between(positions: Integers, first: int, last: int) -> Integers:
    """The positions of codons that lie within [first, last)."""
    low, high = np.searchsorted(positions, [first, last - CODON + 1])
    return positions[low:high]


def codon_positions(letters: Bytes, flags: Flags) -> Integers:
    """First bases of the codons that have a flag, ascending."""
    found = []
    # Blocks keep the memory of codon numbers and flags small.
    for first in range(0, len(letters), _BLOCK):
        numbers = genetic_code.codon_numbers(letters[first : first + _BLOCK + CODON - 1])
        found.append(np.flatnonzero(flags[numbers]) + first)
    return np.concatenate(found) if found else np.empty(0, np.int64)
