from __future__ import annotations

import numpy as np
import pytest

from cluster.presets.held_out import HeldOut, choose, together
from pipelines.genome.intervals import Intervals


def evenly(count: int, length: int) -> Intervals:
    """Genes of half of a sequence, with gaps of equal length between them."""
    starts = np.arange(count, dtype=np.int64) * (length // count)
    return np.stack([starts + length // count // 4, starts + 3 * (length // count) // 4], axis=1)


def test_whole_chromosomes_are_held_out_of_many() -> None:
    counts = {f"chr{number}": 100 + 10 * number for number in range(12)}
    chosen = choose(dict.fromkeys(counts, 100_000), {name: evenly(count, 100_000) for name, count in counts.items()})
    assert chosen.by == "chromosome"
    assert all(part.start is None for part in (*chosen.validation, *chosen.test))
    assert not set(chosen.validation) & set(chosen.test)
    total = sum(counts.values())
    assert chosen.genes["test"] / total == pytest.approx(0.2, abs=0.08)
    assert chosen.genes["validation"] / total == pytest.approx(0.1, abs=0.04)


def test_of_three_chromosomes_one_is_test_and_a_stretch_of_another_validation() -> None:
    lengths = {"I": 560_000, "II": 450_000, "III": 240_000}
    chosen = choose(lengths, {name: evenly(length // 1_000, length) for name, length in lengths.items()})
    assert chosen.by == "region"
    assert [str(part) for part in chosen.test] == ["III"]
    (stretch,) = chosen.validation
    assert (stretch.name, stretch.start) == ("II", 0)
    assert chosen.genes["validation"] == pytest.approx(125, abs=1)


def test_one_chromosome_is_cut_between_genes_at_its_end() -> None:
    genes = evenly(100, 100_000)
    chosen = choose({"1": 100_000}, {"1": genes})
    (validation,), (test,) = chosen.validation, chosen.test
    assert chosen.genes == {"train": 70, "validation": 10, "test": 20}
    assert validation.end == test.start
    assert test.end == 100_000
    for base in (validation.start, test.start):
        assert base is not None
        assert not ((genes[:, 0] < base) & (base < genes[:, 1])).any()
    assert chosen.train_bases == validation.start


def test_two_chromosomes_of_which_neither_fits_are_cut() -> None:
    lengths = {"a": 100_000, "b": 100_000}
    chosen = choose(lengths, {name: evenly(100, length) for name, length in lengths.items()})
    assert chosen.by == "region"
    assert min(chosen.genes.values()) > 0
    assert {part.name for part in (*chosen.validation, *chosen.test)} == {"b"}


def test_overlapping_genes_are_never_cut() -> None:
    genes = np.array([(0, 10_000), *((start, start + 1_200) for start in range(10_000, 90_000, 1_000))], np.int64)
    chosen = choose({"1": 200_000}, {"1": np.concatenate([genes, genes + 100_000])})
    for part in (*chosen.validation, *chosen.test):
        for row in np.concatenate([genes, genes + 100_000]):
            assert part.start is None or not row[0] < part.start < row[1]


def test_many_sequences_are_drawn_by_shares() -> None:
    lengths = {f"contig{number}": 5_000 for number in range(200)}
    chosen = choose(lengths, {name: evenly(3, 5_000) for name in lengths})
    assert (chosen.by, chosen.genes) == ("chromosome", {})


def test_several_genomes_name_their_sequences_with_the_genome() -> None:
    chosen = {
        name: choose({"1": 100_000, "2": 90_000, "3": 40_000}, {number: evenly(100, 40_000) for number in "123"})
        for name in "ab"
    }
    both = together(chosen)
    assert {str(part).split(":")[0] for part in (*both.validation, *both.test)} == {"a", "b"}
    assert both.genes == {split: 2 * count for split, count in chosen["a"].genes.items()}
    assert together({"a": chosen["a"]}) is chosen["a"]


def test_one_genome_of_many_sequences_makes_it_shares_for_all() -> None:
    draft = choose(
        {f"s{number}": 1_000 for number in range(80)}, {f"s{number}": evenly(2, 1_000) for number in range(80)}
    )
    whole = choose({"1": 100_000}, {"1": evenly(100, 100_000)})
    both = together({"draft": draft, "whole": whole})
    assert (both.by, both.validation, both.genes) == ("chromosome", [], {})


def assert_each_split_has_a_gene_of_its_own(
    chosen: HeldOut, lengths: dict[str, int], genes: dict[str, Intervals]
) -> None:
    counts = {"validation": 0, "test": 0}
    for split in counts:
        for part in getattr(chosen, split):
            start, end = part.start or 0, part.end or lengths[part.name]
            assert start < end
            counts[split] += int(((genes[part.name][:, 0] >= start) & (genes[part.name][:, 1] <= end)).sum())
    assert min(counts.values()) > 0
    assert sum(counts.values()) + chosen.crossing < sum(map(len, genes.values()))


@pytest.mark.parametrize("counts", [(3,), (4,), (6,), (1, 2), (2, 2), (1, 4), (1, 1, 1), (1, 1, 2, 1), (3, 1)])
def test_few_genes_are_divided_so_that_each_split_has_some(counts: tuple[int, ...]) -> None:
    lengths = {f"chr{number}": 10_000 for number in range(len(counts))}
    genes = {name: evenly(count, 10_000) for name, count in zip(lengths, counts, strict=True)}
    assert_each_split_has_a_gene_of_its_own(choose(lengths, genes), lengths, genes)


@pytest.mark.parametrize("giant", [(0, 100_000), (500, 80_000), (20_000, 99_000), (50, 130_000)])
def test_a_gene_over_most_of_a_sequence_does_not_keep_it_whole(giant: tuple[int, int]) -> None:
    genes = {"1": np.concatenate([evenly(100, 100_000), np.array([giant])])}
    chosen = choose({"1": 100_000}, genes)
    assert chosen.crossing == 1
    assert_each_split_has_a_gene_of_its_own(chosen, {"1": 100_000}, genes)
    assert chosen.genes["test"] == pytest.approx(20, abs=2)
    assert chosen.genes["validation"] == pytest.approx(10, abs=2)


@pytest.mark.parametrize("count", [3, 9, 10])
def test_a_gene_over_a_sequence_of_few_genes_does_not_keep_it_whole(count: int) -> None:
    genes = {"1": np.concatenate([evenly(count, 100_000), np.array([(0, 100_000)])])}
    chosen = choose({"1": 100_000}, genes)
    assert chosen.crossing == 1
    assert_each_split_has_a_gene_of_its_own(chosen, {"1": 100_000}, genes)


def test_of_many_genes_that_all_overlap_in_a_chain_few_are_tried_as_crossing() -> None:
    starts = np.arange(20_000) * 10
    genes = np.stack([starts, starts + 25], 1)
    assert (choose({"1": 300_000}, {"1": genes}).validation, choose({"1": 300_000}, {"1": genes}).test) == ([], [])


@pytest.mark.parametrize("counts", [(1,), (2,), (1, 1)])
def test_genes_that_cannot_be_divided_into_three_are_held_out_nowhere(counts: tuple[int, ...]) -> None:
    lengths = {f"chr{number}": 10_000 for number in range(len(counts))}
    chosen = choose(lengths, {name: evenly(count, 10_000) for name, count in zip(lengths, counts, strict=True)})
    assert (chosen.validation, chosen.test) == ([], [])
    assert chosen.genes == {"train": sum(counts), "validation": 0, "test": 0}
    whole = choose({"1": 100_000}, {"1": evenly(100, 100_000)})
    assert together({"few": chosen, "whole": whole}).genes == {"train": 70 + sum(counts), "validation": 10, "test": 20}
