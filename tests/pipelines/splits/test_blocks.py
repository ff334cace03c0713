from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.genome import intervals
from pipelines.splits import blocks
from pipelines.splits.blocks import Blocks
from tests.hypothesis_profiles import examples


def splits_of(cut: Blocks, genes: np.ndarray) -> np.ndarray:
    return np.array(cut.split_names)[cut.split_numbers(genes[:, 0])]


def genes(count: int, *, spacing: int = 100, length: int = 60) -> np.ndarray:
    starts = np.arange(count) * spacing
    return np.stack([starts, starts + length], axis=1)


@examples(50)
@given(st.integers(0, 50), st.floats(0.05, 0.4), st.floats(0.05, 0.4), st.integers(1, 300), st.integers(20, 90))
def test_blocks_are_near_their_share_and_separate_no_overlapping_genes(
    seed: int, validation: float, test: float, count: int, length: int
) -> None:
    bounds = genes(count, spacing=50, length=length)
    bounds = bounds[np.arange(count) % 7 != 5]
    cut = blocks.cut(bounds, int(bounds.max()) + 10, {"test": test, "validation": validation}, seed)
    splits = splits_of(cut, bounds)
    for name, share in (("validation", validation), ("test", test)):
        assert cut.splits.count(name) <= max(1, share * len(bounds) // blocks.MIN_BLOCK_GENES)
        clusters = np.bincount(intervals.clusters(bounds))
        assert abs((splits == name).sum() - share * len(bounds)) <= clusters.max() * (cut.splits.count(name) + 1)
    assert (np.diff(cut.ends) > 0).all()
    for number, end in enumerate(cut.ends[:-1].tolist()):
        assert not ((bounds[:, 0] < end) & (bounds[:, 1] > end)).any()
        assert cut.splits[number] != cut.splits[number + 1]


def test_every_split_has_blocks_in_both_halves_of_a_large_chromosome() -> None:
    bounds = genes(4000)
    cut = blocks.cut(bounds, 400_000, {"test": 0.1, "validation": 0.1}, 0)
    splits = splits_of(cut, bounds)
    for half in (splits[:2000], splits[2000:]):
        assert set(half) == {"train", "validation", "test"}
    assert cut.splits.count("test") <= blocks.MAX_BLOCKS


def test_the_blocks_of_a_split_are_given_in_order() -> None:
    cut = Blocks(np.array([100, 150, 400, 500]), ("train", "test", "train", "validation"))
    assert [own.tolist() for own in cut.of_splits()] == [[[0, 100], [150, 400]], [[100, 150]], [[400, 500]]]
    assert cut.splits_holding(np.array([[0, 100], [90, 110], [100, 150], [450, 501]])).tolist() == [0, -1, 1, -1]
    assert [own.tolist() for own in Blocks.whole(500).of_splits()] == [[[0, 500]]]


@pytest.mark.parametrize(("start", "name"), [(0, "train"), (99, "train"), (100, "test"), (149, "test"), (150, "train")])
def test_a_start_is_in_the_block_that_begins_before_or_at_it(start: int, name: str) -> None:
    cut = Blocks(np.array([100, 150, 400]), ("train", "test", "train"))
    assert cut.split_names[cut.split_numbers(np.array([start]))[0]] == name
