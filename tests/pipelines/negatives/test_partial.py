from __future__ import annotations

import numpy as np

from pipelines.negatives.partial import GeneEdges

OCCUPIED = np.array([[100, 300], [340, 500]])


def test_an_edge_carries_one_negative_and_no_base_of_a_gap_two() -> None:
    edges, generator = GeneEdges(OCCUPIED, 1000), np.random.default_rng(0)
    placed = [edges.place(gene, 100, 100, generator) for gene in (*OCCUPIED, *OCCUPIED)]
    outside = np.ones(1000, int)
    outside[100:300] = outside[340:500] = 0
    seen = np.zeros(1000, int)
    for start, end in placed:
        if start >= 0:
            seen[start:end] += outside[start:end]
    assert seen.max() == 1
    assert sum(start >= 0 for start, _ in placed) >= 3


def test_an_edge_may_carry_several_negatives_each_with_other_bases_outside() -> None:
    gene = np.array([1000, 2000])
    edges, generator = GeneEdges(gene[None], 3000, per_edge=40), np.random.default_rng(0)
    placed = [tuple(edges.place(gene, 30, 30, generator).tolist()) for _ in range(60)]
    # 8 to 22 of 30 bases may lie outside, on either side.
    assert len(set(placed) - {(-1, -1)}) == 30 == 60 - placed.count((-1, -1))
    assert all(start < 1000 < end or start < 2000 < end for start, end in placed if start >= 0)


def test_an_edge_inside_another_feature_carries_no_negative() -> None:
    edges = GeneEdges(np.array([[100, 500]]), 1000)
    assert edges.place(np.array([200, 300]), 50, 30, np.random.default_rng(0)).tolist() == [-1, -1]


def test_the_whole_range_from_a_quarter_to_three_quarters_is_drawn() -> None:
    inside = []
    for seed in range(300):
        start, end = GeneEdges(np.array([[1000, 2000]]), 3000).place(
            np.array([1000, 2000]), 100, 100, np.random.default_rng(seed)
        )
        inside.append(int(min(end, 2000) - max(start, 1000)))
    assert (min(inside), max(inside)) == (25, 75)


def test_at_the_start_of_a_chromosome_a_negative_is_as_long_as_the_free_bases_allow() -> None:
    bounds = GeneEdges(np.array([[10, 1000]]), 1000).place(np.array([10, 1000]), 400, 30, np.random.default_rng(0))
    assert bounds.tolist() == [0, 40]
