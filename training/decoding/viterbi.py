"""The best path through the automaton of both strands, base by base.

A path keeps its score and its last event. In an exon or an intron nothing happens from base to base but that running
sums grow, which all paths in the same frame share; so a base costs the same few steps however many states there are.
Codons are looked at where they end, pairs of bases where they may be the ends of an intron. An exon or an intron is
entered when it has its shortest length: no step depends on lengths. Of equal paths the one stays that was there first,
whatever the pieces.
"""

from __future__ import annotations

import numpy as np

from pipelines.structure.states import CDS_0, INTRON_0, UTR
from training.compiled import compiled, inlined, part
from training.decoding.grammar import FLOOR
from training.decoding.survivors import (
    AFTER,
    BEFORE,
    BEGIN,
    CUT_EXON,
    CUT_INTRON,
    END,
    ENDED,
    GAP,
    LAST_N,
    LEFT,
    LEVEL,
    NODES,
    OUTSIDE,
    POSITION,
    RIGHT,
    STRAND,
    UTR_BEGIN,
    UTR_END,
)

_EVENT_DTYPE = np.int32


@compiled
def advance(grammar, paths, log_states, site_logits, codes, done):  # type: ignore[no-untyped-def]
    """Extend the paths by the bases of a piece from `done` on, as far as there is space for events.

    Returns:
        The number of bases of the piece that are done.
    """
    exon, exon_event, outer, outer_event = paths.exon, paths.exon_event, paths.outer, paths.outer_event
    exon_ring, exon_event_ring = paths.exon_ring, paths.exon_event_ring
    outer_ring, outer_event_ring, may_end = paths.outer_ring, paths.outer_event_ring, paths.may_end
    coding_sums, intron_sums, logits = paths.coding_sums, paths.intron_sums, paths.logits
    ring, pairs, last_stop, counters = paths.codes, paths.pairs, paths.last_stop, paths.counters
    tree = (paths.parent, paths.place, paths.tag, counters)
    is_first, is_inner, is_last = grammar.is_first, grammar.is_inner, grammar.is_last
    is_left, is_right = grammar.is_left, grammar.is_right
    state_weight, site_weights = grammar.state_weight, grammar.site_weights
    coding_term, intron_term, gene_term = grammar.coding_term, grammar.intron_term, grammar.gene_term
    min_intron, min_exon, has_utr, is_partial = (
        grammar.min_intron, grammar.min_exon, grammar.has_utr, grammar.is_partial,
    )  # fmt: skip
    begin_site, end_site = grammar.begin_site, grammar.end_site
    kinds, states = paths.intron.shape
    mask = len(ring) - 1
    ended, ended_event = np.empty(2), np.empty(2, np.int32)
    into = (exon, exon_event, ended, ended_event, coding_sums, last_stop, is_inner, is_last)
    # Events of one base: at most one for every landing in an exon or an intron, and a few outside.
    most = 2 * (kinds + 1) * (states + 6) + 16
    for index in range(done, len(codes)):
        if counters[NODES] + most > len(paths.parent):
            return index
        position = counters[POSITION]
        row, last_row, remainder = position & mask, (position - 1) & mask, position % 3
        base, base_before = int(codes[index]), ring[last_row]
        ring[row] = base
        pair = 4 * base_before + base if base_before < 4 and base < 4 else -1
        pairs[row] = pair
        if base >= 4:
            counters[LAST_N] = position
            counters[GAP] += 1
        else:
            counters[GAP] = 0
        codon = -1
        if position >= 2 and pair >= 0 and ring[(position - 2) & mask] < 4:
            codon = 16 * ring[(position - 2) & mask] + pair
        for strand in range(2):
            intergenic = max(log_states[index, strand, 0], FLOOR)
            for label in range(3):
                frame = (remainder - label) % 3 if strand == 0 else (remainder + label) % 3
                odds = max(log_states[index, strand, CDS_0 + label], FLOOR) - intergenic
                coding_sums[row, strand, frame] = coding_sums[last_row, strand, frame] + (
                    state_weight * odds + coding_term
                )
                odds = max(log_states[index, strand, INTRON_0 + label], FLOOR) - intergenic
                intron_sums[row, strand, label] = intron_sums[last_row, strand, label] + (
                    state_weight * odds + intron_term
                )
            for site in range(4):
                logits[row, strand, site] = site_logits[index, strand, site]
            ended[strand] = -np.inf

        # Exons: a codon ends in one frame of each strand, and exons reach their shortest length.
        if base >= 4:
            for strand in range(2):
                for frame in range(3):
                    exon[strand, frame] = -np.inf
        elif codon >= 0:
            for strand in range(2):
                frame = (remainder + 1) % 3 if strand == 0 else remainder
                if is_last[strand, codon] and exon[strand, frame] > -np.inf:
                    ended[strand] = exon[strand, frame] + coding_sums[row, strand, frame]
                    ended_event[strand] = exon_event[strand, frame]
                if not is_inner[strand, codon]:
                    exon[strand, frame] = -np.inf
        place = position - min_exon + 1
        if place >= 0 and position - counters[LAST_N] >= min_exon:
            from_row = (place - 1) & mask
            number = 16 * ring[place & mask] + pairs[(place + 2) & mask]
            for strand in range(2):
                where = (strand, position, codon, min_exon)
                if is_first[strand, number]:
                    value, event = outer_ring[from_row, OUTSIDE], outer_event_ring[from_row, OUTSIDE]
                    if outer_ring[from_row, BEFORE + strand] > value:
                        value = outer_ring[from_row, BEFORE + strand]
                        event = outer_event_ring[from_row, BEFORE + strand]
                    site = begin_site[strand]
                    value += gene_term + weighted(logits[place & mask, strand, site], site_weights[site])
                    enter_exon(tree, into, where, 0, 3, value, event, BEGIN + STRAND * strand)
                if place == 0 and is_partial:
                    for level in range(3):
                        tag = CUT_EXON + STRAND * strand + LEVEL * level
                        enter_exon(tree, into, where, level, (3 - level) % 3, gene_term, _EVENT_DTYPE(0), tag)
                for kind in range(kinds):
                    if place > 0 and may_end[from_row, strand, kind]:
                        end_introns(grammar, paths, tree, into, where, kind)
        if codon >= 0:
            for strand in range(2):
                if not is_inner[strand, codon]:
                    last_stop[strand, remainder] = position

        # Introns: those that reach their shortest length, and those that may end here.
        place = position - min_intron + 1
        if place > 0 and pairs[(place + 1) & mask] >= 0 and is_left[pairs[(place + 1) & mask]]:
            begin_introns(grammar, paths, tree, place)
        elif place == 0 and is_partial:
            cut_introns(grammar, paths, tree)
        is_gap = counters[GAP] >= grammar.longest_gap
        if is_gap:
            paths.intron[:] = -np.inf
        for strand in range(2):
            for kind in range(kinds):
                may_end[row, strand, kind] = False
        if pair >= 0 and is_right[pair]:
            keep_introns(grammar, paths, row)

        # Outside coding sequences.
        if has_utr:
            for strand in range(2):
                odds = max(log_states[index, strand, UTR], FLOOR) - max(log_states[index, strand, 0], FLOOR)
                utr = state_weight * odds
                value, event = outer[BEFORE + strand], outer_event[BEFORE + strand]
                if outer[OUTSIDE] > value:
                    value = outer[OUTSIDE]
                    event = add(tree, outer_event[OUTSIDE], position, UTR_BEGIN + STRAND * strand)
                outer[BEFORE + strand], outer_event[BEFORE + strand] = value + utr, event
                value, event = outer[AFTER + strand], outer_event[AFTER + strand]
                if outer[ENDED + strand] > value:
                    value, event = outer[ENDED + strand], outer_event[ENDED + strand]
                outer[AFTER + strand], outer_event[AFTER + strand] = value + utr, event
                if is_gap:
                    outer[BEFORE + strand] = outer[AFTER + strand] = -np.inf
        for strand in range(2):
            outer[ENDED + strand] = -np.inf
            if ended[strand] > -np.inf:
                site = end_site[strand]
                value = ended[strand] + weighted(logits[row, strand, site], site_weights[site])
                if value > outer[OUTSIDE] or has_utr:
                    event = add(tree, ended_event[strand], position + 1, END + STRAND * strand)
                    outer[ENDED + strand], outer_event[ENDED + strand] = value, event
                    if value > outer[OUTSIDE]:
                        outer[OUTSIDE], outer_event[OUTSIDE] = value, event
            if outer[AFTER + strand] > outer[OUTSIDE]:
                event = add(tree, outer_event[AFTER + strand], position + 1, UTR_END + STRAND * strand)
                outer[OUTSIDE], outer_event[OUTSIDE] = outer[AFTER + strand], event

        for strand in range(2):
            for frame in range(3):
                exon_ring[row, strand, frame] = exon[strand, frame] + coding_sums[row, strand, frame]
                exon_event_ring[row, strand, frame] = exon_event[strand, frame]
        for rank in range(AFTER):
            outer_ring[row, rank], outer_event_ring[row, rank] = outer[rank], outer_event[rank]
        counters[POSITION] = position + 1
    return len(codes)


@part
def weighted(logit, weight):  # type: ignore[no-untyped-def]
    """The score of a site."""
    return weight * min(max(logit, FLOOR), -FLOOR)


@part
def add(tree, before, position, label):  # type: ignore[no-untyped-def]
    """A new event of a path."""
    parent, place, tag, counters = tree
    event = counters[NODES]
    parent[event], place[event], tag[event] = before, position, label
    counters[NODES] = event + 1
    return _EVENT_DTYPE(event)


@inlined
def enter_exon(tree, into, where, level, head, value, event, tag):  # type: ignore[no-untyped-def]
    """Enter an exon of `min_exon` bases that ends here, if all its codons but the open one may be there.

    Args:
        tree: of events.
        into: the frames of exons and what is known of codons.
        where: strand, position, the codon that ends here, shortest length.
        level: bases of the codon that were read before it.
        head: bases that lie before its first codon to check.
        value: score of the path up to it.
        event: last event of the path up to it.
        tag: of the new event.
    """
    exon, exon_event, ended, ended_event, coding_sums, last_stop, is_inner, is_last = into
    strand, position, codon, min_exon = where
    mask = len(coding_sums) - 1
    place = position - min_exon + 1
    tail = min_exon - head
    # The last base before the codon that is open or ends here.
    last = position - ((tail - 1) % 3 + 1)
    if tail > 3 and last_stop[strand, last % 3] >= place + head + 2:
        return
    frame = (place - level) % 3 if strand == 0 else (place + 2 - level) % 3
    score = value - coding_sums[(place - 1) & mask, strand, frame]
    may_stay = True
    if tail > 0 and tail % 3 == 0:
        may_stay = is_inner[strand, codon]
        if is_last[strand, codon]:
            total = score + coding_sums[position & mask, strand, frame]
            if total > ended[strand]:
                ended[strand], ended_event[strand] = total, add(tree, event, place, tag)
    if may_stay and score > exon[strand, frame]:
        exon[strand, frame], exon_event[strand, frame] = score, add(tree, event, place, tag)


@inlined
def end_introns(grammar, paths, tree, into, where, kind):  # type: ignore[no-untyped-def]
    """Enter the exons that follow introns of one strand and kind."""
    strand, position, _, min_exon = where
    mask = len(paths.codes) - 1
    place = position - min_exon + 1
    from_row, following = (place - 1) & mask, paths.pairs[(place + 1) & mask]
    for state in range(grammar.first[strand], grammar.first[strand + 1]):
        value = paths.intron_ring[from_row, kind, state]
        if value > -np.inf and grammar.may_follow[state, following]:
            level = grammar.level[state]
            event = paths.intron_event_ring[from_row, kind, state]
            enter_exon(tree, into, where, level, (3 - level) % 3, value, event, RIGHT + STRAND * strand)


@inlined
def begin_introns(grammar, paths, tree, place):  # type: ignore[no-untyped-def]
    """Enter the introns that begin at a base, from exons."""
    mask = len(paths.codes) - 1
    from_row = (place - 1) & mask
    pair = paths.pairs[(place + 1) & mask]
    for strand in range(2):
        for kind in range(len(paths.intron)):
            if grammar.left[strand, kind, pair] == -np.inf:
                continue
            site = grammar.left_site[strand]
            term = grammar.left[strand, kind, pair] + grammar.intron_begin_term
            term += weighted(paths.logits[place & mask, strand, site], grammar.site_weights[site])
            for level in range(3):
                # The frame of which so many bases of the open codon have been read.
                frame = (place - level) % 3 if strand == 0 else (place + 2 - level) % 3
                value = paths.exon_ring[from_row, strand, frame]
                if value == -np.inf:
                    continue
                state = grammar.first[strand]
                if level == 1:
                    state = grammar.after_one[strand, paths.codes[from_row]]
                elif level == 2:
                    state = grammar.after_two[strand, paths.pairs[from_row]]
                score = value + (term - paths.intron_sums[from_row, strand, grammar.intron[state]])
                if score > paths.intron[kind, state]:
                    event = paths.exon_event_ring[from_row, strand, frame]
                    paths.intron[kind, state] = score
                    paths.intron_event[kind, state] = add(tree, event, place, LEFT + STRAND * strand)


@part
def cut_introns(grammar, paths, tree):  # type: ignore[no-untyped-def]
    """Enter the introns that the beginning of the sequence cuts."""
    for strand in range(2):
        for kind in range(len(paths.intron)):
            for level in range(3):
                state = grammar.cut[strand, level]
                tag = CUT_INTRON + STRAND * strand + LEVEL * level
                paths.intron[kind, state] = grammar.gene_term + grammar.intron_begin_term
                paths.intron_event[kind, state] = add(tree, _EVENT_DTYPE(0), 0, tag)


@inlined
def keep_introns(grammar, paths, row):  # type: ignore[no-untyped-def]
    """Keep the introns that may end at a base for the exons that may follow."""
    pair = paths.pairs[row]
    for strand in range(2):
        for kind in range(len(paths.intron)):
            term = grammar.right[strand, kind, pair]
            if term == -np.inf:
                continue
            paths.may_end[row, strand, kind] = True
            site = grammar.right_site[strand]
            term += weighted(paths.logits[row, strand, site], grammar.site_weights[site])
            for state in range(grammar.first[strand], grammar.first[strand + 1]):
                value = paths.intron[kind, state] + (paths.intron_sums[row, strand, grammar.intron[state]] + term)
                paths.intron_ring[row, kind, state] = value
                paths.intron_event_ring[row, kind, state] = paths.intron_event[kind, state]
