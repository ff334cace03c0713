"""Slow and obvious decoders to compare the compiled one with. Coordinates are forward; letters are upper case."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipelines.gene_models.genetic_code import codon_number
from pipelines.gene_models.model import Transcript
from pipelines.gene_models.validity import defects
from pipelines.genome.sequence import base_codes, reverse_complement
from pipelines.structure.states import ACCEPTOR, CDS_0, DONOR, INTRON_0, START, STOP, UTR
from training.decoding.grammar import FLOOR, terms
from training.decoding.scores import Scores
from training.decoding.settings import PAIRS, Settings

Spans = tuple[tuple[int, int], ...]


class Model(NamedTuple):
    """A gene: strand 0 or 1, coding spans, and whether the ends of the sequence cut it, as (level, is in an intron)."""

    strand: int
    exons: Spans
    cut_start: tuple[int, bool] | None = None
    cut_end: tuple[int, bool] | None = None


class Problem:
    """A sequence with its scores; everything is computed base by base."""

    def __init__(self, letters: str, scores: Scores, settings: Settings) -> None:
        self.letters, self.scores, self.settings = letters, scores, settings
        self.length = len(letters)
        self.codes = base_codes(np.frombuffer(letters.encode(), np.uint8))
        self.terms, self.code = terms(settings), settings.code

    def state(self, position: int, strand: int, state: int) -> float:
        log = self.scores.log_states[position, strand].astype(float)
        return self.settings.weights.state * (max(log[state], FLOOR) - max(log[0], FLOOR))

    def coding(self, position: int, strand: int, label: int) -> float:
        return self.state(position, strand, CDS_0 + label) + self.terms.coding

    def intron(self, position: int, strand: int, label: int) -> float:
        return self.state(position, strand, INTRON_0 + label) + self.terms.intron

    def site(self, position: int, strand: int, site: int) -> float:
        weights = self.settings.weights
        weight = {START: weights.start, STOP: weights.stop, DONOR: weights.donor, ACCEPTOR: weights.acceptor}[site]
        return weight * min(max(float(self.scores.site_logits[position, strand, site]), FLOOR), -FLOOR)

    def pair_term(self, kind: str, strand: int, bases: str, *, is_left: bool) -> float | None:
        """The term of the first (left) or last two bases of an intron, None if they cannot be."""
        if strand == 1:
            bases = reverse_complement(np.frombuffer(bases.encode(), np.uint8)).tobytes().decode()
        is_donor = is_left == (strand == 0)
        for pair in PAIRS[kind]:
            if pair in self.settings.pairs and bases == pair.split("-")[0 if is_donor else 1]:
                share = self.settings.pairs[pair] / sum(self.settings.pairs.values())
                return self.settings.weights.length * math.log(share) if is_donor else 0.0
        return None


# --- All genes by their definition, and all ways to place them.


def all_parses(problem: Problem) -> list[tuple[float, tuple[Model, ...]]]:
    """The score of every set of valid genes that do not overlap, without untranslated regions."""
    genes = [(model, score) for model in _models(problem) for score in _scores(problem, model)]
    genes.sort(key=lambda item: _span(problem, item[0]))

    def extend(first: int, from_base: int) -> Iterator[tuple[float, tuple[Model, ...]]]:
        yield 0.0, ()
        for index in range(first, len(genes)):
            model, score = genes[index]
            start, end = _span(problem, model)
            if start >= from_base:
                for rest, others in extend(index + 1, end):
                    yield score + rest, (model, *others)

    return [*extend(0, 0), *_within_an_intron(problem)]


def _within_an_intron(problem: Problem) -> Iterator[tuple[float, tuple[Model, ...]]]:
    """The whole sequence may be part of an intron, which calls no gene."""
    if problem.settings.partial and problem.length >= problem.settings.minimum.intron:
        for strand in range(2):
            for label in range(3):
                inside = sum(problem.intron(position, strand, label) for position in range(problem.length))
                for _ in problem.settings.kinds:
                    yield problem.terms.gene + problem.terms.intron_begin + inside, ()


def _span(problem: Problem, model: Model) -> tuple[int, int]:
    start, end = model.exons[0][0], model.exons[-1][1]
    if model.cut_start is not None:
        start = 0
    if model.cut_end is not None:
        end = problem.length
    return start, end


def _models(problem: Problem) -> Iterator[Model]:
    for strand in range(2):
        for exons in _exon_chains(problem, 0, problem.settings.minimum.exon):
            cuts_start: list[tuple[int, bool] | None] = [None]
            cuts_end: list[tuple[int, bool] | None] = [None]
            if problem.settings.partial:
                at_start = exons[0][0] == 0
                at_end = exons[-1][1] == problem.length
                if at_start or exons[0][0] >= problem.settings.minimum.intron:
                    cuts_start += [(level, not at_start) for level in range(3)]
                if at_end or problem.length - exons[-1][1] >= problem.settings.minimum.intron:
                    cuts_end += [(level, not at_end) for level in range(3)]
            for cut_start in cuts_start:
                for cut_end in cuts_end:
                    model = Model(strand, exons, cut_start, cut_end)
                    if _is_valid(problem, model):
                        yield model


def _exon_chains(problem: Problem, start: int, shortest: int) -> Iterator[Spans]:
    for first in range(start, problem.length - shortest + 1):
        for end in range(first + shortest, problem.length + 1):
            if "N" in problem.letters[first:end]:
                break
            yield ((first, end),)
            for rest in _exon_chains(problem, end + problem.settings.minimum.intron, shortest):
                yield ((first, end), *rest)


def _is_valid(problem: Problem, model: Model) -> bool:
    coding = "".join(problem.letters[start:end] for start, end in model.exons)
    letters = np.frombuffer(coding.encode(), np.uint8)
    cut_5, cut_3 = model.cut_start, model.cut_end
    if model.strand == 1:
        letters, cut_5, cut_3 = reverse_complement(letters), cut_3, cut_5
    read_5 = 0 if cut_5 is None else (cut_5[0] if model.strand == 0 else -cut_5[0] % 3)
    phase = -read_5 % 3
    transcript = Transcript("", model.exons, model.exons, phase, cut_5 is not None, cut_3 is not None)
    if defects(transcript, letters, problem.code):
        return False
    if cut_3 is not None:
        # Bases of an open codon at the 3' end.
        read_3 = cut_3[0] if model.strand == 0 else -cut_3[0] % 3
        if (len(letters) - phase) % 3 != read_3:
            return False
        if cut_5 is None and len(letters) < 3:
            return False
    elif (len(letters) - phase) < 3:
        return False
    return True


def _scores(problem: Problem, model: Model) -> list[float]:
    """The score of a model for every choice of the kinds of its introns."""
    strand, added = model.strand, problem.terms
    total = added.gene
    if model.cut_start is None:
        total += problem.site(model.exons[0][0], strand, START if strand == 0 else STOP)
    if model.cut_end is None:
        total += problem.site(model.exons[-1][1] - 1, strand, STOP if strand == 0 else START)
    read = 0 if model.cut_start is None else model.cut_start[0]
    spans = [(0, model.exons[0][0], read)] if model.cut_start is not None and model.cut_start[1] else []
    for index, (start, end) in enumerate(model.exons):
        for position in range(start, end):
            total += problem.coding(position, strand, read if strand == 0 else 2 - read)
            read = (read + 1) % 3
        following = model.exons[index + 1][0] if index + 1 < len(model.exons) else None
        if following is not None:
            spans.append((end, following, read))
        elif model.cut_end is not None and model.cut_end[1]:
            spans.append((end, problem.length, read))
    totals = [total]
    for start, end, read in spans:
        label = read if strand == 0 else -read % 3
        inside = added.intron_begin + sum(problem.intron(position, strand, label) for position in range(start, end))
        choices = []
        for kind in problem.settings.kinds:
            left = right = 0.0
            if start > 0:
                term = problem.pair_term(kind, strand, problem.letters[start : start + 2], is_left=True)
                if term is None:
                    continue
                left = term + problem.site(start, strand, DONOR if strand == 0 else ACCEPTOR)
            if end < problem.length:
                term = problem.pair_term(kind, strand, problem.letters[end - 2 : end], is_left=False)
                if term is None:
                    continue
                right = term + problem.site(end - 1, strand, ACCEPTOR if strand == 0 else DONOR)
            choices.append(inside + left + right)
        totals = [before + choice for before in totals for choice in choices]
    return totals


# --- One step a base over explicit states, with every age and every base of the open codon.


class _State(NamedTuple):
    where: str
    strand: int = 0
    opened: str = ""
    age: int = 0
    kind: str = ""
    has_begun: bool = True


OUTSIDE = _State("outside")


def best_path(problem: Problem) -> tuple[float, list[tuple[int, Spans]]]:
    """The best score, and strand and coding spans of the genes of the best path."""
    values: dict[_State, tuple[float, tuple]] = {OUTSIDE: (0.0, ())}
    run_of_n = 0
    for position in range(problem.length):
        run_of_n = run_of_n + 1 if problem.letters[position] == "N" else 0
        following: dict[_State, tuple[float, tuple]] = {}
        for state, (score, events) in values.items():
            for successor, added, event in _steps(problem, state, position):
                if run_of_n >= problem.settings.longest_gap and successor.where not in ("outside", "ended"):
                    continue
                total = score + added
                if successor not in following or total > following[successor][0]:
                    following[successor] = (total, (*events, event) if event else events)
        values = following
    best = max((value for state, value in values.items() if _may_end(problem, state)), key=lambda value: value[0])
    return best[0], _genes(problem, best[1])


def _steps(problem: Problem, state: _State, position: int) -> Iterator[tuple[_State, float, tuple | None]]:
    settings, added = problem.settings, problem.terms
    is_outside = state.where in ("outside", "ended", "after")
    if is_outside:
        yield OUTSIDE, 0.0, None
        for strand in range(2):
            if settings.utr:
                yield _State("before", strand), problem.state(position, strand, UTR), None
            yield from _begin(problem, strand, position)
    if state.where == "before":
        yield state, problem.state(position, state.strand, UTR), None
        yield from _begin(problem, state.strand, position)
    if state.where in ("ended", "after") and settings.utr:
        yield _State("after", state.strand), problem.state(position, state.strand, UTR), None
    if position == 0 and settings.partial:
        for strand in range(2):
            for opened in ("", "?", "??"):
                event = ("begin", strand, 0)
                for successor, score, more in _exon(problem, _State("exon", strand, opened), position):
                    assert more is None or more[0] == "end"
                    yield successor, added.gene + score, (event, more) if more else event
                for kind in settings.kinds:
                    intron = _State("intron", strand, opened, 1, kind)
                    score = added.gene + added.intron_begin + _inside(problem, intron, position)
                    yield intron, score, ("cut", strand)
    if state.where == "exon":
        yield from _exon(problem, state, position)
        pair = problem.letters[position : position + 2]
        if state.age >= settings.minimum.exon and state.has_begun and len(pair) == 2 and "N" not in pair:
            for kind in settings.kinds:
                term = problem.pair_term(kind, state.strand, pair, is_left=True)
                if term is not None:
                    intron = _State("intron", state.strand, state.opened, 1, kind)
                    term += problem.site(position, state.strand, DONOR if state.strand == 0 else ACCEPTOR)
                    score = term + added.intron_begin + _inside(problem, intron, position)
                    yield intron, score, ("left", position)
    if state.where == "intron":
        age = min(state.age + 1, settings.minimum.intron)
        yield state._replace(age=age), _inside(problem, state, position), None
        pair = problem.letters[position - 2 : position]
        if state.age >= settings.minimum.intron and "N" not in pair:
            term = problem.pair_term(state.kind, state.strand, pair, is_left=False)
            if term is not None:
                term += problem.site(position - 1, state.strand, ACCEPTOR if state.strand == 0 else DONOR)
                exon = _State("exon", state.strand, state.opened)
                for successor, score, more in _exon(problem, exon, position):
                    assert more is None
                    yield successor, term + score, ("right", position)


def _begin(problem: Problem, strand: int, position: int) -> Iterator[tuple[_State, float, tuple | None]]:
    site = problem.site(position, strand, START if strand == 0 else STOP)
    for successor, score, _ in _exon(problem, _State("exon", strand, has_begun=False), position):
        yield successor, problem.terms.gene + site + score, ("begin", strand, position)


def _exon(problem: Problem, state: _State, position: int) -> Iterator[tuple[_State, float, tuple | None]]:
    """Read a base of an exon."""
    base = problem.letters[position]
    if base == "N":
        return
    settings, code = problem.settings, problem.code
    read = len(state.opened)
    score = problem.coding(position, state.strand, read if state.strand == 0 else 2 - read)
    opened = state.opened + base
    age = min(state.age + 1, settings.minimum.exon)
    if read < 2:
        yield state._replace(opened=opened, age=age), score, None
        return
    if "?" in opened:
        yield state._replace(opened="", age=age), score, None
        return
    codon = opened
    if state.strand == 1:
        codon = reverse_complement(np.frombuffer(opened.encode(), np.uint8)).tobytes().decode()
    number = codon_number(codon)
    begins, ends = (code.is_start, code.is_stop) if state.strand == 0 else (code.is_stop, code.is_start)
    if not state.has_begun:
        if begins[number]:
            yield state._replace(opened="", age=age, has_begun=True), score, None
        return
    if chr(code.amino_acids[number]) != "*":
        yield state._replace(opened="", age=age), score, None
    # A codon that an intron splits is not the last: the exon after it is at least three bases long.
    if ends[number] and age >= settings.minimum.exon:
        score += problem.site(position, state.strand, STOP if state.strand == 0 else START)
        yield _State("ended", state.strand), score, ("end", position + 1)


def _inside(problem: Problem, state: _State, position: int) -> float:
    read = len(state.opened)
    return problem.intron(position, state.strand, read if state.strand == 0 else -read % 3)


def _may_end(problem: Problem, state: _State) -> bool:
    minimum = problem.settings.minimum
    if state.where in ("outside", "ended", "after"):
        return True
    if not problem.settings.partial:
        return False
    if state.where == "exon":
        return state.has_begun and state.age >= minimum.exon
    return state.where == "intron" and state.age >= minimum.intron


def _genes(problem: Problem, events: tuple) -> list[tuple[int, Spans]]:
    flat = [part for event in events for part in (event if isinstance(event[0], tuple) else (event,))]
    genes: list[tuple[int, Spans]] = []
    exons: list[list[int]] | None = None
    strand = 0
    for event in flat:
        if event[0] in ("begin", "cut"):
            strand, exons = event[1], [[event[2]]] if event[0] == "begin" else []
        elif event[0] == "right":
            exons.append([event[1]])
        elif event[0] == "left":
            exons[-1].append(event[1])
        elif event[0] == "end":
            exons[-1].append(event[1])
            genes.append((strand, tuple(map(tuple, exons))))
            exons = None
    if exons:
        if len(exons[-1]) == 1:
            exons[-1].append(problem.length)
        genes.append((strand, tuple(map(tuple, exons))))
    return genes
