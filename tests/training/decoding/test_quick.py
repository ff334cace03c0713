"""Genes from labels, and counts of right exons."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import TrainingError, UsageError
from pipelines.structure.states import MASKED
from tests.training.decoding.genome import genome
from training.decoding.quick import exon_counts, quick
from training.decoding.scores import Scores, true_scores
from training.decoding.settings import Settings, Weights
from training.decoding.truth import Counts, Truth

SURE = Settings(weights=Weights(state=1.0))


def test_the_scores_of_true_states_give_the_annotated_genes_back() -> None:
    packed, codes = genome(seed=1, genes=40)
    called = quick(true_scores(packed), codes, SURE)
    truth = Truth(packed)
    assert truth.gene_counts(called) == Counts(40, 40, 40)
    counts = exon_counts(called, packed)
    assert counts.f1 == 1.0
    assert counts.annotated == counts.correct > 40


def test_exons_beside_masked_bases_are_left_out_on_both_sides() -> None:
    packed, codes = genome(seed=2, genes=10)
    called = quick(true_scores(packed), codes, SURE)
    whole = exon_counts(called, packed)
    start = called[0].gene.start
    strand = "+-".index(called[0].gene.strand)
    packed = packed.copy()
    packed[start - 1] = MASKED << 4 * strand
    masked = exon_counts(called, packed)
    assert (masked.annotated, masked.called, masked.correct) == (whole.annotated - 1,) * 3


def test_counts_add_up() -> None:
    assert Counts(4, 5, 3) + Counts(1, 0, 0) == Counts(5, 5, 3)
    assert Counts(5, 5, 3).f1 == pytest.approx(0.6)
    assert Counts().f1 == 0.0


def test_a_score_that_is_not_a_number_is_an_error() -> None:
    packed, codes = genome(seed=3, genes=1)
    scores = true_scores(packed)
    scores.log_states[50, 0, 3] = np.nan
    with pytest.raises(TrainingError, match="not a number"):
        quick(scores, codes, SURE)


def test_arrays_that_do_not_fit_are_refused() -> None:
    packed, codes = genome(seed=3, genes=1)
    scores = true_scores(packed)
    with pytest.raises(UsageError, match="scores of shapes"):
        quick(Scores(scores.log_states, scores.site_logits[:-1]), codes, SURE)
