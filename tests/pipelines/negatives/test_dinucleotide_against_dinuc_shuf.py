"""Dinucleotide shuffles against dinuc-shuf, another implementation that draws from all of them alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.negatives import dinucleotide

pytestmark = pytest.mark.full

DINUC_SHUF = """
    import json, sys
    import dinuc_shuf
    import numpy as np

    request = json.load(sys.stdin)
    codes = np.array(["ACGT".index(letter) for letter in request["sequence"]])
    one_hot = np.repeat(np.eye(4, dtype=np.uint8)[codes][None], request["count"], axis=0)
    shuffled = dinuc_shuf.shuffle(one_hot, np.random.default_rng(request["seed"])).argmax(axis=2)
    json.dump(["".join("ACGT"[code] for code in row) for row in shuffled], sys.stdout)
"""


def own_shuffles(text: str, count: int) -> list[str]:
    letters, generator = np.frombuffer(text.encode(), np.uint8), np.random.default_rng(0)
    return [dinucleotide.shuffle(letters, generator).tobytes().decode() for _ in range(count)]


def their_shuffles(run: Callable[..., Any], text: str, count: int) -> list[str]:
    return run(DINUC_SHUF, {"sequence": text, "count": count, "seed": 1}, "dinuc_shuf")


def word_counts(text: str, size: int) -> Counter[str]:
    return Counter(text[start : start + size] for start in range(len(text) - size + 1))


def test_both_draw_the_same_sequences_equally_often(run_in_full_environment: Callable[..., Any]) -> None:
    text, count = "ACAGATCATG", 6_000
    own, theirs = Counter(own_shuffles(text, count)), Counter(their_shuffles(run_in_full_environment, text, count))
    assert set(own) == set(theirs)
    # Two samples of one distribution: chi-square with one degree of freedom less than there are sequences.
    chi_square = sum((own[word] - theirs[word]) ** 2 / (own[word] + theirs[word]) for word in own)
    assert chi_square < len(own) + 5 * np.sqrt(2 * len(own))


def test_shuffles_of_a_gene_keep_dinucleotides_and_lose_longer_words_alike(
    run_in_full_environment: Callable[..., Any],
) -> None:
    generator, count = np.random.default_rng(2), 400
    text = "".join(generator.choice(["ATG", "GCG", "AAA", "CTG", "TTC"], 200))
    own, theirs = own_shuffles(text, count), their_shuffles(run_in_full_environment, text, count)
    for shuffled in (*own, *theirs):
        assert word_counts(shuffled, 2) == word_counts(text, 2)
    for word in ("ATG", "GCG", "AAAA", "CTGT"):
        own_counts, their_counts = (
            np.array([word_counts(shuffled, len(word))[word] for shuffled in sample]) for sample in (own, theirs)
        )
        error = np.sqrt((own_counts.var() + their_counts.var()) / count)
        assert abs(own_counts.mean() - their_counts.mean()) < 4.5 * error
        assert own_counts.std() == pytest.approx(their_counts.std(), rel=0.25)
