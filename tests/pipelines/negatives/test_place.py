from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import KINDS, CropConfig, NegativesConfig
from pipelines.genome import intervals
from pipelines.negatives import antisense, cropping, partial, place
from pipelines.negatives.place import ANTISENSE, DINUCLEOTIDE, PARTIAL, SHUFFLE
from pipelines.splits.blocks import Blocks
from tests.hypothesis_profiles import examples

LENGTH = 6_000


@st.composite
def gene_sets(draw: st.DrawFn) -> np.ndarray:
    bounds = draw(st.lists(st.tuples(st.integers(0, LENGTH - 400), st.integers(1, 400)), min_size=1, max_size=20))
    return np.array([(start, start + size) for start, size in bounds], np.int64)


def site(genes: np.ndarray, *, name: str = "chr1", earlier: int = 0, flips: int = 3) -> place.Chromosome:
    """A chromosome of these genes; one in so many lies on the reverse strand."""
    strands = np.where(np.arange(len(genes)) % flips == 1, -1, 1).astype(np.int8)
    return place.Chromosome(
        ("toy", name), Blocks.whole(LENGTH), genes, strands, genes, strands, intervals.empty(), earlier
    )


def placed(genes: np.ndarray, config: NegativesConfig, crop: CropConfig) -> place.Placement:
    return place.place_negatives(site(genes), config, crop)


modes = st.sampled_from(["shorten", "drop-pair", "keep"])
crops = st.sampled_from(
    [
        CropConfig(),
        CropConfig(length=100),
        CropConfig(length=60, position="centre", margin=0),
        CropConfig(length=50, per_gene=3),
        CropConfig(length=40, per_gene=9, margin=0),
    ]
)


@examples(40)
@given(gene_sets(), modes, crops, st.sampled_from([0.5, 1.0, 1.7]), st.integers(0, 5))
def test_negatives_keep_clear_of_genes_and_each_other(
    genes: np.ndarray, mode: str, crop: CropConfig, ratio: float, seed: int
) -> None:
    result = placed(genes, NegativesConfig(unplaced=mode, ratio=ratio, seed=seed), crop)
    bounds = result.negatives
    assert not intervals.overlaps(bounds, intervals.merge(genes)).any()
    assert ((bounds[:, 0] >= 0) & (bounds[:, 1] <= LENGTH)).all()
    assert len(intervals.merge(bounds)) <= len(bounds)
    assert (bounds[:, 1] - bounds[:, 0]).sum() == (np.diff(intervals.merge(bounds), axis=1)).sum()


@examples(40)
@given(gene_sets(), modes, crops, st.integers(0, 5))
def test_a_gene_left_out_has_the_window_that_the_crop_says(
    genes: np.ndarray, mode: str, crop: CropConfig, seed: int
) -> None:
    result = placed(genes, NegativesConfig(unplaced=mode, seed=seed), crop)
    away = result.reasons != ""
    assert (result.left_out[~away] == -1).all()
    assert (result.windows[away] == -1).all()
    windows, whole = result.left_out[away], genes[result.genes[away]]
    sites, _ = cropping.window_sites(genes, crop)
    assert np.array_equal(windows[:, 1] - windows[:, 0], cropping.window_lengths(sites[away], crop))
    assert ((windows[:, 0] >= whole[:, 0]) & (windows[:, 1] <= whole[:, 1])).all()


@examples(40)
@given(gene_sets(), modes, crops, st.integers(0, 5))
def test_a_negative_has_the_length_of_its_gene_window(
    genes: np.ndarray, mode: str, crop: CropConfig, seed: int
) -> None:
    result = placed(genes, NegativesConfig(unplaced=mode, seed=seed), crop)
    cuts = result.windows[result.partners]
    assert (np.diff(cuts, axis=1) == np.diff(result.negatives, axis=1)).all()


@examples(40)
@given(gene_sets(), modes, crops)
def test_a_window_lies_in_its_gene_and_within_the_crop(genes: np.ndarray, mode: str, crop: CropConfig) -> None:
    result = placed(genes, NegativesConfig(unplaced=mode), crop)
    windows = result.windows
    kept = windows[:, 0] >= 0
    whole = genes[result.genes[kept]]
    assert (windows[kept, 0] >= whole[:, 0]).all()
    assert (windows[kept, 1] <= whole[:, 1]).all()
    if crop.length is not None:
        assert (np.diff(windows[kept], axis=1) <= crop.length).all()


def test_a_cropped_window_never_shows_the_ends_of_its_gene() -> None:
    genes = np.array([[100, 1100], [1200, 1300], [2000, 2600]])
    for seed in range(30):
        result = placed(genes, NegativesConfig(seed=seed), CropConfig(length=512))
        assert (result.windows[:, 0] >= genes[:, 0] + 6).all()
        assert (result.windows[:, 1] <= genes[:, 1] - 6).all()


def crowded() -> np.ndarray:
    return np.array([[start, start + 900] for start in range(0, LENGTH, 1000)], np.int64)


def test_shorten_crops_genes_whose_negatives_do_not_fit() -> None:
    result = placed(crowded(), NegativesConfig(unplaced="shorten"), CropConfig())
    lengths = np.diff(result.windows, axis=1)
    assert len(result.negatives) == len(crowded())
    assert (lengths <= 100).all()


def test_drop_pair_leaves_the_gene_out_too() -> None:
    result = placed(crowded(), NegativesConfig(unplaced="drop-pair"), CropConfig())
    assert (result.windows == -1).all()
    assert result.missing.sum() == 0


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
    sites = [site(genes, name=str(number), earlier=2 * number) for number in range(20)]
    placements = [place.place_negatives(chromosome, config, CropConfig()) for chromosome in sites]
    assert sum(len(placement.negatives) for placement in placements) == int(40 * ratio)


def test_missing_negatives_of_a_gene_that_is_kept_are_counted() -> None:
    result = placed(crowded(), NegativesConfig(unplaced="keep", ratio=2), CropConfig())
    assert result.missing.sum() == 2 * len(crowded())


mixes = st.dictionaries(st.sampled_from(KINDS), st.floats(0.1, 3), min_size=1)


@examples(60)
@given(gene_sets(), modes, crops, mixes, st.sampled_from([0.7, 1.0, 2.0, 3.0]), st.integers(0, 5))
def test_every_kind_is_what_it_says_and_as_long_as_the_window(
    genes: np.ndarray, mode: str, crop: CropConfig, kinds: dict[str, float], ratio: float, seed: int
) -> None:
    config = NegativesConfig(kinds=kinds, unplaced=mode, ratio=ratio, seed=seed)
    chromosome = site(genes)
    result = place.place_negatives(chromosome, config, crop)
    bounds, cuts = result.negatives, result.windows[result.partners]
    whole = genes[result.genes[result.partners]]
    assert {KINDS[kind] for kind in result.kinds} <= set(kinds)
    assert (np.diff(bounds, axis=1) == np.diff(cuts, axis=1)).all()
    assert ((bounds[:, 0] >= 0) & (bounds[:, 1] <= LENGTH)).all()
    assert ((cuts[:, 0] >= whole[:, 0]) & (cuts[:, 1] <= whole[:, 1])).all()
    shuffled, partial = result.kinds == SHUFFLE, result.kinds == PARTIAL
    flipped = result.kinds == ANTISENSE
    within = flipped | (result.kinds == DINUCLEOTIDE)
    assert (bounds[within] == cuts[within]).all()
    strands = chromosome.strands[result.genes[result.partners]]
    assert antisense.is_clear(bounds[flipped], strands[flipped], genes, chromosome.strands).all()
    assert len(np.unique(result.partners[flipped])) == flipped.sum()
    assert not intervals.overlaps(bounds[shuffled], intervals.merge(genes)).any()
    inside = np.minimum(bounds[:, 1], whole[:, 1]) - np.maximum(bounds[:, 0], whole[:, 0])
    size = np.diff(bounds, axis=1)[:, 0]
    assert (4 * inside[partial] >= size[partial]).all()
    assert (4 * inside[partial] <= 3 * size[partial]).all()
    outside = np.where(
        bounds < whole, np.stack([bounds[:, 0], whole[:, 0]], 1), np.stack([whole[:, 1], bounds[:, 1]], 1)
    )
    free = np.concatenate([outside[partial], bounds[shuffled]])
    assert not intervals.overlaps(free, intervals.merge(genes)).any()
    if crop.per_gene == 1:
        assert np.diff(intervals.merge(free), axis=1).sum() == np.diff(free, axis=1).sum()


@examples(60)
@given(gene_sets(), modes, crops, mixes, st.sampled_from([0.7, 1.0, 2.0]))
def test_every_requested_negative_is_placed_or_counted_and_every_gene_kept_or_given_a_reason(
    genes: np.ndarray, mode: str, crop: CropConfig, kinds: dict[str, float], ratio: float
) -> None:
    result = placed(genes, NegativesConfig(kinds=kinds, unplaced=mode, ratio=ratio), crop)
    left_out = result.windows[:, 0] < 0
    assert ((result.reasons != "") == left_out).all()
    assert not np.isin(result.partners, np.flatnonzero(left_out)).any()
    if mode == "keep":
        assert len(result.negatives) + result.missing.sum() == int(len(result.windows) * ratio)


@examples(80)
@given(gene_sets(), modes, mixes, st.integers(1, 9), st.integers(0, 6), st.sampled_from([1.0, 2.0]))
def test_windows_of_a_gene_share_no_base_and_no_negative_is_there_twice(
    genes: np.ndarray, mode: str, kinds: dict[str, float], per_gene: int, margin: int, ratio: float
) -> None:
    # Copies of a gene have the same partial negatives, as they are the same gene to them.
    genes = np.unique(genes, axis=0)
    crop = CropConfig(length=40, per_gene=per_gene, margin=margin)
    result = placed(genes, NegativesConfig(kinds=kinds, unplaced=mode, ratio=ratio), crop)
    windows = np.maximum(result.windows, result.left_out)
    for gene in range(len(genes)):
        own = windows[result.genes == gene]
        room = (int(np.diff(genes[gene])[0]) - 2 * margin) // 40
        assert len(own) == max(1, min(per_gene, room))
        assert np.diff(intervals.merge(own), axis=1).sum() == np.diff(own, axis=1).sum()
    for kind in (SHUFFLE, ANTISENSE, PARTIAL):
        rows = np.column_stack([result.negatives, result.genes[result.partners]])[result.kinds == kind]
        assert len(np.unique(rows, axis=0)) == len(rows)


@pytest.mark.parametrize("genes_each", [1, 8, 100])
def test_parts_hold_over_chromosomes_however_few_their_genes(genes_each: int) -> None:
    genes = np.array([[600 + 40 * number, 630 + 40 * number] for number in range(genes_each)], np.int64)
    config = NegativesConfig(kinds={"shuffle": 1, "dinucleotide": 3})
    total = 0
    for number in range(200 // genes_each):
        chromosome = site(genes, name=str(number), earlier=genes_each * number)
        total += int((place.place_negatives(chromosome, config, CropConfig()).kinds == DINUCLEOTIDE).sum())
    assert abs(total - 150) <= 3


def test_a_gene_under_another_strands_gene_is_cut_to_what_is_clear() -> None:
    genes = np.array([[1000, 2000], [1600, 2600]], np.int64)
    config = NegativesConfig(kinds={"antisense": 1})
    result = place.place_negatives(site(genes, flips=2), config, CropConfig())
    assert result.windows.tolist() == [[1000, 1600], [2000, 2600]]
    left = place.place_negatives(
        site(genes, flips=2), NegativesConfig(kinds={"antisense": 1}, unplaced="drop-pair"), CropConfig()
    )
    assert left.reasons.tolist() == ["gene_on_other_strand"] * 2


def test_a_gene_without_free_bases_next_to_it_has_no_partial_negative() -> None:
    genes = np.array([[0, 1000], [1010, 2000], [2010, LENGTH]], np.int64)
    for mode, kept in (("drop-pair", False), ("keep", True)):
        result = placed(genes, NegativesConfig(kinds={"partial": 1}, unplaced=mode), CropConfig())
        assert (result.windows[1] >= 0).all() == kept
        assert len(result.negatives) == 0
    shortened = placed(genes, NegativesConfig(kinds={"partial": 1}), CropConfig())
    assert (np.diff(shortened.negatives, axis=1) == 40).all()


def test_shuffled_negatives_keep_the_flank_from_features_and_off_runs_of_n() -> None:
    genes = np.array([[start, start + 100] for start in range(500, LENGTH, 1_000)], np.int64)
    runs_of_n = np.array([[start, start + 200] for start in range(0, LENGTH, 1_000)], np.int64)
    chromosome = replace(site(genes), runs_of_n=runs_of_n)
    result = place.place_negatives(chromosome, NegativesConfig(flank=150, ratio=3), CropConfig())
    assert len(result.negatives) > 8
    assert not intervals.overlaps(result.negatives, runs_of_n).any()
    assert not intervals.overlaps(result.negatives, intervals.widen(genes, 150, LENGTH)).any()


def test_partial_negatives_keep_off_runs_of_n() -> None:
    genes = np.array([[1_000, 2_000]], np.int64)
    chromosome = replace(site(genes), runs_of_n=np.array([[900, 990], [2_010, 2_100]], np.int64))
    result = place.place_negatives(chromosome, NegativesConfig(kinds={"partial": 1}), CropConfig())
    assert np.diff(result.negatives, axis=1).tolist() == [[40]]


@pytest.mark.parametrize("kind", ["shuffle", "dinucleotide", "antisense"])
def test_of_a_genes_negatives_the_kind_with_the_least_choice_decides_the_length(kind: str) -> None:
    genes = np.array([[0, 1_000], [1_010, 2_000], [2_010, LENGTH - 10]], np.int64)
    config = NegativesConfig(kinds={"partial": 1, kind: 1}, ratio=2)
    result = place.place_negatives(site(genes), config, CropConfig())
    with_partial = result.partners[result.kinds == PARTIAL]
    assert len(with_partial) >= 2
    assert (np.diff(result.windows[with_partial], axis=1) <= 40).all()


def test_the_same_genes_and_seed_give_the_same_windows_and_negatives_in_every_version() -> None:
    genes = np.array([[100, 1_100], [1_400, 2_100], [2_000, 2_900], [4_000, 5_000]], np.int64)
    config = NegativesConfig(kinds={"dinucleotide": 1, "antisense": 1, "partial": 1}, ratio=1.5, seed=3)
    result = place.place_negatives(site(genes), config, CropConfig(length=300))
    assert result.windows.tolist() == [[363, 663], [1560, 1860], [2291, 2591], [4367, 4667]]
    by_kind = {name: result.negatives[result.kinds == kind].tolist() for kind, name in enumerate(KINDS)}
    assert by_kind == {
        "shuffle": [],
        "dinucleotide": [[363, 663], [1560, 1860], [4367, 4667]],
        "antisense": [[2291, 2591], [4367, 4667]],
        "partial": [[2702, 3002]],
    }
    assert result.partners.tolist() == [0, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_negatives_keep_clear_of_partial_ones(seed: int) -> None:
    genes = np.array([[0, 2_900], [3_100, LENGTH]], np.int64)
    config = NegativesConfig(kinds={"partial": 1, "shuffle": 1}, ratio=2, seed=seed, unplaced="keep")
    result = place.place_negatives(site(genes), config, CropConfig(length=60))
    partial, shuffled = (result.negatives[result.kinds == kind] for kind in (PARTIAL, SHUFFLE))
    assert len(partial) > 0
    assert len(shuffled) > 0
    assert not intervals.overlaps(shuffled, intervals.merge(partial)).any()


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ([1_000, 1_100], "too far in or out of its gene"),
        ([976, 1_076], "too far in or out of its gene"),
        ([924, 1_024], "too far in or out of its gene"),
        ([1_950, 2_050], "touches another feature"),
    ],
)
def test_a_wrong_partial_negative_is_refused(bounds: list[int], message: str) -> None:
    gene, occupied = np.array([1_000, 2_000]), np.array([[1_000, 2_000], [2_049, 3_000]])
    with pytest.raises(AssertionError, match=message):
        place._verify_partial(np.array(bounds), gene, occupied)


def test_a_partial_negative_in_the_row_of_another_gene_is_refused() -> None:
    gene = np.array([1_000, 2_000])
    with pytest.raises(AssertionError, match="row of another gene"):
        place._verify_partial(np.array([1_950, 2_050]), gene, gene[None], np.array([900, 2_049]))


def test_a_partial_negative_of_a_quarter_to_three_quarters_of_its_gene_is_accepted() -> None:
    gene = np.array([1_000, 2_000])
    for bounds in ([975, 1_075], [925, 1_025], [1_975, 2_075]):
        place._verify_partial(np.array(bounds), gene, gene[None])


@st.composite
def genes_in_rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Rows of genes that may overlap, and the part of each that is the gene."""
    rows, parts = draw(gene_sets()), []
    for start, end in rows.tolist():
        first = draw(st.integers(start, end - 1))
        parts.append((first, draw(st.integers(first + 1, end))))
    return rows, np.array(parts, np.int64)


@examples(100)
@given(genes_in_rows(), gene_sets(), modes, st.integers(1, 3), st.integers(0, 5))
def test_beside_a_part_of_a_row_partial_negatives_lie_in_that_row_or_in_none(
    genes: tuple[np.ndarray, np.ndarray], others: np.ndarray, mode: str, per_gene: int, seed: int
) -> None:
    rows, parts = genes
    strands = np.ones(len(rows) + len(others), np.int8)
    features = np.concatenate([rows, others])
    chromosome = replace(
        site(parts), features=features, feature_strands=strands, rows=rows, others=others, strands=strands[: len(rows)]
    )
    config = NegativesConfig(kinds={"partial": 3, "shuffle": 1}, unplaced=mode, ratio=2, seed=seed)
    result = place.place_negatives(chromosome, config, CropConfig(length=40, per_gene=per_gene))
    for (start, end), window, kind in zip(result.negatives.tolist(), result.partners, result.kinds, strict=True):
        own = result.genes[window]
        outside = set(range(start, end))
        if kind == PARTIAL:
            outside -= set(range(*parts[own].tolist()))
            assert 0.25 * (end - start) <= len(outside) <= 0.75 * (end - start)
            forbidden = np.concatenate([np.delete(rows, own, axis=0), others])
        else:
            forbidden = features
        assert not any(outside & set(range(first, last)) for first, last in forbidden.tolist())


@examples(200)
@given(genes_in_rows(), gene_sets())
def test_the_reach_of_partial_negatives_equals_a_base_by_base_search(
    genes: tuple[np.ndarray, np.ndarray], others: np.ndarray
) -> None:
    rows, parts = genes
    reaches = partial.reaches(parts, rows, others, LENGTH)
    for number, (start, end) in enumerate(parts.tolist()):
        obstacles = np.concatenate([np.delete(rows, number, axis=0), others]).tolist()
        taken = {base for first, last in obstacles for base in range(first, last)}
        low, high = start, end
        while low > 0 and low - 1 not in taken:
            low -= 1
        while high < LENGTH and high not in taken:
            high += 1
        assert reaches[number].tolist() == [low, high]
