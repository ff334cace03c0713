from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import UsageError
from training.embed import pairs


@pytest.mark.parametrize("vocabulary", [9, 60])
@pytest.mark.parametrize(("first", "window"), [(1, 1), (3, 4)])
def test_pairs_are_those_of_a_loop(vocabulary: int, first: int, window: int) -> None:
    generator = np.random.default_rng(1)
    stretches = [generator.integers(0, vocabulary, size).astype(np.uint16) for size in (200, 2, 0)]
    expected = np.zeros((vocabulary, vocabulary), np.int64)
    for ids in stretches:
        for at, token in enumerate(ids):
            for other, context in enumerate(ids):
                near = first <= abs(other - at) < first + window
                expected[token, context] += near and token > 2 and context > 2
    found = pairs.count(stretches, vocabulary, first, window)
    assert (found.near == expected).all()
    assert (found.tokens == np.bincount(np.concatenate(stretches), minlength=vocabulary)).all()


def test_a_vocabulary_without_a_table_of_pairs_is_refused() -> None:
    with pytest.raises(UsageError, match=r"65,539 tokens.*choose tokenizer.k 7 or less"):
        pairs.count([], 65_539, 8, 4)
