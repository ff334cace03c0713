from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.genome import sequence
from pipelines.splits import families, sketch

numbers = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30)


def partition(groups: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(groups == group).tolist()) for group in np.unique(groups)}


@given(numbers)
def test_joined_groups_are_the_connected_ones(pairs: list[tuple[int, int]]) -> None:
    some, others = (np.array(column) for column in zip(*pairs, strict=True))
    expected = [{row} for row in range(len(pairs))]
    for row, (mine, yours) in enumerate(pairs):
        near = [group for group in expected if any(pairs[at][0] == mine or pairs[at][1] == yours for at in group)]
        joined = set().union(*near, {row})
        expected = [group for group in expected if group not in near] + [joined]
    assert partition(families.joined(some, others)) == {frozenset(group) for group in expected}


def test_alike_follows_chains_and_leaves_the_rest_alone() -> None:
    letters = np.random.default_rng(0).choice(list("ACGT"), 1500)
    text = "".join(letters)
    chain = [text[0:300], text[100:400], text[200:500], text[800:1100], text[600:700]]
    codes = sequence.base_codes(np.frombuffer("".join(chain).encode(), np.uint8))
    found = sketch.sketch(codes, np.array([len(one) for one in chain]), np.arange(5), 2)
    assert partition(families.alike(found, 6, 1, 0.97)) == {
        frozenset({0, 1, 2}),
        frozenset({3}),
        frozenset({4}),
        frozenset({5}),
    }
