from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import CropConfig
from pipelines.negatives import cropping


def genes(*lengths: int) -> np.ndarray:
    """Genes of these lengths, each at its own thousand."""
    return np.array([[1_000 * number, 1_000 * number + length] for number, length in enumerate(lengths)], np.int64)


@pytest.mark.parametrize(
    ("gene", "window"),
    [(1_000, 100), (112, 100), (111, 99), (42, 30), (41, 30), (30, 30), (29, 29), (1, 1)],
)
def test_a_gene_too_short_for_its_margins_still_shows_30_bases(gene: int, window: int) -> None:
    assert cropping.window_lengths(genes(gene), CropConfig(length=100, margin=6)).tolist() == [window]


def test_without_a_crop_a_window_is_the_whole_gene() -> None:
    whole = genes(10, 1_000)
    lengths = cropping.window_lengths(whole, CropConfig())
    assert cropping.cut_windows(whole, lengths, CropConfig(), np.random.default_rng(0)).tolist() == whole.tolist()


def test_a_centred_window_has_as_many_bases_on_either_side() -> None:
    crop = CropConfig(length=100, position="centre")
    windows = cropping.cut_windows(genes(300, 301), np.array([100, 100]), crop, np.random.default_rng(0))
    assert windows.tolist() == [[100, 200], [1_100, 1_200]]


@given(st.integers(1, 400), st.integers(30, 200), st.integers(0, 50), st.integers(0, 9))
def test_a_random_window_keeps_the_margins_or_as_much_of_them_as_the_gene_has(
    length: int, crop_length: int, margin: int, seed: int
) -> None:
    crop = CropConfig(length=crop_length, margin=margin)
    lengths = cropping.window_lengths(genes(length), crop)
    start, end = cropping.cut_windows(genes(length), lengths, crop, np.random.default_rng(seed))[0]
    kept_margin = min(margin, (length - int(lengths[0])) // 2)
    assert start >= kept_margin
    assert end <= length - kept_margin
    assert end - start == lengths[0]


def test_every_offset_is_drawn() -> None:
    crop, gene = CropConfig(length=30, margin=2), genes(40)
    generator = np.random.default_rng(0)
    starts = {int(cropping.cut_windows(gene, np.array([30]), crop, generator)[0, 0]) for _ in range(200)}
    assert starts == set(range(2, 9))


lengths_of_genes = st.lists(st.integers(1, 2_000), min_size=1, max_size=8)


@given(lengths_of_genes, st.integers(20, 300), st.integers(1, 9), st.integers(0, 10))
def test_the_sites_of_a_gene_cover_it_and_each_has_room_for_a_window(
    sizes: list[int], length: int, per_gene: int, margin: int
) -> None:
    crop = CropConfig(length=length, per_gene=per_gene, margin=margin)
    whole = np.array([(100, 100 + size) for size in sizes], np.int64)
    sites, gene = cropping.window_sites(whole, crop)
    assert np.array_equal(np.bincount(gene, minlength=len(whole)), cropping.window_counts(whole, crop))
    for number, bounds in enumerate(whole.tolist()):
        own = sites[gene == number]
        assert [own[0, 0], own[-1, 1]] == bounds
        assert (own[1:, 0] + margin == own[:-1, 1] - margin).all()
        if len(own) > 1:
            assert (cropping.window_lengths(own, crop) == length).all()


def test_one_window_a_gene_may_lie_anywhere_in_it() -> None:
    whole = np.array([[0, 5_000], [10, 40]])
    sites, gene = cropping.window_sites(whole, CropConfig(length=100))
    assert np.array_equal(sites, whole)
    assert gene.tolist() == [0, 1]
