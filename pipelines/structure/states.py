"""The states of a base on one strand, two strands packed into a byte, and the sites between states.

A site belongs to its first or last base in reading direction: START is the first base of a start codon, STOP the last
of a stop codon, DONOR the first of an intron, ACCEPTOR the last of an intron. Arrays of both strands are indexed by the
forward coordinate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

States = NDArray[np.uint8]

INTERGENIC, UTR, CDS_0, CDS_1, CDS_2, INTRON_0, INTRON_1, INTRON_2, MASKED = range(9)
"""CDS_i is base i of a codon in reading direction. Before INTRON_i, i bases of a codon have been read. MASKED is known
to be none of the others with certainty, and does not count."""
STATES = 8
"""Number of states that a model tells apart: all but MASKED."""
NAMES = ("intergenic", "UTR", "CDS 0", "CDS 1", "CDS 2", "intron 0", "intron 1", "intron 2", "masked")

NEXT_CODING = np.array([0, 0, CDS_1, CDS_2, CDS_0, 0, 0, 0, 0], np.uint8)
"""The state of the next base of a coding sequence, by state; 0 for bases that are not coding. Shape (9,)."""

START, STOP, DONOR, ACCEPTOR = range(4)
SITES = 4
SITE_NAMES = ("start", "stop", "donor", "acceptor")

_BITS, _LOW = np.uint8(4), np.uint8(0x0F)


def pack(forward: States, reverse: States) -> States:
    """Both strands in one byte a base: the forward strand in its low half; all arrays of shape (bases,)."""
    packed: States = (forward | (reverse << _BITS)).astype(np.uint8)
    return packed


def unpack(packed: States) -> tuple[States, States]:
    """The states of the forward and of the reverse strand, each of shape (bases,), by the forward coordinate."""
    return packed & _LOW, packed >> _BITS


def reverse_complement(packed: States) -> States:
    """The states of the reverse complement of a stretch, shape (bases,)."""
    turned: States = packed[::-1]
    return (turned << _BITS) | (turned >> _BITS)


class Sites(NamedTuple):
    """The sites of one strand, in the order of START, STOP, DONOR and ACCEPTOR.

    Attributes:
        is_site: whether each base is one, shape (bases, 4).
        is_known: whether the states tell, shape (bases, 4): neither the base nor its neighbour is MASKED or beyond the
            array. The neighbour of START and DONOR is the base before, of STOP and ACCEPTOR the base after.
    """

    is_site: NDArray[np.bool_]
    is_known: NDArray[np.bool_]


def sites(strand: States) -> Sites:
    """The sites that states imply.

    Args:
        strand: states of one strand in its reading direction (the reverse strand backwards), shape (bases,).
    """
    before, after = np.full_like(strand, MASKED), np.full_like(strand, MASKED)
    before[1:], after[:-1] = strand[:-1], strand[1:]
    # The state that follows an intron, and none that there is for other states.
    following = np.where((strand >= INTRON_0) & (strand < MASKED), strand - np.uint8(INTRON_0 - CDS_0), 0xFF)
    pairs = [
        (strand == CDS_0) & (before < CDS_0),
        (strand == CDS_2) & (after < CDS_0),
        NEXT_CODING[before] == following,
        after == following,
    ]
    is_site = np.stack(pairs, axis=1) & (strand < MASKED)[:, None]
    is_known = np.stack([before < MASKED, after < MASKED] * 2, axis=1) & (strand < MASKED)[:, None]
    return Sites(is_site & is_known, is_known)
