"""Counts of right exons and genes."""

from __future__ import annotations

import pytest

from pipelines.structure.states import MASKED
from tests.training.decoding.genome import genome
from training.decoding.decoder import decode
from training.decoding.scores import true_scores
from training.decoding.settings import Settings, Weights
from training.decoding.truth import Counts, Truth

SURE = Settings(weights=Weights(state=1.0))


def test_the_scores_of_true_states_give_the_annotated_genes_back() -> None:
    packed, codes = genome(seed=1, genes=40)
    called = decode(true_scores(packed), codes, SURE, support=False)
    truth = Truth(packed)
    assert truth.gene_counts(called) == Counts(40, 40, 40)
    counts = truth.exon_counts(called)
    assert counts.f1 == 1.0
    assert counts.annotated == counts.correct > 40


def test_exons_beside_masked_bases_are_left_out_on_both_sides() -> None:
    packed, codes = genome(seed=2, genes=10)
    called = decode(true_scores(packed), codes, SURE, support=False)
    whole = Truth(packed).exon_counts(called)
    start = called[0].gene.start
    strand = "+-".index(called[0].gene.strand)
    packed = packed.copy()
    packed[start - 1] = MASKED << 4 * strand
    masked = Truth(packed).exon_counts(called)
    assert (masked.annotated, masked.called, masked.correct) == (whole.annotated - 1,) * 3


def test_counts_add_up() -> None:
    assert Counts(4, 5, 3) + Counts(1, 0, 0) == Counts(5, 5, 3)
    assert Counts(5, 5, 3).f1 == pytest.approx(0.6)
    assert Counts().f1 == 0.0
