from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.gene_models import coding
from pipelines.gene_models.model import Spans, Transcript

PARTS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=5)


def spans(parts: list[tuple[int, int]]) -> Spans:
    """Spans from gaps and lengths."""
    result, at = [], 0
    for gap, length in parts:
        result.append((at + gap, at + gap + length))
        at += gap + length
    return tuple(result)


def positions(cds: Spans, strand: str) -> list[int]:
    """Every base of a CDS in reading direction."""
    forward = [base for start, end in cds for base in range(start, end)]
    return forward[::-1] if strand == "-" else forward


@given(PARTS, st.sampled_from("+-"), st.integers(0, 2))
def test_a_phase_is_how_many_bases_come_before_a_codon(parts: list[tuple[int, int]], strand: str, phase: int) -> None:
    cds = spans(parts)
    order = positions(cds, strand)
    expected = []
    for start, end in cds:
        first = order.index(end - 1 if strand == "-" else start)
        expected.append(next(bases for bases in range(3) if (first + bases - phase) % 3 == 0))
    assert coding.phases(Transcript("t", cds, cds, phase), strand) == expected


@given(PARTS, st.sampled_from("+-"), st.integers(0, 20), st.integers(0, 20))
def test_a_part_of_a_cds_is_what_lies_between_two_of_its_bases(
    parts: list[tuple[int, int]], strand: str, first: int, last: int
) -> None:
    cds = spans(parts)
    part = coding.part_of_cds(cds, strand, first, last)
    assert positions(part, strand) == positions(cds, strand)[first:last]
