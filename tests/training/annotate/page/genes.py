"""Genes, and summaries of them, for tests of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.gene_models.model import Gene, Transcript
from training.annotate.page.examples import Choice, Example
from training.annotate.page.summary import Summary


def gene(
    *cds: tuple[int, int],
    chromosome: str = "chr1",
    strand: str = "+",
    score: float | None = 0.9,
    name: str = "g",
    partial: bool = False,
) -> Gene:
    """A gene whose exons are all coding."""
    transcript = Transcript(f"{name}.t1", cds, cds, is_partial_stop=partial, score=score)
    return Gene(name, chromosome, cds[0][0], cds[-1][1], strand, (transcript,), score=score)


def spliced(start: int, introns: int, **options: object) -> Gene:
    """A gene of exons of 100 bases and introns of 50."""
    parts = [(start + 150 * number, start + 150 * number + 100) for number in range(introns + 1)]
    return gene(*parts, **options)  # type: ignore[arg-type]


def summary(genes: Sequence[Gene], lengths: Mapping[str, int]) -> Summary:
    made = Summary(lengths)
    for one in genes:
        made.add(one)
    return made


def chosen(genes: Sequence[Gene], lengths: Mapping[str, int]) -> list[Example]:
    choice = Choice(lengths)
    for one in genes:
        choice.add(one)
    return choice.chosen()
