from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import CropConfig, NegativesConfig
from pipelines.genome import intervals
from pipelines.metrics import auroc
from pipelines.negatives import matching, place
from pipelines.splits.blocks import Blocks

LETTERS = np.frombuffer(b"ACGTacgtNR", np.uint8)


@given(st.integers(0, 1000), st.integers(3, 40))
def test_shares_equal_a_count_of_letters_whatever_the_chunk(seed: int, chunk: int) -> None:
    generator = np.random.default_rng(seed)
    bases = generator.choice(LETTERS, 100)
    starts = generator.integers(0, 99, 20)
    bounds = np.stack([starts, np.minimum(starts + generator.integers(1, 60, 20), 100)], axis=1)
    default_chunk, matching.CHUNK = matching.CHUNK, chunk
    try:
        shares = matching.measure_shares(lambda start, end: bases[start:end], 100, ["soft_masked", "gc"], bounds)
    finally:
        matching.CHUNK = default_chunk
    for (start, end), (masked, gc) in zip(bounds.tolist(), shares.tolist(), strict=True):
        text = bases[start:end].tobytes().decode()
        known = sum(text.upper().count(base) for base in "ACGT")
        strong = sum(text.upper().count(base) for base in "GC")
        assert np.isclose(gc, strong / known if known else 0)
        assert np.isclose(masked, sum(letter.islower() for letter in text) / len(text))


@given(st.integers(0, 10_000), st.floats(0.01, 0.5))
def test_chosen_candidates_match_in_length_and_shares_and_never_overlap(seed: int, tolerance: float) -> None:
    generator = np.random.default_rng(seed)
    lengths = generator.choice([10, 20, 30], 15)
    sizes = generator.choice([10, 20, 30], 60)
    starts = generator.integers(0, 400, 60)
    candidates = np.stack([starts, starts + sizes], axis=1)
    targets, offered_shares = generator.random((15, 2)), generator.random((60, 2))
    chosen = matching.choose_candidates(lengths, targets, candidates, offered_shares, tolerance)
    genes = np.flatnonzero(chosen >= 0)
    assert len(set(chosen[genes].tolist())) == len(genes)
    assert (sizes[chosen[genes]] == lengths[genes]).all()
    assert (np.abs(offered_shares[chosen[genes]] - targets[genes]) <= tolerance).all()
    taken = candidates[chosen[genes]]
    assert intervals.merge(taken)[:, 1].sum() - intervals.merge(taken)[:, 0].sum() == lengths[genes].sum()
    for gene in np.flatnonzero(chosen < 0):
        for candidate in np.flatnonzero(sizes == lengths[gene]):
            near = (np.abs(offered_shares[candidate] - targets[gene]) <= tolerance).all()
            assert not near or intervals.overlaps(candidates[candidate : candidate + 1], intervals.merge(taken)).any()


def test_a_match_is_found_behind_many_nearer_in_gc_that_are_masked_otherwise() -> None:
    count = 5 * matching.MAX_TRIES
    starts = 10 * np.arange(count + 1)
    offered_shares = np.append(np.tile([0.5, 1.0], (count, 1)), [[0.515, 0.0]], axis=0)
    chosen = matching.choose_candidates(
        np.array([10]), np.array([[0.5, 0.01]]), np.stack([starts, starts + 10], axis=1), offered_shares, 0.02
    )
    assert chosen.tolist() == [count]


def chromosome() -> tuple[np.ndarray, np.ndarray]:
    """Genes rich in GC among stretches of which one in four is."""
    generator = np.random.default_rng(0)
    pieces, genes = [], []
    for number in range(300):
        rich = number % 2 == 0 or number % 8 == 1
        pieces.append(generator.choice(LETTERS[:4], 300, p=[0.2, 0.3, 0.3, 0.2] if rich else [0.35, 0.15, 0.15, 0.35]))
        if number % 2 == 0:
            genes.append((number * 300, number * 300 + 300))
    return np.concatenate(pieces), np.array(genes)


def site(genes: np.ndarray, length: int) -> place.Chromosome:
    forward = np.ones(len(genes), np.int8)
    return place.Chromosome(("g", "c"), Blocks.whole(length), genes, forward, genes, forward, intervals.empty())


def test_matched_negatives_leave_gc_without_information() -> None:
    bases, genes = chromosome()
    results = {}
    for match in (["length"], ["length", "gc"]):
        config = NegativesConfig(match=match, unplaced="drop-pair")
        crop = CropConfig(length=100)
        shares = partial(matching.measure_shares, lambda start, end: bases[start:end], len(bases), ["gc"])
        placed = place.place_negatives(site(genes, len(bases)), config, crop, shares if "gc" in match else None)
        kept = placed.windows[placed.windows[:, 0] >= 0]
        bounds = np.concatenate([kept, placed.negatives])
        labels = np.repeat([1, 0], [len(kept), len(placed.negatives)])
        results[len(match)] = auroc(labels, shares(bounds)[:, 0]), len(kept)
        lost = placed.reasons[placed.windows[:, 0] < 0].tolist()
        assert len(kept) + len(lost) == len(genes)
        assert set(lost) <= {"no_match" if len(match) == 2 else "no_room_for_negative"}
    assert results[1][0] > 0.85
    assert results[2][0] < 0.6
    assert results[2][1] >= 30


def test_exact_windows_leave_shorter_genes_out_by_that_name() -> None:
    genes = np.array([[100, 160], [300, 420], [600, 800]])
    crop = CropConfig(length=100, exact=True, margin=6)
    placed = place.place_negatives(site(genes, 5_000), NegativesConfig(), crop)
    assert placed.reasons.tolist() == ["shorter_than_crop", "", ""]
    assert (placed.windows[1:, 1] - placed.windows[1:, 0] == 100).all()
    assert len(placed.negatives) == 2
