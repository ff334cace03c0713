from __future__ import annotations

import re
from typing import Any

import pytest

from training.embed import report
from training.embed.neighbours import Mirror
from training.embed.task import Figures


def found(embedding: float, both: float = 0.052, mirror: Mirror | None = None) -> dict[str, Any]:
    return report.figures(Figures(10_000, embedding, 0.048, both, 0.04), mirror, [("AAA", [("AAC", 0.5)])])


@pytest.mark.parametrize(
    ("embedding", "told"),
    [
        (0.062, r"beats both Markov figures on this task \(\+1.00 percentage points, \+4.1 standard errors\)"),
        (0.053, r"within two standard errors \(\+0.10 percentage points"),
        (0.042, r"does not beat the better Markov figure on this task \(-1.00 percentage points"),
    ],
)
def test_the_verdict_is_against_the_better_markov_figure(embedding: float, told: str) -> None:
    assert re.search(told, report.verdict(found(embedding)))


@pytest.mark.parametrize(
    ("percentile", "p", "told"),
    [(0.7, 0.001, "ranks above chance"), (0.7, 0.2, "ranks not above"), (0.3, 0.01, "not above")],
)
def test_reverse_complements_are_above_chance_only_if_random_pairings_are_not(
    percentile: float, p: float, told: str
) -> None:
    sentence = report.mirror_sentence(found(0.06, mirror=Mirror(64, percentile, p, 0.6, 0.05)), "Both strands.")
    assert told in sentence
    assert sentence.endswith("as many G and C (p = 0.050). Both strands.")


def test_a_vocabulary_without_reverse_complements_is_told() -> None:
    assert "No two k-mers" in report.mirror_sentence(found(0.06), "")
