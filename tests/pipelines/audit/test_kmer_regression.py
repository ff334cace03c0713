from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import metrics
from pipelines.audit import kmer_regression
from pipelines.audit.regression_size import most_bytes
from pipelines.decision_threshold import LOG_ODDS, nearest_to
from pipelines.genome import sequence
from pipelines.tokens.tokenizer import Tokenizer
from tests.pipelines.audit.test_shortcuts import dataset, planted

texts_of_bases = st.lists(st.text(alphabet="ACGTacgtN", min_size=1, max_size=20), min_size=1, max_size=6)


def codes_of(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    letters = np.frombuffer("".join(texts).encode(), np.uint8)
    return sequence.base_codes(letters), np.array([len(text) for text in texts])


def plain_loop(text: str, k: int) -> list[float]:
    counts = [0] * 4**k
    for start in range(len(text) - k + 1):
        kmer = text[start : start + k].upper()
        if set(kmer) <= set("ACGT"):
            counts[int("".join(str("ACGT".index(base)) for base in kmer), 4)] += 1
    return [count / max(sum(counts), 1) for count in counts]


@given(texts_of_bases, st.integers(1, 4))
def test_frequencies_are_those_of_a_plain_loop(texts: list[str], k: int) -> None:
    frequencies = kmer_regression.frequencies(*codes_of(texts), k)
    np.testing.assert_allclose(frequencies, [plain_loop(text, k) for text in texts], atol=1e-6)


def of_composition(rows: int, seed: int) -> tuple[list[str], list[int]]:
    """Genes in which ACGTA is common, negatives in which AGCTA is; alike in single bases."""
    generator = np.random.default_rng(seed)
    labels = [number % 2 for number in range(rows)]
    texts = []
    for label in labels:
        text = "".join(generator.choice(list("ACGT"), size=100))
        position = int(generator.integers(10, 80))
        texts.append(text[:position] + ("AGCTA", "ACGTA")[label] + text[position:])
    return texts, labels


def test_a_planted_kmer_is_found_and_the_penalty_is_chosen_on_validation() -> None:
    train, held_out, test = (
        (kmer_regression.frequencies(*codes_of(texts)), np.array(labels))
        for texts, labels in (of_composition(2000, seed) for seed in range(3))
    )
    regression, train_scores = kmer_regression.fit(train[0].copy(), train[1], ([held_out[0]], held_out[1]))
    assert metrics.auroc(test[1], regression.scores(test[0])) > 0.9
    assert regression.strength in kmer_regression.STRENGTHS
    np.testing.assert_allclose(regression.scores(train[0]), train_scores, atol=1e-3)


def test_without_validation_the_penalty_is_chosen_by_cross_validation() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(400) % 2
    # Far more columns than rows tell anything: only a strong penalty holds them down.
    rows, unseen = (generator.normal(size=(400, 300)).astype(np.float32) for _ in range(2))
    for part in (rows, unseen):
        part[:, :5] += 0.4 * labels[:, None]
    chosen, _ = kmer_regression.fit(rows.copy(), labels)
    reached = metrics.auroc(labels, chosen.scores(unseen))
    weakest = kmer_regression.fit(rows.copy(), labels, ([rows], labels))[0]
    assert chosen.strength < weakest.strength == max(kmer_regression.STRENGTHS)
    assert reached > metrics.auroc(labels, weakest.scores(unseen))
    assert kmer_regression.fit(rows.copy(), labels)[0].strength == chosen.strength


@pytest.mark.parametrize("tail", ["anchor", "partial"])
@pytest.mark.parametrize("k", [2, 3, 6])
def test_tokens_of_another_size_give_the_frequencies_of_the_sequences(
    k: int, tail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, labels = planted(50, 0)
    monkeypatch.setattr(kmer_regression, "CHUNK_TOKENS", 150)
    monkeypatch.setattr(kmer_regression, "COUNTED_TOKENS", 70)
    rows = np.array([3, 4, 17, 40])
    frequencies = kmer_regression.dataset_frequencies(dataset(texts, labels, Tokenizer(k, 2, tail)), rows)
    expected = kmer_regression.frequencies(*codes_of([texts[row] for row in rows]))
    np.testing.assert_array_equal(frequencies, expected)


def test_of_many_rows_a_sample_is_fitted_that_is_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmer_regression, "MAX_ROWS", 40)
    rows = dataset(*planted(100, 0), Tokenizer(3, 1, "anchor"))
    first, second = (kmer_regression.fit_dataset(rows, None) for _ in range(2))
    assert len(first.rows) == len(set(first.rows.tolist())) == 40
    scores = [kmer_regression.dataset_scores(fitted.regression, rows) for fitted in (first, second)]
    assert len(scores[0]) == 100
    np.testing.assert_array_equal(*scores)


def test_memory_is_that_of_train_however_many_rows_validation_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmer_regression, "CHUNK_ROWS", 256)
    train, validation = (dataset(*planted(rows, rows), Tokenizer(3, 1, "anchor")) for rows in (400, 4_000))
    kmer_regression.fit_dataset(train, validation)
    tracemalloc.start()
    try:
        kmer_regression.fit_dataset(train, validation)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most_bytes(len(train)) - most_bytes(0) + 10e6


def test_the_threshold_is_chosen_on_validation_and_without_it_on_train() -> None:
    train, validation = (dataset(*planted(100, seed), Tokenizer(3, 1, "anchor")) for seed in range(2))
    for held_out, rows in ((validation, validation), (None, train)):
        fitted = kmer_regression.fit_dataset(train, held_out)
        scores = kmer_regression.dataset_scores(fitted.regression, rows)
        assert fitted.threshold == pytest.approx(nearest_to(LOG_ODDS, rows.labels, scores))
