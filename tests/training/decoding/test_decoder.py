"""Genes of a sequence, in one piece and in several."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import TrainingError, UsageError
from pipelines.gene_models.validity import defects
from pipelines.genome.sequence import reverse_complement
from tests.hypothesis_profiles import examples
from tests.training.decoding.genome import genome, overlapping
from training.decoding import decoder
from training.decoding.called import CalledGene
from training.decoding.decoder import Decoder, decode
from training.decoding.scores import Scores, true_scores
from training.decoding.settings import Minimum, Settings, Weights

SETTINGS = Settings(minimum=Minimum(intron=20, exon=3, coding=30), weights=Weights(state=1.0, intron=0, support=0.2))
SEPARATE = SETTINGS.model_copy(update={"strands": "separate"})


def noisy(seed: int, genes: int) -> tuple[Scores, np.ndarray]:
    """Scores that are right but for noise."""
    packed, codes = genome(seed, genes)
    draw = np.random.default_rng(seed)
    scores = true_scores(packed, certainty=0.6)
    for array in scores:
        array += draw.normal(0, 1, array.shape).astype(np.float32)
    return scores, codes


def in_pieces(
    scores: Scores, codes: np.ndarray, ends: list[int], settings: Settings
) -> tuple[list[CalledGene], Decoder]:
    piecewise = Decoder(settings, chromosome="I")
    genes = []
    bounds = [0, *sorted(ends), len(codes)]
    for start, end in itertools.pairwise(bounds):
        genes += piecewise.push(scores.part(start, end), codes[start:end])
    return genes + piecewise.finish(), piecewise


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "_GROUP", 1500)
    monkeypatch.setattr(decoder, "_FLANK", 60)
    monkeypatch.setattr(decoder, "_NEIGHBOUR", 500)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("settings", [SETTINGS, SEPARATE], ids=["joint", "separate"])
@given(st.integers(0, 10**6), st.lists(st.integers(0, 12000), max_size=12))
@examples(15)
def test_genes_and_their_support_do_not_depend_on_the_pieces(settings: Settings, seed: int, ends: list[int]) -> None:
    scores, codes = noisy(seed, 20)
    whole = decode(scores, codes, settings, chromosome="I")
    pieces, _ = in_pieces(scores, codes, [min(end, len(codes)) for end in ends], settings)
    assert len(whole) > 5
    assert pieces == whole


def test_genes_of_opposite_strands_overlap_only_on_separate_paths() -> None:
    packed, codes = overlapping(copies=4)
    joint, separate = (
        decode(true_scores(packed), codes, settings, chromosome="I") for settings in (SETTINGS, SEPARATE)
    )
    assert len(joint) == 4
    assert [gene.gene.strand for gene in separate] == ["-", "+"] * 4
    assert [gene.gene.gene_id for gene in separate] == [f"I_g{number}" for number in range(1, 9)]
    assert all(gene.transcript.cds[0][1] - gene.transcript.cds[0][0] == 159 for gene in separate)
    assert min(gene.support for gene in separate) > 0.9


def test_paths_of_each_strand_call_what_scores_of_that_strand_alone_would_give() -> None:
    scores, codes = noisy(5, 40)
    both = decode(scores, codes, SEPARATE, support=False)
    for strand, sign in enumerate("+-"):
        alone = decode(scores.of_strand(strand), codes, SETTINGS, support=False)
        assert [gene.transcript.cds for gene in alone] == [
            gene.transcript.cds for gene in both if gene.gene.strand == sign
        ]


def test_genes_come_out_before_the_end_and_few_scores_are_kept() -> None:
    scores, codes = noisy(1, 600)
    piecewise = Decoder(SETTINGS)
    kept, genes = [], 0
    for start in range(0, len(codes), 20_000):
        genes += len(piecewise.push(scores.part(start, start + 20_000), codes[start : start + 20_000]))
        kept.append(piecewise._paths[0]._kept._end - piecewise._paths[0]._kept._pieces[0][0])
    assert genes > 400
    assert max(kept) < 100_000


def test_most_of_the_support_is_close_to_1_where_scores_are_sure() -> None:
    packed, codes = genome(3, 30)
    genes = decode(true_scores(packed), codes, SETTINGS, chromosome="I")
    assert len(genes) == 30
    assert min(gene.support for gene in genes) > 0.9
    assert all(gene.support <= min(gene.exon_support) + 1e-9 for gene in genes)
    assert genes[4].gene.gene_id == "I_g5"
    assert genes[4].gene.score == genes[4].transcript.score == genes[4].support


@given(st.integers(0, 10**6))
@examples(10)
def test_every_called_gene_is_valid_whatever_the_scores(seed: int) -> None:
    draw = np.random.default_rng(seed)
    bases = 3000
    codes = draw.choice(5, bases, p=[0.3, 0.2, 0.2, 0.295, 0.005]).astype(np.uint8)
    scores = Scores(
        draw.normal(0, 3, (bases, 2, 8)).astype(np.float32), draw.normal(2, 3, (bases, 2, 4)).astype(np.float32)
    )
    weights = Weights(state=1.0, gene=15, intron=10, length=0.2)
    settings = Settings(weights=weights, minimum=Minimum(intron=12, exon=3, coding=0))
    letters = np.frombuffer(b"ACGTN", np.uint8)[codes]
    genes = decode(scores, codes, settings)
    assert genes
    for called in genes:
        transcript = called.transcript
        parts = np.concatenate([letters[start:end] for start, end in transcript.cds])
        parts = reverse_complement(parts) if called.gene.strand == "-" else parts
        assert not defects(transcript, parts, settings.code)
        for start, end in transcript.coding_introns:
            intron = letters[start:end]
            intron = reverse_complement(intron) if called.gene.strand == "-" else intron
            text = intron.tobytes().decode()
            assert (text[:2], text[-2:]) in {("GT", "AG"), ("GC", "AG"), ("AT", "AC")}
            assert end - start >= 12
        assert 0 <= called.support <= 1


def test_short_genes_are_dropped_and_counted() -> None:
    packed, codes = genome(3, 10)
    limit = Settings(minimum=Minimum(coding=10**6), weights=Weights(state=1.0))
    strict = Decoder(limit)
    assert strict.push(true_scores(packed), codes) + strict.finish() == []
    assert strict.dropped == 10


def test_genes_cut_by_the_ends_are_partial_and_keep_their_phase() -> None:
    packed, codes = genome(3, 10)
    whole = decode(true_scores(packed), codes, SETTINGS)
    first = next(gene for gene in whole if gene.gene.strand == "+" and len(gene.transcript.cds) > 1)
    cut = first.transcript.cds[0][0] + 16
    genes = decode(true_scores(packed[cut:]), codes[cut:], SETTINGS)
    assert genes[0].transcript.is_partial_start
    assert not genes[0].transcript.is_partial_stop
    assert genes[0].transcript.phase == 2
    assert genes[0].transcript.cds[0] == (0, first.transcript.cds[0][1] - cut)
    within = decode(true_scores(packed[cut:]), codes[cut:], SETTINGS, open_start=False)
    assert all(not gene.transcript.is_partial_start for gene in within)


@pytest.mark.parametrize("strands", ["joint", "separate"])
def test_untranslated_regions_do_not_depend_on_the_pieces(strands: str) -> None:
    minimum = Minimum(intron=6, exon=3, coding=0)
    region = Settings(strands=strands, utr=True, minimum=minimum, weights=Weights(state=0.3, intron=0, gene=3))  # type: ignore[arg-type]
    called = 0
    for seed in range(30):
        draw = np.random.default_rng(seed)
        codes = draw.integers(0, 4, 600).astype(np.uint8)
        scores = Scores(*(draw.normal(-5, 5, (600, 2, size)).astype(np.float32) for size in (8, 4)))
        whole = decode(scores, codes, region, chromosome="I")
        assert in_pieces(scores, codes, list(range(20, 600, 20)), region)[0] == whole
        called += len(whole)
    assert called > 30


def test_a_score_that_is_not_a_number_is_an_error() -> None:
    packed, codes = genome(seed=3, genes=1)
    scores = true_scores(packed)
    scores.log_states[50, 0, 3] = np.nan
    with pytest.raises(TrainingError, match="not a number"):
        decode(scores, codes, SETTINGS)


def test_arrays_that_do_not_fit_are_refused() -> None:
    packed, codes = genome(seed=3, genes=1)
    scores = true_scores(packed)
    with pytest.raises(UsageError, match="scores of shapes"):
        decode(Scores(scores.log_states, scores.site_logits[:-1]), codes, SETTINGS)
