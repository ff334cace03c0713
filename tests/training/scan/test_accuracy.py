from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.genome.features import Feature
from training.scan import accuracy

LENGTHS = {"a": 400, "b": 150}


def features(seed: int, count: int) -> list[Feature]:
    generator = np.random.default_rng(seed)
    found = []
    for number in range(count):
        name = str(generator.choice(["a", "b", "elsewhere"]))
        start = int(generator.integers(0, LENGTHS.get(name, 100) - 20))
        end = int(min(start + generator.integers(1, 120), LENGTHS.get(name, 100)))
        found.append(Feature(name, start, end, str(generator.choice(["+", "-"])), str(number), None))
    return found


def mask(some: list[Feature], name: str, strands: str) -> np.ndarray:
    found = np.zeros(LENGTHS[name], bool)
    for one in some:
        if one.chromosome == name and one.strand in strands:
            found[one.start : one.end] = True
    return found


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(0, 12))
def test_bases_are_counted_as_masks_count_them(seed: int, called: int, annotated: int) -> None:
    calls, genes = features(seed, called), features(seed + 1, annotated)
    found = accuracy.compare(calls, genes, LENGTHS)
    for key, ways in (("base", ["+-"]), ("base_stranded", ["+", "-"])):
        masks = [(mask(calls, name, way), mask(genes, name, way)) for name in LENGTHS for way in ways]
        expected = [sum(int(f(c, g).sum()) for c, g in masks) for f in (lambda c, g: g, lambda c, g: c, np.logical_and)]
        assert [found[key].annotated, found[key].called, found[key].recovered] == expected
        assert found[key].correct == found[key].recovered


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(0, 12))
def test_genes_and_calls_overlap_as_every_pair_says(seed: int, called: int, annotated: int) -> None:
    calls = [one for one in features(seed, called) if one.chromosome in LENGTHS]
    genes = [one for one in features(seed + 1, annotated) if one.chromosome in LENGTHS]

    def overlaps(one: Feature, other: Feature, share: float) -> bool:
        overlap = min(one.end, other.end) - max(one.start, other.start)
        same = one.chromosome == other.chromosome and one.strand == other.strand
        return same and overlap >= max(share * max(one.end - one.start, other.end - other.start), 1)

    found = accuracy.compare(calls, genes, LENGTHS)
    for key, share in (("touched", 0.0), ("half", 0.5)):
        assert found[key].annotated == len(genes)
        assert found[key].called == len(calls)
        assert found[key].recovered == sum(any(overlaps(call, gene, share) for call in calls) for gene in genes)
        assert found[key].correct == sum(any(overlaps(call, gene, share) for gene in genes) for call in calls)


def test_calling_everything_finds_every_base_at_the_share_of_genes() -> None:
    genes = [Feature("a", 0, 100, "+", "g", None), Feature("a", 50, 150, "-", "h", None)]
    level = accuracy.compare([], genes, LENGTHS)["everything"]
    assert (level.sensitivity, level.precision) == (1, pytest.approx(150 / 550))


def test_a_gene_without_a_strand_counts_on_both() -> None:
    genes = [Feature("a", 0, 100, ".", "g", None)]
    found = accuracy.compare([Feature("a", 0, 100, "-", "c", None)], genes, LENGTHS)
    assert (found["half"].annotated, found["half"].recovered, found["half"].correct) == (1, 1, 1)
    assert found["base"].f1 == 1


def test_a_call_that_ends_where_a_gene_starts_does_not_overlap_it() -> None:
    genes = [Feature("a", 50, 100, "+", "g", None)]
    for start, end, overlap in ((0, 50, False), (0, 51, True), (99, 120, True), (100, 120, False)):
        found = accuracy.compare([Feature("a", start, end, "+", "c", None)], genes, LENGTHS)["touched"]
        assert (found.recovered, found.correct) == (overlap, overlap)


def test_exactly_half_of_both_is_enough() -> None:
    genes = [Feature("a", 0, 100, "+", "g", None)]
    for end, enough in ((50, True), (49, False), (200, True), (201, False)):
        found = accuracy.compare([Feature("a", 0, end, "+", "c", None)], genes, LENGTHS)["half"]
        assert bool(found.recovered) is enough


def test_figures_of_nothing_are_0() -> None:
    level = accuracy.compare([], [], LENGTHS)["base"]
    assert (level.sensitivity, level.precision, level.f1) == (0, 0, 0)
