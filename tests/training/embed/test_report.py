from __future__ import annotations

import re
from typing import Any

import pytest

from training.embed import report
from training.embed.masked_prediction import Accuracies, AccuracyDifference
from training.embed.neighbours import ReverseComplementRanks
from training.embed.shuffled_control import ControlComparison, ReverseComplementCheck

EVEN = AccuracyDifference(0.0, 0.001, 100)


def document(
    lead: AccuracyDifference = EVEN,
    over_random: AccuracyDifference = EVEN,
    check: ReverseComplementCheck | None = None,
    left_out: int = 0,
) -> dict[str, Any]:
    figures = Accuracies(10_000, 0.06, 0.055, 0.048, 0.052, 0.04, lead, over_random)
    texts = {"strands": "Both strands.", "imposed": "That is imposed.", "left_out": left_out}
    return report.figures(figures, check, [("AAA", [("AAC", 0.5)])]) | texts


@pytest.mark.parametrize(
    ("lead", "expected"),
    [
        (AccuracyDifference(0.01, 0.002, 400), r"is above {} \(\+1.00 percentage points, \+5.0 standard errors\)"),
        (AccuracyDifference(0.001, 0.002, 400), r"is within two standard errors of {} \(\+0.10 percentage points"),
        (AccuracyDifference(-0.01, 0.002, 400), r"is below {} \(-1.00 percentage points"),
        (
            AccuracyDifference(0.01, 0.002, 24),
            r"and {}: too few positions to tell \(\+1.00 percentage points, 24 at which",
        ),
        (AccuracyDifference(1.0, 0.0, 100), r"and {}: too few positions to tell"),
        (AccuracyDifference(0.0, 0.0, 0), r"and {}: too few positions to tell"),
    ],
)
def test_the_conclusion_compares_with_the_better_markov_figure_and_random_vectors(
    lead: AccuracyDifference, expected: str
) -> None:
    markov, random = (
        expected.format(other) for other in ("the better Markov figure", "random vectors under the same head")
    )
    assert re.search(f"The embedding {markov}", report.conclude(document(lead)))
    assert re.search(f"It {random}", report.conclude(document(over_random=lead)))
    assert "within two standard errors of the better Markov figure" in report.conclude(document(over_random=lead))


def check_of(learnt: float) -> ReverseComplementCheck:
    everywhere = ControlComparison(learnt, 0.45, 0.05)
    return ReverseComplementCheck(
        everywhere, ControlComparison(0.41, 0.40, 0.05), 5, 64, ReverseComplementRanks(64, 64, 0.78, 0.001, 0.68, 0.001)
    )


@pytest.mark.parametrize(
    ("learnt", "expected"), [(0.6, "ranks above chance"), (0.54, "ranks not above"), (0.3, "not above")]
)
def test_reverse_complements_are_above_chance_only_if_those_of_shuffled_sequence_are_not(
    learnt: float, expected: str
) -> None:
    figures = document(check=check_of(learnt))
    first, second = report.reverse_complement_sentences(figures)
    assert expected in first
    assert f"nearer than {learnt:.1%} of other k-mers, and than 45.0%" in first
    assert "41.0% and 40.0%, not above chance" in first
    assert first.endswith("Both strands.")
    assert second == (
        "In the vectors delivered it is nearer than 78.0%, and than 68.0% of those with as many G and C. "
        "That is imposed."
    )
    assert figures["reverse_complement"]["above_chance"] == (learnt > 0.55)


def test_kmers_left_out_are_counted() -> None:
    assert report.reverse_complement_sentences(document(left_out=1))[0].endswith(
        "1 k-mer too rare to be learnt is left out here and below."
    )
    assert (
        "1,200 k-mers too rare" in report.reverse_complement_sentences(document(check=check_of(0.5), left_out=1_200))[0]
    )


def test_a_vocabulary_without_reverse_complements_is_stated() -> None:
    assert "No two k-mers" in report.reverse_complement_sentences(document())[0]
