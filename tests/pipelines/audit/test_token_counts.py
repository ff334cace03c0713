from __future__ import annotations

import numpy as np
import pytest

from pipelines.audit import token_counts


@pytest.mark.parametrize("length", [0, 1, token_counts.CHUNK_TOKENS - 1, 2 * token_counts.CHUNK_TOKENS + 3])
def test_counts_are_those_of_all_tokens_at_once(length: int) -> None:
    tokens = np.random.default_rng(0).integers(0, 60, length).astype(np.uint16)
    assert token_counts.count(tokens, 67).tolist() == np.bincount(tokens, minlength=67).tolist()
