from __future__ import annotations

import itertools

import numpy as np
import pytest

from training.embed import markov
from training.embed.markov import ORDER, STATES, MarkovModel


def random_model(k: int) -> MarkovModel:
    counts = np.random.default_rng(k).integers(0, 50, (STATES, 4))
    return MarkovModel.fit(counts, k)


def log_probability(model: MarkovModel, before: list[int], bases: list[int]) -> float:
    """Of bases after five others, one by one."""
    bases_so_far, total = list(before), 0.0
    for base in bases:
        total += model.log_probability[number(bases_so_far[-ORDER:]), base]
        bases_so_far.append(base)
    return total


def number(bases: list[int]) -> int:
    return int("".join(map(str, bases)), 4)


def test_counts_are_those_of_a_loop_and_leave_out_unknown_bases() -> None:
    codes = np.random.default_rng(0).choice(5, 3000, p=[0.24, 0.24, 0.24, 0.24, 0.04]).astype(np.uint8)
    expected = np.zeros((STATES, 4), np.int64)
    for start in range(len(codes) - ORDER):
        word = codes[start : start + ORDER + 1].tolist()
        if 4 not in word:
            expected[number(word[:ORDER]), word[ORDER]] += 1
    assert (markov.count(codes) == expected).all()


@pytest.mark.parametrize("k", [1, 3, 6])
def test_the_likeliest_word_is_that_of_trying_all(k: int) -> None:
    model, generator = random_model(k), np.random.default_rng(9)
    sides = generator.integers(0, 4, (3, 2, ORDER)).tolist()
    left, right = (np.array([number(side[column]) for side in sides]) for column in (0, 1))
    words = [list(word) for word in itertools.product(range(4), repeat=k)]
    by_left = [max(words, key=lambda word, side=side: log_probability(model, side[0], word)) for side in sides]
    by_both = [
        max(words, key=lambda word, side=side: log_probability(model, side[0], word + side[1])) for side in sides
    ]
    assert model.predict_from_left(left).tolist() == [number(word) for word in by_left]
    assert model.predict_from_both(left, right).tolist() == [number(word) for word in by_both]
