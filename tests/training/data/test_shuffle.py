from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.shuffle import shuffle


@given(st.integers(0, 700), st.integers(0, 2**32), st.integers(0, 3))
def test_values_are_in_numpys_order_and_the_generator_in_its_state(count: int, seed: int, drawn: int) -> None:
    generator, numpys = np.random.default_rng(seed), np.random.default_rng(seed)
    values, expected = np.arange(count, dtype=np.uint64), np.arange(count, dtype=np.uint64)
    for one in (generator, numpys):
        # Draws of 32 bits: after an odd number of them half a word is left.
        one.integers(0, 10, drawn, dtype=np.uint32)
    shuffle(values, generator, compiled_from=0)
    numpys.shuffle(expected)
    assert np.array_equal(values, expected)
    assert np.array_equal(generator.permutation(50), numpys.permutation(50))
    assert generator.bit_generator.state["state"] == numpys.bit_generator.state["state"]


@pytest.mark.parametrize("count", [2**17, 2**17 + 1, 300_000])
def test_more_values_than_words_are_drawn_at_once_are_in_numpys_order(count: int) -> None:
    generator, numpys = np.random.default_rng(5), np.random.default_rng(5)
    values, expected = np.arange(count, dtype=np.uint64), np.arange(count, dtype=np.uint64)
    shuffle(values, generator, compiled_from=0)
    numpys.shuffle(expected)
    assert np.array_equal(values, expected)
    assert generator.random() == numpys.random()
