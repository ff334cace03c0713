from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.genome import intervals
from pipelines.splits import blocks
from pipelines.splits.blocks import Blocks


def splits_of(found: Blocks, genes: np.ndarray) -> np.ndarray:
    return np.array(found.names)[found.numbers(genes[:, 0])]


def genes(count: int, *, spacing: int = 100, length: int = 60) -> np.ndarray:
    starts = np.arange(count) * spacing
    return np.stack([starts, starts + length], axis=1)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 50), st.floats(0.05, 0.4), st.floats(0.05, 0.4), st.integers(1, 300), st.integers(20, 90))
def test_blocks_are_near_their_share_and_never_part_overlaps(
    seed: int, validation: float, test: float, count: int, length: int
) -> None:
    some = genes(count, spacing=50, length=length)
    some = some[np.arange(count) % 7 != 5]
    found = blocks.cut(some, int(some.max()) + 10, {"test": test, "validation": validation}, seed)
    splits = splits_of(found, some)
    for name, share in (("validation", validation), ("test", test)):
        assert found.splits.count(name) <= max(1, share * len(some) // blocks.SMALLEST_BLOCK)
        clusters = np.bincount(intervals.clusters(some))
        assert abs((splits == name).sum() - share * len(some)) <= clusters.max() * (found.splits.count(name) + 1)
    assert (np.diff(found.ends) > 0).all()
    for number, end in enumerate(found.ends[:-1].tolist()):
        assert not ((some[:, 0] < end) & (some[:, 1] > end)).any()
        assert found.splits[number] != found.splits[number + 1]


def test_blocks_are_several_so_that_they_show_the_whole_chromosome() -> None:
    some = genes(4000)
    found = blocks.cut(some, 400_000, {"test": 0.1, "validation": 0.1}, 0)
    splits = splits_of(found, some)
    for half in (splits[:2000], splits[2000:]):
        assert set(half) == {"train", "validation", "test"}
    assert found.splits.count("test") <= blocks.MOST_BLOCKS


def test_the_blocks_of_a_split() -> None:
    found = Blocks(np.array([100, 150, 400, 500]), ("train", "test", "train", "validation"))
    assert found.of("train").tolist() == [[0, 100], [150, 400]]
    assert found.of("test").tolist() == [[100, 150]]
    assert Blocks.whole(500).of("").tolist() == [[0, 500]]


@pytest.mark.parametrize(("start", "name"), [(0, "train"), (99, "train"), (100, "test"), (149, "test"), (150, "train")])
def test_a_start_lies_in_the_block_that_begins_before_or_at_it(start: int, name: str) -> None:
    found = Blocks(np.array([100, 150, 400]), ("train", "test", "train"))
    assert found.names[found.numbers(np.array([start]))[0]] == name
