from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.splits import families
from tests.pipelines.splits import sketched

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


def test_similar_groups_follow_chains_and_leave_the_rest_alone(tmp_path: Path) -> None:
    text = sketched.random_text(0, 1500)
    texts = [text[800:1100], text[0:300], text[600:700], text[100:400], "ACGT", text[200:500]]
    files = sketched.write(tmp_path / "sketches", texts, tasks=2)
    groups = families.similar_groups(files, tmp_path / "work", len(texts), 1, 0.97)
    assert groups.tolist() == [0, 1, 2, 1, 3, 1]


def test_groups_that_are_merged_in_several_steps_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [sketched.random_text(seed % 11) for seed in range(80)]
    files = sketched.write(tmp_path / "sketches", texts)
    monkeypatch.setattr(families, "_MIN_PAIRS", 3)
    monkeypatch.setattr(families.similar, "PAIRS_IN_TASK", 200)
    groups = families.similar_groups(
        files, tmp_path / "work", len(texts), 1, 0.9, lambda tables, mapper: map(mapper, tables)
    )
    assert groups.tolist() == [seed % 11 for seed in range(80)]
