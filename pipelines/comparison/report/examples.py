"""Chooses the loci that a page draws: one of each kind, the same for the same comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.comparison.analysis import Analysis
from pipelines.comparison.levels import INDEX
from pipelines.comparison.lists import KINDS, Finding
from pipelines.comparison.loci import span
from pipelines.comparison.report import drawing
from pipelines.comparison.report.drawing import Window
from pipelines.gene_models.model import Gene

MAX_BASES = 100_000
"""Of a window; a longer one shows little."""
TITLES = {
    "exact": "Exact",
    "fused": "Fused",
    "split": "Split",
    "missed": "Missed",
    "wrong_strand": "On the wrong strand",
    "invented": "Invented",
}


@dataclass(frozen=True)
class Example:
    """A locus that shows something.

    Attributes:
        kind: a key of `TITLES`.
        window: what is drawn.
        focus: genes and calls that it is about.
        text: what is to be seen.
    """

    kind: str
    window: Window
    focus: tuple[Gene, ...]
    text: str


def choose(analysis: Analysis) -> list[Example]:
    """An exact gene with many exons, and a gene that is fused, split, missed and invented, as far as there are any."""
    found = [_exact(analysis), *(_finding(analysis, kind) for kind in KINDS)]
    return [example for example in found if example is not None]


def _exact(analysis: Analysis) -> Example | None:
    """The gene with most introns among those that some call set has exactly, in all exons or all of its CDS."""
    comparison = analysis.comparison
    exact = [INDEX["gene"], INDEX["cds"]]
    found: list[list[bool]] = [
        np.any(call_set.annotated_items[:, exact, 1], axis=1).tolist() for call_set in comparison.call_sets
    ]
    # Of genes with as many introns that which fewest call sets have.
    candidates = [
        (-_introns(comparison.genes[number]), sum(of_gene), number)
        for number, of_gene in enumerate(zip(*found, strict=True))
        if any(of_gene) and _fits(*span(comparison.genes[number]))
    ]
    if not candidates:
        return None
    _, _, number = min(candidates)
    gene = comparison.genes[number]
    names = [name for name, of_set in zip(analysis.names, found, strict=True) if of_set[number]]
    what = f"{gene.gene_id}, {_introns(gene) + 1:,} exons" if _introns(gene) else gene.gene_id
    window = _window(analysis, gene.chromosome, *span(gene))
    return Example("exact", window, (gene,), f"{what}: by {', '.join(names)}.")


def _introns(gene: Gene) -> int:
    return max((len(transcript.coding_introns or transcript.introns) for transcript in gene.transcripts), default=0)


def _finding(analysis: Analysis, kind: str) -> Example | None:
    """A finding of median length of the call set that has most of the kind, away from those of other call sets."""
    of_sets = [
        [finding for finding in of_set[kind] if _fits(finding.start, finding.end)] for of_set in analysis.findings
    ]
    number = max(range(len(of_sets)), key=lambda one: (len(of_sets[one]), -one))
    if not of_sets[number]:
        return None
    ordered = sorted(of_sets[number], key=lambda finding: finding.end - finding.start)
    finding = ordered[len(ordered) // 2]
    window = _window(analysis, finding.gene.chromosome, finding.start, finding.end)
    return Example(kind, window, (finding.gene, *finding.others), _describe(analysis, kind, finding, number))


def _describe(analysis: Analysis, kind: str, finding: Finding, number: int) -> str:
    name, gene = analysis.names[number], finding.gene.gene_id
    others = ", ".join(list(_shortened([other.gene_id for other in finding.others])))
    return {
        "fused": f"{gene} of {name} covers {others}.",
        "split": f"{gene} is {others} of {name}.",
        "missed": f"{gene}: no call of {name} touches it on its strand.",
        "wrong_strand": f"{gene} of {name} touches annotated genes on the other strand only.",
        "invented": f"{gene} of {name} touches no annotated gene.",
    }[kind]


def _shortened(names: Sequence[str], limit: int = 4) -> Iterator[str]:
    yield from names[:limit]
    if len(names) > limit:
        yield f"{len(names) - limit:,} more"


def _fits(start: int, end: int) -> bool:
    return end - start <= MAX_BASES


def _window(analysis: Analysis, chromosome: str, start: int, end: int) -> Window:
    return drawing.window_of(chromosome, start, end, analysis.comparison.lengths[chromosome])
