from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.comparison.compare import compare
from pipelines.comparison.levels import INDEX, LEVELS
from pipelines.gene_models.model import Gene, Transcript
from pipelines.genome.region import Region
from tests.hypothesis_profiles import examples
from tests.pipelines.comparison import oracle, random_genes
from tests.pipelines.comparison.random_genes import LENGTHS

seeds = st.integers(0, 2**32 - 1)
numbers = st.integers(0, 9)


def span(name: str, start: int, end: int, strand: str = "+") -> Gene:
    return Gene(name, "a", start, end, strand)


@examples(300)
@given(seeds, numbers, numbers, numbers)
def test_counts_are_those_of_the_definitions_for_every_call_set(seed: int, genes: int, first: int, second: int) -> None:
    annotated = random_genes.genes(seed, genes)
    sets = {
        "first": random_genes.genes(seed + 1, first, like=annotated),
        "second": random_genes.genes(seed + 2, second, like=annotated),
    }
    comparison = compare(annotated, sets, LENGTHS)
    on_sequences = [gene for gene in annotated if gene.chromosome in LENGTHS]
    assert sorted(gene.gene_id for gene in comparison.genes) == sorted(gene.gene_id for gene in on_sequences)
    for result in comparison.call_sets:
        expected = oracle.counts(comparison.genes, result.calls)
        counted = dict(zip(LEVELS, map(tuple, result.counts.sum(0).tolist()), strict=True))
        assert counted == expected
        for key, level in INDEX.items():
            for items, own, others in (
                (result.annotated_items, comparison.genes, result.calls),
                (result.called_items, result.calls, comparison.genes),
            ):
                assert [tuple(row) for row in items[:, level].tolist()] == [
                    oracle.of_gene(key, gene, others) for gene in own
                ]


@examples(100)
@given(seeds, numbers, numbers)
def test_loci_are_the_connected_components_of_genes_and_calls(seed: int, genes: int, calls: int) -> None:
    annotated = random_genes.genes(seed, genes)
    comparison = compare(annotated, {"x": random_genes.genes(seed + 1, calls, like=annotated)}, LENGTHS)
    result = comparison.call_sets[0]
    everyone = [
        *zip(comparison.genes, comparison.gene_loci, strict=True),
        *zip(result.calls, result.call_loci, strict=True),
    ]
    loci = comparison.loci
    for gene, locus in everyone:
        assert loci.chromosomes[locus] == gene.chromosome
        assert loci.starts[locus] <= gene.start < gene.end <= loci.ends[locus]
    for (one, first), (other, second) in itertools.combinations(everyone, 2):
        if one.chromosome == other.chromosome and one.start < other.end and other.start < one.end:
            assert first == second
    assert len(set(comparison.gene_loci) | set(result.call_loci)) == len(loci)
    for locus in range(len(loci)):
        own = [gene for gene, at in zip(comparison.genes, comparison.gene_loci, strict=True) if at == locus]
        calls_there = [call for call, at in zip(result.calls, result.call_loci, strict=True) if at == locus]
        assert dict(zip(LEVELS, map(tuple, result.counts[locus].tolist()), strict=True)) == oracle.counts(
            own, calls_there
        )


@examples(100)
@given(seeds, numbers, numbers, st.lists(st.integers(0, 90), max_size=6, unique=True))
def test_genes_across_a_border_are_left_out_on_both_sides_and_counted(
    seed: int, genes: int, calls: int, borders: list[int]
) -> None:
    borders = sorted(borders)[: len(borders) // 2 * 2]
    regions = [Region("", "a", *pair) for pair in zip(borders[::2], borders[1::2], strict=True)]
    annotated = random_genes.genes(seed, genes)
    called = random_genes.genes(seed + 1, calls, like=annotated)
    comparison = compare(annotated, {"x": called}, LENGTHS, regions)
    inside, across = inside_and_across(annotated, regions)
    calls_inside, calls_across = inside_and_across(called, regions)
    compared = [call for call in calls_inside if not oracle.is_of_genes_left_out(call, inside, across)]
    assert sorted(names(comparison.genes)) == sorted(names(inside))
    assert sorted(names(comparison.call_sets[0].calls)) == sorted(names(compared))
    assert comparison.annotated_across == len(across)
    assert comparison.called_across == (len(calls_across),)
    assert comparison.called_of_genes_across == (len(calls_inside) - len(compared),)


def names(genes: Iterable[Gene]) -> list[str]:
    return [gene.gene_id for gene in genes]


def inside_and_across(genes: list[Gene], regions: list[Region]) -> tuple[list[Gene], list[Gene]]:
    """The genes on sequence a that lie in one region, and those that only share a base with one."""
    on_a = [gene for gene in genes if gene.chromosome == "a"]
    inside = [gene for gene in on_a if any(region.holds(*hull(gene)) for region in regions)]
    touching = [gene for gene in on_a if any(region.overlaps(*hull(gene)) for region in regions)]
    return inside, [gene for gene in touching if gene not in inside]


def hull(gene: Gene) -> tuple[int, int]:
    ends = [(gene.start, gene.end), *((one.start, one.end) for one in gene.transcripts)]
    return min(start for start, _ in ends), max(end for _, end in ends)


def test_a_call_that_overlaps_only_genes_left_out_at_a_border_is_left_out() -> None:
    genes = [span("across", 40, 60), span("inside", 20, 45)]
    calls = [span("of across", 46, 50), span("of both", 30, 50), span("wrong strand", 46, 50, "-"), span("none", 0, 9)]
    comparison = compare(genes, {"x": calls, "y": calls[:1]}, LENGTHS, [Region("", "a", 0, 50)])
    assert names(comparison.genes) == ["inside"]
    assert names(comparison.call_sets[0].calls) == ["none", "of both", "wrong strand"]
    assert comparison.called_of_genes_across == (1, 1)


def test_a_call_across_a_border_takes_no_annotated_gene_with_it() -> None:
    comparison = compare([span("g", 40, 50)], {"x": [span("c", 40, 60)]}, LENGTHS, [Region("", "a", 0, 50)])
    assert (names(comparison.genes), comparison.called_across) == (["g"], (1,))


def test_pairs_tell_which_calls_share_bases_with_which_genes_of_their_strand() -> None:
    genes = [span("g", 0, 20), span("h", 10, 30, "-"), span("i", 50, 60, ".")]
    calls = [span("c", 15, 55), span("d", 60, 70)]
    comparison = compare(genes, {"x": calls}, LENGTHS)
    assert comparison.call_sets[0].overlaps.tolist() == [[0, 0, 5], [2, 0, 5]]


def test_calling_everything_finds_every_base_at_the_share_of_genes() -> None:
    everything = compare([span("g", 0, 20), span("h", 10, 40, "-")], {}, LENGTHS).everything
    assert (everything.sensitivity, everything.precision) == (1, pytest.approx(40 / 130))


def test_a_gene_without_a_strand_counts_on_both() -> None:
    figures = compare([span("g", 0, 20, ".")], {"x": [span("c", 0, 20, "-")]}, LENGTHS).call_sets[0].figures()
    assert (figures["half"].annotated, figures["half"].recovered, figures["half"].correct) == (1, 1, 1)
    assert figures["base"].f1 == 1


@pytest.mark.parametrize(("start", "end", "overlap"), [(0, 50, 0), (0, 51, 1), (69, 80, 1), (70, 80, 0)])
def test_a_call_that_ends_where_a_gene_starts_does_not_overlap_it(start: int, end: int, overlap: int) -> None:
    level = compare([span("g", 50, 70)], {"x": [span("c", start, end)]}, LENGTHS).call_sets[0].figures()["touched"]
    assert (level.recovered, level.correct) == (overlap, overlap)


@pytest.mark.parametrize(("end", "enough"), [(20, True), (19, False), (80, True), (81, False)])
def test_exactly_half_of_both_is_enough(end: int, enough: bool) -> None:
    level = compare([span("g", 0, 40)], {"x": [span("c", 0, end)]}, LENGTHS).call_sets[0].figures()["half"]
    assert bool(level.recovered) is enough


def test_without_calls_and_genes_every_figure_is_0() -> None:
    figures = compare([], {"x": []}, LENGTHS).call_sets[0].figures()
    assert list(figures) == list(LEVELS)
    assert {(level.sensitivity, level.precision, level.f1) for level in figures.values()} == {(0, 0, 0)}


def test_levels_that_one_side_says_nothing_of_are_not_defined() -> None:
    exons = ((0, 5), (8, 20))
    gene = Gene("g", "a", 0, 20, "+", (Transcript("t", exons, exons),))
    without_cds = Gene("c", "a", 0, 20, "+", (Transcript("t", exons),))
    sets = {"spans": [span("c", 0, 20)], "exons": [without_cds], "all": [gene], "none": []}
    spans, of_exons, everything, none = compare([gene], sets, LENGTHS).call_sets
    assert list(spans.figures()) == ["base", "base_stranded", "touched", "half"]
    assert set(LEVELS) - of_exons.levels == {"cds_base", "cds_exon", "cds"}
    assert set(everything.figures()) == set(none.figures()) == set(LEVELS)


def test_two_genes_that_share_an_exon_count_it_once_and_have_it_each() -> None:
    shared = Transcript("t", ((0, 5),))
    genes = [Gene("g", "a", 0, 5, "+", (shared,)), Gene("h", "a", 0, 9, "+", (shared, Transcript("u", ((7, 9),))))]
    result = compare(genes, {"x": [Gene("c", "a", 0, 5, "+", (shared,))]}, LENGTHS).call_sets[0]
    assert result.figures()["exon"].annotated == 2
    assert np.array_equal(result.annotated_items[:, INDEX["exon"]], [[1, 1], [2, 1]])
