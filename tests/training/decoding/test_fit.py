"""Settings counted on labels and chosen on scores."""

from __future__ import annotations

import numpy as np

from tests.training.decoding.genome import genome, overlapping
from training.decoding.decoder import decode
from training.decoding.fit import Example, fit
from training.decoding.scores import Scores, true_scores
from training.decoding.settings import Settings, Weights
from training.decoding.truth import Truth

SURE = Settings(weights=Weights(state=1.0, intron=0.0))


def test_lengths_and_splice_pairs_are_counted_on_labels() -> None:
    packed, codes = genome(seed=1, genes=200)
    settings = fit([(packed, codes)], []).settings
    assert settings.pairs == {"GT-AG": 1.0}
    assert 30 <= settings.minimum.intron <= 32
    assert 55 < settings.lengths.intron < 65
    assert 100 < settings.lengths.intergenic < 140
    assert 0.5 < settings.lengths.introns < 2
    assert settings.weights == Settings().weights


def test_without_genes_the_defaults_stay() -> None:
    empty = np.zeros(1000, np.uint8)
    assert fit([(empty, empty)], []).settings == Settings()


def test_weights_are_chosen_that_do_better_on_validation() -> None:
    train = genome(seed=1, genes=100)
    packed, codes = genome(seed=2, genes=60)
    # Scores of sites that are too low by as much everywhere: genes and introns need a bonus.
    scores = true_scores(packed, certainty=0.3)
    shifted = Scores(scores.log_states, scores.site_logits - 6)
    before = fit([train], [Example(shifted, codes, packed)], SURE, evaluations=1)
    after = fit([train], [Example(shifted, codes, packed)], SURE, evaluations=12)
    assert after.exon_f1 + after.gene_f1 > before.exon_f1 + before.gene_f1
    assert after.evaluations <= 12
    assert after == fit([train], [Example(shifted, codes, packed)], SURE, evaluations=12)


def test_strands_have_a_path_each_where_their_genes_overlap() -> None:
    for (packed, codes), strands in ((overlapping(copies=8), "separate"), (genome(seed=2, genes=20), "joint")):
        example = Example(true_scores(packed), codes, packed)
        fitted = fit([genome(seed=1, genes=40)], [example], SURE, evaluations=4)
        assert fitted.settings.strands == strands
        assert fitted.exon_f1 == fitted.gene_f1 == 1


def test_a_stretch_is_decoded_with_the_genetic_code_of_its_genome() -> None:
    packed, codes = genome(seed=2, genes=10)
    # In code 6 the TAA that ends these genes is glutamine.
    settings = SURE.model_copy(update={"genetic_code": 6})
    train = genome(seed=1, genes=40)
    own = fit([train], [Example(true_scores(packed), codes, packed, genetic_code=1)], settings, evaluations=1)
    assert own.exon_f1 == own.gene_f1 == 1
    assert own.settings.genetic_code == 6
    assert fit([train], [Example(true_scores(packed), codes, packed)], settings, evaluations=1).gene_f1 == 0


def test_the_support_of_exons_says_how_often_they_are_right() -> None:
    packed, codes = genome(seed=2, genes=60)
    scores = true_scores(packed, certainty=0.5)
    draw = np.random.default_rng(0)
    for array in scores:
        array += draw.normal(0, 2.5, array.shape).astype(np.float32)
    settings = fit([genome(seed=1, genes=100)], [Example(scores, codes, packed)], SURE, evaluations=4).settings
    exons = np.array(Truth(packed).exon_supports(decode(scores, codes, settings)))
    assert settings.weights.support < 1
    assert abs(exons[:, 0].mean() - exons[:, 1].mean()) < 0.1
