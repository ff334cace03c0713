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
    drawn = []
    for number in range(count):
        name = str(generator.choice(["a", "b", "elsewhere"]))
        start = int(generator.integers(0, LENGTHS.get(name, 100) - 20))
        end = int(min(start + generator.integers(1, 120), LENGTHS.get(name, 100)))
        drawn.append(Feature(name, start, end, str(generator.choice(["+", "-"])), str(number), None))
    return drawn


def mask(regions: list[Feature], name: str, strands: str) -> np.ndarray:
    covered = np.zeros(LENGTHS[name], bool)
    for feature in regions:
        if feature.chromosome == name and feature.strand in strands:
            covered[feature.start : feature.end] = True
    return covered


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(0, 12))
def test_bases_are_counted_as_masks_count_them(seed: int, called: int, annotated: int) -> None:
    calls, genes = features(seed, called), features(seed + 1, annotated)
    levels = accuracy.compare(calls, genes, LENGTHS)
    for key, strand_sets in (("base", ["+-"]), ("base_stranded", ["+", "-"])):
        masks = [
            (mask(calls, name, strands), mask(genes, name, strands)) for name in LENGTHS for strands in strand_sets
        ]
        expected = [sum(int(f(c, g).sum()) for c, g in masks) for f in (lambda c, g: g, lambda c, g: c, np.logical_and)]
        assert [levels[key].annotated, levels[key].called, levels[key].recovered] == expected
        assert levels[key].correct == levels[key].recovered


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(0, 12))
def test_genes_and_calls_overlap_as_every_pair_says(seed: int, called: int, annotated: int) -> None:
    calls = [feature for feature in features(seed, called) if feature.chromosome in LENGTHS]
    genes = [feature for feature in features(seed + 1, annotated) if feature.chromosome in LENGTHS]

    def overlaps(call: Feature, gene: Feature, share: float) -> bool:
        overlap = min(call.end, gene.end) - max(call.start, gene.start)
        same = call.chromosome == gene.chromosome and call.strand == gene.strand
        return same and overlap >= max(share * max(call.end - call.start, gene.end - gene.start), 1)

    levels = accuracy.compare(calls, genes, LENGTHS)
    for key, share in (("touched", 0.0), ("half", 0.5)):
        assert levels[key].annotated == len(genes)
        assert levels[key].called == len(calls)
        assert levels[key].recovered == sum(any(overlaps(call, gene, share) for call in calls) for gene in genes)
        assert levels[key].correct == sum(any(overlaps(call, gene, share) for gene in genes) for call in calls)


def test_calling_everything_finds_every_base_at_the_share_of_genes() -> None:
    genes = [Feature("a", 0, 100, "+", "g", None), Feature("a", 50, 150, "-", "h", None)]
    level = accuracy.compare([], genes, LENGTHS)["everything"]
    assert (level.sensitivity, level.precision) == (1, pytest.approx(150 / 550))


def test_a_gene_without_a_strand_counts_on_both() -> None:
    genes = [Feature("a", 0, 100, ".", "g", None)]
    levels = accuracy.compare([Feature("a", 0, 100, "-", "c", None)], genes, LENGTHS)
    assert (levels["half"].annotated, levels["half"].recovered, levels["half"].correct) == (1, 1, 1)
    assert levels["base"].f1 == 1


def test_a_call_that_ends_where_a_gene_starts_does_not_overlap_it() -> None:
    genes = [Feature("a", 50, 100, "+", "g", None)]
    for start, end, overlap in ((0, 50, False), (0, 51, True), (99, 120, True), (100, 120, False)):
        level = accuracy.compare([Feature("a", start, end, "+", "c", None)], genes, LENGTHS)["touched"]
        assert (level.recovered, level.correct) == (overlap, overlap)


def test_exactly_half_of_both_is_enough() -> None:
    genes = [Feature("a", 0, 100, "+", "g", None)]
    for end, enough in ((50, True), (49, False), (200, True), (201, False)):
        level = accuracy.compare([Feature("a", 0, end, "+", "c", None)], genes, LENGTHS)["half"]
        assert bool(level.recovered) is enough


def test_without_calls_and_genes_every_figure_is_0() -> None:
    level = accuracy.compare([], [], LENGTHS)["base"]
    assert (level.sensitivity, level.precision, level.f1) == (0, 0, 0)
