"""The paths that may still become the best one, as a tree of events: where genes and introns begin and end.

A path keeps its last event; an event keeps the one before it. Events that all paths share are final, and leave.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.compiled import compiled
from training.decoding.grammar import Floats, Grammar, Integers

BEGIN, CUT_EXON, CUT_INTRON, LEFT, RIGHT, END, UTR_BEGIN, UTR_END = range(8)
"""A gene begins at a base, or was cut by the beginning of the sequence in an exon or in an intron; an intron begins; it
has ended, and an exon begins; a coding sequence has ended; an untranslated region begins, or has ended. All by the
forward coordinate, on the reverse strand as well."""
STRAND, LEVEL = 8, 16
"""A tag is an event, plus STRAND on the reverse strand, plus LEVEL times the bases read of a codon that was cut."""

Pointers = NDArray[np.int32]

OUTSIDE, BEFORE, AFTER, ENDED = 0, 1, 3, 5
"""Rows of `Survivors.outer`: intergenic; then by strand: the region before a coding sequence, the one after it, and a
coding sequence that ended at this very base."""
POSITION, NODES, LAST_N, GAP = range(4)
"""Rows of `Survivors.counters`: the next base, the number of events, the last N, and the length of the run of N
so far."""


class Survivors(NamedTuple):
    """Score and last event of the best path into every state at the last base, and what later bases look back at.

    A frame of a strand is the position modulo 3 of the first base of its codons, as read on that strand. Scores in an
    exon and in an intron are kept without the sum of that frame's or label's scores up to the last base, so that
    staying in it takes no step. Rings hold the last bases: base t is in row t modulo their length.

    Attributes:
        exon, exon_event: in each frame, shape (2, 3).
        intron, intron_event: in each intron, by the state that it remembers, shape (kinds, states).
        outer, outer_event: outside coding sequences, shape (7,).
        exon_ring, exon_event_ring: of `exon`, with the sum, shape (ring, 2, 3).
        intron_ring, intron_event_ring: of `intron` where one may end, with the sum and its last site; shape
            (ring, kinds, states).
        may_end: whether an intron may end at a base, shape (ring, 2, kinds).
        outer_ring, outer_event_ring: of the first three rows of `outer`, shape (ring, 3).
        coding_sums: sums of coding scores from the first base on, by strand and frame, shape (ring, 2, 3).
        intron_sums: sums of intron scores, by strand and label, shape (ring, 2, 3).
        logits: of sites, shape (ring, 2, 4).
        codes: bases, shape (ring,).
        pairs: 4 x base before + base, or -1 with an N, shape (ring,).
        last_stop: last base of the last codon that has no place inside a coding sequence, by strand and position
            modulo 3, shape (2, 3).
        counters: see POSITION.
        parent: event before each event; 0 is the last final one; shape (capacity,).
        place: base of each event, shape (capacity,).
        tag: what it is, shape (capacity,).
    """

    exon: Floats
    exon_event: Pointers
    intron: Floats
    intron_event: Pointers
    outer: Floats
    outer_event: Pointers
    exon_ring: Floats
    exon_event_ring: Pointers
    intron_ring: Floats
    intron_event_ring: Pointers
    may_end: NDArray[np.bool_]
    outer_ring: Floats
    outer_event_ring: Pointers
    coding_sums: Floats
    intron_sums: Floats
    logits: NDArray[np.float32]
    codes: Integers
    pairs: Integers
    last_stop: Integers
    counters: Integers
    parent: Pointers
    place: Integers
    tag: Pointers


def survivors(grammar: Grammar, capacity: int) -> Survivors:
    """Before the first base: intergenic.

    Args:
        grammar: the automaton.
        capacity: number of events that fit.
    """
    states, kinds = int(grammar.first[2]), grammar.left.shape[1]
    ring = 1 << (max(grammar.min_intron, grammar.min_exon) + 1).bit_length()
    outer = np.full(7, -np.inf)
    outer[OUTSIDE] = 0.0
    return Survivors(
        exon=np.full((2, 3), -np.inf),
        exon_event=np.zeros((2, 3), np.int32),
        intron=np.full((kinds, states), -np.inf),
        intron_event=np.zeros((kinds, states), np.int32),
        outer=outer,
        outer_event=np.zeros(7, np.int32),
        exon_ring=np.full((ring, 2, 3), -np.inf),
        exon_event_ring=np.zeros((ring, 2, 3), np.int32),
        intron_ring=np.full((ring, kinds, states), -np.inf),
        intron_event_ring=np.zeros((ring, kinds, states), np.int32),
        may_end=np.zeros((ring, 2, kinds), np.bool_),
        outer_ring=np.tile(outer[:AFTER], (ring, 1)),
        outer_event_ring=np.zeros((ring, AFTER), np.int32),
        coding_sums=np.zeros((ring, 2, 3)),
        intron_sums=np.zeros((ring, 2, 3)),
        logits=np.zeros((ring, 2, 4), np.float32),
        codes=np.full(ring, 4),
        pairs=np.full(ring, -1),
        last_stop=np.full((2, 3), -1),
        counters=np.array([0, 1, -1, 0]),
        parent=np.zeros(capacity, np.int32),
        place=np.zeros(capacity, np.int64),
        tag=np.zeros(capacity, np.int32),
    )


def grown(paths: Survivors, capacity: int) -> Survivors:
    """The same with space for more events."""
    more = capacity - len(paths.parent)
    return paths._replace(
        parent=np.append(paths.parent, np.zeros(more, np.int32)),
        place=np.append(paths.place, np.zeros(more, np.int64)),
        tag=np.append(paths.tag, np.zeros(more, np.int32)),
    )


@compiled
def settle(grammar: Grammar, paths: Survivors) -> tuple[Integers, Pointers, int]:
    """Remove events that no path has any more, and those that all have.

    Returns:
        Place and tag of the events that all paths share, which are final, and the first base at which paths differ
        in their next event.
    """
    counters = paths.counters
    count, position = counters[NODES], counters[POSITION]
    is_live = np.zeros(count, np.bool_)
    is_tip = np.zeros(count, np.bool_)
    mask = len(paths.codes) - 1
    _mark(paths.outer, paths.outer_event, paths.parent, is_live, is_tip)
    _mark(paths.exon.ravel(), paths.exon_event.ravel(), paths.parent, is_live, is_tip)
    _mark(paths.intron.ravel(), paths.intron_event.ravel(), paths.parent, is_live, is_tip)
    for base in range(max(position - grammar.min_intron, 0), position):
        row = base & mask
        values, events = paths.exon_ring[row].ravel(), paths.exon_event_ring[row].ravel()
        _mark(values, events, paths.parent, is_live, is_tip)
    for base in range(max(position - grammar.min_exon, 0), position):
        row = base & mask
        _mark(paths.outer_ring[row], paths.outer_event_ring[row], paths.parent, is_live, is_tip)
        for strand in range(2):
            first, last = grammar.first[strand], grammar.first[strand + 1]
            for kind in range(len(paths.intron)):
                if paths.may_end[row, strand, kind]:
                    values = paths.intron_ring[row, kind, first:last]
                    events = paths.intron_event_ring[row, kind, first:last]
                    _mark(values, events, paths.parent, is_live, is_tip)
    children = np.zeros(count, np.int32)
    child = np.zeros(count, np.int32)
    for event in range(1, count):
        if is_live[event]:
            children[paths.parent[event]] += 1
            child[paths.parent[event]] = event
    shared = 0
    final = 0
    while not is_tip[shared] and children[shared] == 1:
        shared = child[shared]
        final += 1
    places, tags = np.empty(final, np.int64), np.empty(final, np.int32)
    event = shared
    for rank in range(final - 1, -1, -1):
        places[rank], tags[rank] = paths.place[event], paths.tag[event]
        is_live[event] = False
        event = paths.parent[event]
    is_live[0] = False
    # An exon or an intron becomes a part of a path when it has its shortest length.
    settled = max(position - max(grammar.min_intron, grammar.min_exon), 0)
    moved = np.zeros(count, np.int32)
    kept = 1
    for event in range(shared + 1, count):
        if is_live[event]:
            if paths.parent[event] == shared:
                settled = min(settled, paths.place[event])
            moved[event] = kept
            paths.parent[kept] = moved[paths.parent[event]]
            paths.place[kept], paths.tag[kept] = paths.place[event], paths.tag[event]
            kept += 1
    counters[NODES] = kept
    _move(paths.outer_event.reshape(-1), moved)
    _move(paths.exon_event.reshape(-1), moved)
    _move(paths.intron_event.reshape(-1), moved)
    _move(paths.exon_event_ring.reshape(-1), moved)
    _move(paths.intron_event_ring.reshape(-1), moved)
    _move(paths.outer_event_ring.reshape(-1), moved)
    return places, tags, settled


@compiled
def _mark(values, events, parent, is_live, is_tip):  # type: ignore[no-untyped-def]
    """Mark the events of every path that is possible."""
    for index in range(len(values)):
        if values[index] > -np.inf:
            event = events[index]
            is_tip[event] = True
            while not is_live[event]:
                is_live[event] = True
                event = parent[event]


@compiled
def _move(events, moved):  # type: ignore[no-untyped-def]
    """Renumber events; what no longer exists, and is not possible either, becomes the last final one."""
    for index in range(len(events)):
        event = events[index]
        events[index] = moved[event] if event < len(moved) else 0


def history(paths: Survivors, event: int) -> list[tuple[int, int]]:
    """Place and tag of the events of a path that are not final yet, in their order."""
    events = []
    while event:
        events.append((int(paths.place[event]), int(paths.tag[event])))
        event = int(paths.parent[event])
    return events[::-1]
