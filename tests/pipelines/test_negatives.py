from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import intervals, negatives
from pipelines.config import CropConfig, NegativesConfig

LENGTH = 6_000


@st.composite
def gene_sets(draw: st.DrawFn) -> np.ndarray:
    spots = draw(st.lists(st.tuples(st.integers(0, LENGTH - 400), st.integers(1, 400)), min_size=1, max_size=20))
    return np.array([(start, start + size) for start, size in spots], np.int64)


def placed(genes: np.ndarray, config: NegativesConfig, crop: CropConfig) -> negatives.Placement:
    return negatives.place(genes, intervals.merge(genes), LENGTH, config, crop, ("toy", "chr1"))


modes = st.sampled_from(["shorten", "drop-pair", "keep"])
crops = st.sampled_from([CropConfig(), CropConfig(length=100), CropConfig(length=60, position="centre", margin=0)])


@settings(max_examples=40, deadline=None)
@given(gene_sets(), modes, crops, st.sampled_from([0.5, 1.0, 1.7]), st.integers(0, 5))
def test_negatives_keep_clear_of_genes_and_each_other(
    genes: np.ndarray, mode: str, crop: CropConfig, ratio: float, seed: int
) -> None:
    result = placed(genes, NegativesConfig(unplaced=mode, ratio=ratio, seed=seed), crop)
    spots = result.negatives
    assert not intervals.touches(spots, intervals.merge(genes)).any()
    assert ((spots[:, 0] >= 0) & (spots[:, 1] <= LENGTH)).all()
    assert len(intervals.merge(spots)) <= len(spots)
    assert (spots[:, 1] - spots[:, 0]).sum() == (np.diff(intervals.merge(spots), axis=1)).sum()


@settings(max_examples=40, deadline=None)
@given(gene_sets(), modes, crops, st.integers(0, 5))
def test_a_negative_has_the_length_of_its_gene_window(
    genes: np.ndarray, mode: str, crop: CropConfig, seed: int
) -> None:
    result = placed(genes, NegativesConfig(unplaced=mode, seed=seed), crop)
    windows = result.windows[result.partners]
    assert (np.diff(windows, axis=1) == np.diff(result.negatives, axis=1)).all()


@settings(max_examples=40, deadline=None)
@given(gene_sets(), modes, crops)
def test_a_window_lies_in_its_gene_and_within_the_crop(genes: np.ndarray, mode: str, crop: CropConfig) -> None:
    windows = placed(genes, NegativesConfig(unplaced=mode), crop).windows
    kept = windows[:, 0] >= 0
    assert (windows[kept, 0] >= genes[kept, 0]).all()
    assert (windows[kept, 1] <= genes[kept, 1]).all()
    if crop.length is not None:
        assert (np.diff(windows[kept], axis=1) <= crop.length).all()


def test_a_cropped_window_never_shows_the_ends_of_its_gene() -> None:
    genes = np.array([[100, 1100], [1200, 1300], [2000, 2600]])
    for seed in range(30):
        result = negatives.place(
            genes, intervals.merge(genes), LENGTH, NegativesConfig(seed=seed), CropConfig(length=512), ("toy", "chr1")
        )
        assert (result.windows[:, 0] >= genes[:, 0] + 6).all()
        assert (result.windows[:, 1] <= genes[:, 1] - 6).all()


def crowded() -> np.ndarray:
    return np.array([[start, start + 900] for start in range(0, LENGTH, 1000)], np.int64)


def test_shorten_crops_what_finds_no_room() -> None:
    result = placed(crowded(), NegativesConfig(unplaced="shorten"), CropConfig())
    lengths = np.diff(result.windows, axis=1)
    assert len(result.negatives) == len(crowded())
    assert (lengths <= 100).all()


def test_drop_pair_leaves_the_gene_out_too() -> None:
    result = placed(crowded(), NegativesConfig(unplaced="drop-pair"), CropConfig())
    assert (result.windows == -1).all()
    assert result.unplaced.sum() == 0


def test_keep_keeps_the_gene_alone() -> None:
    result = placed(crowded(), NegativesConfig(unplaced="keep"), CropConfig())
    assert (result.windows == crowded()).all()
    assert len(result.negatives) == 0


@pytest.mark.parametrize(("ratio", "expected"), [(0.5, 5), (1.0, 10), (2.0, 20)])
def test_ratio_is_the_number_of_negatives_per_gene(ratio: float, expected: int) -> None:
    genes = np.array([[start, start + 50] for start in range(0, LENGTH, 600)], np.int64)
    assert len(placed(genes, NegativesConfig(ratio=ratio), CropConfig()).negatives) == expected


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.3])
def test_a_ratio_holds_over_chromosomes_of_few_genes(ratio: float) -> None:
    genes = np.array([[600, 650], [900, 960]], np.int64)
    config = NegativesConfig(ratio=ratio)
    found = [
        negatives.place(genes, intervals.merge(genes), LENGTH, config, CropConfig(), ("toy", str(number)), 2 * number)
        for number in range(50)
    ]
    assert sum(len(one.negatives) for one in found) == int(100 * ratio)


def test_negatives_without_room_are_counted_beside_the_gene_that_stays() -> None:
    result = placed(crowded(), NegativesConfig(unplaced="keep", ratio=2), CropConfig())
    assert result.unplaced.sum() == 2 * len(crowded())


def test_verify_catches_a_negative_in_an_excluded_region() -> None:
    with pytest.raises(AssertionError, match="excluded"):
        negatives.verify(np.array([[5, 15]]), np.array([10]), np.array([[14, 20]]), 100)
