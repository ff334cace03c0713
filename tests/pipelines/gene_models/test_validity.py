from __future__ import annotations

import numpy as np
import pytest

from pipelines.gene_models import genetic_code
from pipelines.gene_models.model import Transcript
from pipelines.gene_models.validity import defects


@pytest.mark.parametrize(
    ("letters", "found"),
    [
        ("ATGGCTTAA", ()),
        ("atgNNNtag", ()),
        ("GTGGCTTAA", ("no start codon",)),
        ("ATGGCTGCT", ("no stop codon",)),
        ("ATGTAAGCTTAA", ("stop inside",)),
        ("ATGTAATA", ("no stop codon", "not a multiple of three", "stop inside")),
        ("", ("no start codon", "no stop codon")),
    ],
)
def test_a_complete_model_starts_stops_and_has_no_stop_inside(letters: str, found: tuple[str, ...]) -> None:
    assert check(letters) == found


@pytest.mark.parametrize(
    ("letters", "phase", "found"),
    [("CCGCTGCT", 2, ()), ("CTAAGC", 1, ("stop inside",)), ("GCTTAA", 0, ("stop inside",))],
)
def test_a_model_without_either_end_needs_no_codons_there(letters: str, phase: int, found: tuple[str, ...]) -> None:
    assert check(letters, phase=phase, is_partial_start=True, is_partial_stop=True) == found


def test_a_codon_that_is_stop_and_amino_acid_may_lie_inside() -> None:
    assert check("ATGTGAGCTTGA", 27) == ()


def check(letters: str, code: int = 1, **values: object) -> tuple[str, ...]:
    spans = ((0, max(len(letters), 1)),)
    transcript = Transcript("t", spans, spans, **values)  # type: ignore[arg-type]
    return defects(transcript, np.frombuffer(letters.encode(), np.uint8), genetic_code.genetic_code(code))
