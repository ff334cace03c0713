"""The sum over all paths that lead to a place, in logarithms: the forward algorithm over the automaton of both strands.

The backward sums are those of the reverse complement, since a path has the same score read from either end. What may
follow an exon is what may come before it there, so that nothing is kept from base to base: the memory is that of the
scores. Costs about as much as the best path, once for each direction.

`forward` is one long function on purpose: Numba counts references to every array that it hands on, and with a function
for each kind of place it took 1.5 times as long or more.
"""

from __future__ import annotations

import math

import numpy as np

from pipelines.structure.states import CDS_0, INTRON_0, UTR
from training.compiled import compiled, inlined, part
from training.decoding.grammar import FLOOR

# A term that changes no sum in double precision.
_NOTHING = -37.0


@compiled
def forward(grammar, log_states, site_logits, codes, is_cut_start, is_cut_end, places, strands, levels):  # type: ignore[no-untyped-def]
    """Sum over all paths from outside of genes at the first base.

    Args:
        grammar: the automaton.
        log_states, site_logits, codes: of a region.
        is_cut_start, is_cut_end: whether its ends are those of the sequence, and may cut a gene.
        places: first bases of exons, ascending, shape (exons,).
        strands: of the exons.
        levels: bases of the open codon that were read before each.

    Returns:
        The logarithms of the sums over all paths up to each exon, shape (exons,); of those by which a coding sequence
        begins with it; and of the sum over all paths to the end.
    """
    bases = len(codes)
    kinds, states = grammar.left.shape[1], len(grammar.level)
    min_intron, min_exon = grammar.min_intron, grammar.min_exon
    exon, intron = np.full((2, 3), -np.inf), np.full((kinds, states), -np.inf)
    # Exons and introns that have begun, by the base at which they have their shortest length.
    exons_to_come = np.full((min_exon + 1, 2, 3), -np.inf)
    ends_to_come = np.full((min_exon + 1, 2), -np.inf)
    introns_to_come = np.full((min_intron + 1, kinds, states), -np.inf)
    has_exons, has_introns = np.zeros(min_exon + 1, np.bool_), np.zeros(min_intron + 1, np.bool_)
    coding_sums, intron_sums = np.zeros((2, 3)), np.zeros((2, 3))
    outside, before, after, ended = 0.0, np.full(2, -np.inf), np.full(2, -np.inf), np.full(2, -np.inf)
    following_stop, following_n = look_ahead(grammar, codes)
    reached, begun = np.full(len(places), -np.inf), np.full(len(places), -np.inf)
    query, gap = 0, 0
    for position in range(-1, bases):
        if position >= 0:
            base = codes[position]
            gap = gap + 1 if base >= 4 else 0
            remainder = position % 3
            for strand in range(2):
                intergenic = max(log_states[position, strand, 0], FLOOR)
                for label in range(3):
                    frame = (remainder - label) % 3 if strand == 0 else (remainder + label) % 3
                    odds = max(log_states[position, strand, CDS_0 + label], FLOOR) - intergenic
                    coding_sums[strand, frame] += grammar.state_weight * odds + grammar.coding_term
                    odds = max(log_states[position, strand, INTRON_0 + label], FLOOR) - intergenic
                    intron_sums[strand, label] += grammar.state_weight * odds + grammar.intron_term

            # What ends at this base, and what has its shortest length here.
            end_0, end_1 = -np.inf, -np.inf
            if base >= 4:
                exon[:] = -np.inf
            elif position >= 2 and codes[position - 1] < 4 and codes[position - 2] < 4:
                codon = codon_at(codes, position - 2)
                for strand in range(2):
                    frame = (remainder + 1) % 3 if strand == 0 else remainder
                    if grammar.is_last[strand, codon]:
                        total = exon[strand, frame] + coding_sums[strand, frame]
                        if strand == 0:
                            end_0 = total
                        else:
                            end_1 = total
                    if not grammar.is_inner[strand, codon]:
                        exon[strand, frame] = -np.inf
            row = position % (min_exon + 1)
            if has_exons[row]:
                has_exons[row] = False
                for strand in range(2):
                    frame = (remainder + 1) % 3 if strand == 0 else remainder
                    total = ends_to_come[row, strand] + coding_sums[strand, frame]
                    if strand == 0:
                        end_0 = add_logs(end_0, total)
                    else:
                        end_1 = add_logs(end_1, total)
                    for frame in range(3):
                        exon[strand, frame] = add_logs(exon[strand, frame], exons_to_come[row, strand, frame])
                exons_to_come[row], ends_to_come[row] = -np.inf, -np.inf
            row = position % (min_intron + 1)
            if has_introns[row]:
                has_introns[row] = False
                for kind in range(kinds):
                    for state in range(states):
                        intron[kind, state] = add_logs(intron[kind, state], introns_to_come[row, kind, state])
                introns_to_come[row] = -np.inf
            is_gap = gap >= grammar.longest_gap
            if is_gap:
                intron[:] = -np.inf

            # Outside coding sequences.
            for strand in range(2):
                if grammar.has_utr:
                    odds = max(log_states[position, strand, UTR], FLOOR) - max(log_states[position, strand, 0], FLOOR)
                    utr = grammar.state_weight * odds
                    before[strand] = add_logs(before[strand], outside) + utr
                    after[strand] = add_logs(after[strand], ended[strand]) + utr
                    if is_gap:
                        before[strand] = after[strand] = -np.inf
            for strand in range(2):
                ended[strand] = -np.inf
                total = end_0 if strand == 0 else end_1
                if total > -np.inf:
                    ended[strand] = total + site_score(grammar, site_logits, position, strand, grammar.end_site[strand])
                    outside = add_logs(outside, ended[strand])
                outside = add_logs(outside, after[strand])

        # What begins at the next base.
        place = position + 1
        pair, number = -1, -1
        if position >= 1 and codes[position] < 4 and codes[position - 1] < 4:
            pair = 4 * codes[position - 1] + codes[position]
        if place + 3 <= bases and following_n[place] >= place + 3:
            number = codon_at(codes, place)
        while query < len(places) and places[query] == place:
            strand, level = strands[query], levels[query]
            if number >= 0:
                # A stop codon of the reverse strand begins a coding sequence, and is never inside one.
                is_inside = level > 0 or grammar.is_inner[strand, number] or grammar.is_last[strand, number]
                is_cut = is_cut_start and is_inside
                begun[query] = begin(grammar, site_logits, place, number, outside, before, is_cut, strand, level)
                reached[query] = begun[query]
                if is_inside:
                    reached[query] = add_logs(
                        reached[query],
                        resume(grammar, site_logits, position, number, pair, intron, intron_sums, strand, level),
                    )
            query += 1
        may_begin = number >= 0 and (grammar.is_first[0, number] or grammar.is_first[1, number] or place == 0)
        may_resume = pair >= 0 and grammar.is_right[pair]
        if (may_begin or may_resume) and place + min_exon <= bases and following_n[place] >= place + min_exon:
            row = (position + min_exon) % (min_exon + 1)
            has_exons[row] = True
            for strand in range(2):
                for level in range(3):
                    frame = (place - level) % 3 if strand == 0 else (place + 2 - level) % 3
                    # A first codon is not looked at again: on the reverse strand it is a stop.
                    for head in (3, (3 - level) % 3):
                        value = -np.inf
                        if head == 3:
                            if level == 0 and grammar.is_first[strand, number]:
                                value = add_logs(outside, before[strand]) + grammar.gene_term
                                value += site_score(grammar, site_logits, place, strand, grammar.begin_site[strand])
                        elif place == 0:
                            value = grammar.gene_term if is_cut_start else -np.inf
                        elif may_resume:
                            value = resume(
                                grammar, site_logits, position, number, pair, intron, intron_sums, strand, level
                            )
                        if value == -np.inf:
                            continue
                        value -= coding_sums[strand, frame]
                        whole = place + head
                        stop = following_stop[strand, whole] if whole < bases else bases
                        if stop + 3 > place + min_exon:
                            exons_to_come[row, strand, frame] = add_logs(exons_to_come[row, strand, frame], value)
                        last = place + min_exon - 3
                        if (
                            (min_exon - head) % 3 == 0
                            and min_exon > head
                            and stop >= last
                            and grammar.is_last[strand, codon_at(codes, last)]
                        ):
                            ends_to_come[row, strand] = add_logs(ends_to_come[row, strand], value)
        following = -1
        if place + 1 < bases and codes[place] < 4 and codes[place + 1] < 4:
            following = 4 * codes[place] + codes[place + 1]
        if place + min_intron <= bases and (place == 0 or (following >= 0 and grammar.is_left[following])):
            row = (position + min_intron) % (min_intron + 1)
            has_introns[row] = True
            for strand in range(2):
                for kind in range(kinds):
                    if place == 0:
                        for level in range(3):
                            if is_cut_start:
                                state = grammar.cut[strand, level]
                                introns_to_come[row, kind, state] = grammar.gene_term + grammar.intron_begin_term
                        continue
                    if following < 0 or grammar.left[strand, kind, following] == -np.inf:
                        continue
                    term = grammar.left[strand, kind, following] + grammar.intron_begin_term
                    term += site_score(grammar, site_logits, place, strand, grammar.left_site[strand])
                    for level in range(3):
                        frame = (place - level) % 3 if strand == 0 else (place + 2 - level) % 3
                        value = exon[strand, frame]
                        if value == -np.inf:
                            continue
                        state = grammar.first[strand]
                        if level == 1:
                            state = grammar.after_one[strand, codes[position]]
                        elif level == 2:
                            state = grammar.after_two[strand, 4 * codes[position - 1] + codes[position]]
                        value += coding_sums[strand, frame] + term - intron_sums[strand, grammar.intron[state]]
                        introns_to_come[row, kind, state] = add_logs(introns_to_come[row, kind, state], value)
    total = outside
    if is_cut_end:
        total = add_cut_genes(grammar, total, exon, coding_sums, intron, intron_sums)
    return reached, begun, total


@part
def add_cut_genes(grammar, total, exon, coding_sums, intron, intron_sums):  # type: ignore[no-untyped-def]
    """Add the paths whose last gene is cut by the end of the sequence."""
    for strand in range(2):
        for frame in range(3):
            total = add_logs(total, exon[strand, frame] + coding_sums[strand, frame])
        for kind in range(len(intron)):
            for state in range(grammar.first[strand], grammar.first[strand + 1]):
                total = add_logs(total, intron[kind, state] + intron_sums[strand, grammar.intron[state]])
    return total


@part
def begin(grammar, site_logits, place, number, outside, before, is_cut, strand, level):  # type: ignore[no-untyped-def]
    """The paths by which a coding sequence begins at a base, or is cut there by the beginning of the sequence."""
    value = -np.inf
    if level == 0 and grammar.is_first[strand, number]:
        value = add_logs(outside, before[strand]) + grammar.gene_term
        value += site_score(grammar, site_logits, place, strand, grammar.begin_site[strand])
    if place == 0 and is_cut:
        value = add_logs(value, grammar.gene_term)
    return value


@inlined
def resume(grammar, site_logits, position, number, pair, intron, intron_sums, strand, level):  # type: ignore[no-untyped-def]
    """The paths by which an exon follows introns that end at a base."""
    value = -np.inf
    if pair < 0:
        return value
    for kind in range(len(intron)):
        term = grammar.right[strand, kind, pair]
        if term == -np.inf:
            continue
        term += site_score(grammar, site_logits, position, strand, grammar.right_site[strand])
        for state in range(grammar.first[strand], grammar.first[strand + 1]):
            if grammar.level[state] == level and grammar.may_follow[state, number >> 2]:
                total = intron[kind, state] + intron_sums[strand, grammar.intron[state]] + term
                value = add_logs(value, total)
    return value


@part
def look_ahead(grammar, codes):  # type: ignore[no-untyped-def]
    """The next codon in the same frame that has no place inside a coding sequence, by strand and base; the next N."""
    bases = len(codes)
    stop, following_n = np.full((2, bases), bases), np.full(bases, bases)
    for place in range(bases - 1, -1, -1):
        following_n[place] = following_n[place + 1] if place + 1 < bases else bases
        if codes[place] >= 4:
            following_n[place] = place
        for strand in range(2):
            stop[strand, place] = stop[strand, place + 3] if place + 3 < bases else bases
            if following_n[place] >= place + 3 and place + 3 <= bases:
                is_inner = grammar.is_inner[strand, codon_at(codes, place)]
                stop[strand, place] = stop[strand, place] if is_inner else place
    return stop, following_n


@part
def codon_at(codes, place):  # type: ignore[no-untyped-def]
    """The number of the codon of the three bases from `place` on."""
    return 16 * int(codes[place]) + 4 * int(codes[place + 1]) + int(codes[place + 2])


@part
def site_score(grammar, site_logits, position, strand, site):  # type: ignore[no-untyped-def]
    """The weighted logit of a site."""
    return grammar.site_weights[site] * min(max(site_logits[position, strand, site], FLOOR), -FLOOR)


@part
def add_logs(one, other):  # type: ignore[no-untyped-def]
    """The logarithm of a sum of two numbers that are given by their logarithms."""
    if one < other:
        one, other = other, one
    if other - one < _NOTHING or other == -np.inf:
        return one
    return one + math.log1p(math.exp(other - one))
