from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import ResourceError, TrainingError, UsageError
from training.embed import cooccurrence
from training.memory import capacity


@pytest.mark.parametrize("square", [7, 1024])
@pytest.mark.parametrize("vocabulary", [9, 60])
@pytest.mark.parametrize(("first", "window"), [(1, 1), (3, 4)])
def test_pairs_are_those_of_a_loop(
    vocabulary: int, first: int, window: int, square: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cooccurrence, "_SQUARE", square)
    generator = np.random.default_rng(1)
    stretches = [generator.integers(0, vocabulary, size).astype(np.uint16) for size in (200, 2, 0)]
    expected = np.zeros((vocabulary, vocabulary), np.int64)
    for ids in stretches:
        for at, token in enumerate(ids):
            for other, context in enumerate(ids):
                near = first <= abs(other - at) < first + window
                expected[token, context] += near and token > 2 and context > 2
    counts = cooccurrence.count(stretches, vocabulary, first, window)
    assert (counts.pairs == expected).all()
    assert (counts.tokens == np.bincount(np.concatenate(stretches), minlength=vocabulary)).all()


def test_a_vocabulary_without_a_table_of_pairs_is_refused() -> None:
    with pytest.raises(UsageError, match=r"65,539 tokens.*choose a lower tokenizer.k"):
        cooccurrence.count([], 65_539, 8, 4)


def test_a_table_that_memory_cannot_hold_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "available_memory", lambda kind: 2**30)
    with pytest.raises(
        ResourceError, match=r"16,387 tokens take 3\.5 GiB, and 1 GiB are free: free some, or choose"
    ) as raised:
        cooccurrence.count([], 16_387, 7, 4)
    assert "\n" not in str(raised.value)


def test_too_little_sequence_is_an_error_before_pairs_are_counted() -> None:
    ids = np.array([0, 3, 3, 3, 4, 1, 1, 1], np.uint16)
    assert cooccurrence.count_tokens([ids, ids], 9, 2).tolist() == [2, 6, 0, 6, 2, 0, 0, 0, 0]
    with pytest.raises(TrainingError, match=r"1 k-mers occur 3 times or more"):
        cooccurrence.count_tokens([ids, ids], 9, 3)
