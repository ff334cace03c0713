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
def test_merged_groups_are_the_connected_components(pairs: list[tuple[int, int]]) -> None:
    groups, others = (np.array(column) for column in zip(*pairs, strict=True))
    expected = [{row} for row in range(len(pairs))]
    for row, (group, other) in enumerate(pairs):
        connected = [
            component
            for component in expected
            if any(pairs[member][0] == group or pairs[member][1] == other for member in component)
        ]
        expected = [component for component in expected if component not in connected]
        expected.append(set().union(*connected, {row}))
    assert partition(families.merge_groups(groups, others)) == {frozenset(component) for component in expected}


def test_similar_groups_follow_chains_and_leave_the_rest_alone() -> None:
    letters = np.random.default_rng(0).choice(list("ACGT"), 1500)
    text = "".join(letters)
    chain = [text[0:300], text[100:400], text[200:500], text[800:1100], text[600:700]]
    codes = sequence.base_codes(np.frombuffer("".join(chain).encode(), np.uint8))
    sketches = sketch.sketch(codes, np.array([len(piece) for piece in chain]), np.arange(5), 2)
    assert partition(families.similar_groups(sketches, 6, 1, 0.97)) == {
        frozenset({0, 1, 2}),
        frozenset({3}),
        frozenset({4}),
        frozenset({5}),
    }
