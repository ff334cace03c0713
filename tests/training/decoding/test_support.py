"""Posterior probabilities against sums over all parses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.hypothesis_profiles import examples
from tests.training.decoding import oracle
from tests.training.decoding.test_best_path import SMALL, problem, sequence
from training.decoding.best_path import BestPath
from training.decoding.called import Structure
from training.decoding.forward import forward
from training.decoding.grammar import grammar
from training.decoding.settings import Minimum
from training.decoding.support import Region, supports


def by_definition(case: oracle.Problem, structure: Structure) -> tuple[float, list[float]]:
    """The share of the parses' sum with this coding structure, and with each of its exons in its frame."""
    parses = oracle.all_parses(case)
    weights = np.exp([score for score, _ in parses])
    own = oracle.Model(structure.strand, structure.exons)
    read = max(structure.cut_start, 0)

    def share(is_there: list[bool]) -> float:
        return float(weights[is_there].sum() / weights.sum())

    def frames(model: oracle.Model) -> set[tuple[int, tuple[int, int], int]]:
        level, found = model.cut_start[0] if model.cut_start else 0, set()
        for start, end in model.exons:
            found.add((model.strand, (start, end), level % 3))
            level += end - start
        return found

    exons = frames(own._replace(cut_start=(read, False)))
    gene = share(
        [
            any(
                (model.strand, model.exons) == own[:2]
                and frames(model) == exons
                and bool(model.cut_start and model.cut_start[1]) == structure.begins_with_intron
                and bool(model.cut_end and model.cut_end[1]) == structure.ends_with_intron
                for model in models
            )
            for _, models in parses
        ]
    )
    return gene, [
        share([any(exon in frames(model) for model in models) for _, models in parses])
        for exon in sorted(exons, key=lambda exon: exon[1])
    ]


@given(st.integers(0, 10**9), st.booleans(), st.sampled_from([3, 4, 5, 6]))
# A stop codon ends its gene: no sequence's end can cut the gene behind it, and no intron can follow.
@example(2521, True, 3)
@example(309, True, 3)
@examples(15)
def test_the_support_of_exons_and_genes_is_their_share_of_all_parses(seed: int, partial: bool, exon: int) -> None:
    minimum = Minimum(intron=4, exon=exon, coding=0)
    case = problem(seed, sequence(seed, 14), SMALL.model_copy(update={"partial": partial, "minimum": minimum}))
    automaton = grammar(case.settings)
    path = BestPath(automaton)
    structures = path.push(case.scores, case.codes) + path.finish()
    if not structures:
        return
    region = Region(0, case.scores, case.codes, partial, partial)
    for structure, found in zip(structures, supports(automaton, region, structures), strict=True):
        gene, exons = by_definition(case, structure)
        assert found.gene == pytest.approx(gene)
        assert found.exons == pytest.approx(exons)


@given(st.integers(0, 10**9), st.booleans(), st.booleans(), st.sampled_from([(4, 3), (5, 4), (20, 14), (4, 21)]))
@examples(15)
def test_the_sum_over_all_paths_is_the_same_from_both_ends(
    seed: int, partial: bool, utr: bool, shortest: tuple[int, int]
) -> None:
    minimum = Minimum(intron=shortest[0], exon=shortest[1], coding=0)
    changed = SMALL.model_copy(update={"partial": partial, "utr": utr, "minimum": minimum})
    case = problem(seed, sequence(seed, 300), changed)
    region = Region(0, case.scores, case.codes, partial, partial)
    none = np.empty(0, np.int64)
    totals = [
        forward(grammar(changed), *side.scores, side.codes, side.is_cut_start, side.is_cut_end, none, none, none)[2]
        for side in (region, region.reverse_complement())
    ]
    assert totals[0] == pytest.approx(totals[1])
