"""Weights of reading frames by an annotation: a logistic regression, and the threshold with the best F1.

A frame counts as a gene if an annotated coding sequence ends at its stop codon. Frames that share more bases with one
than neighbouring genes may are left out: they lose to it in the choice, and say nothing about frames without a gene.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipelines.errors import InputError
from pipelines.gene_models.model import Gene, Spans
from pipelines.gene_models.open_frames import Flags
from pipelines.genome import intervals
from pipelines.genome.sequence import Bytes
from training.scan.grid import Grid
from training.scan.orfs import candidates, models
from training.scan.orfs.candidates import Candidates
from training.scan.orfs.settings import FrameSettings, Weights, figures
from training.scan.scores import STRANDS, Scores

# Added to the constant, in turn; the first of the best is kept.
SHIFTS = (0.0, 0.25, -0.25, 0.5, -0.5, 0.75, -0.75, 1.0, -1.0)
FEWEST_GENES = 50
DIGITS = 3
Structure = tuple[str, str, Spans]
"""Sequence, strand and CDS."""


@dataclass(frozen=True)
class Fit:
    """Weights, and how well frames agree with the annotation by them, on the sequences they were fitted on.

    Attributes:
        weights: of the scores.
        genes: number of annotated coding structures.
        exact_f1: F1 of exact coding structures.
        base_f1: F1 of coding bases on the right strand.
    """

    weights: Weights
    genes: int
    exact_f1: float
    base_f1: float


@dataclass(frozen=True)
class IntronCount:
    """How many coding genes of an annotation have introns.

    Attributes:
        genes: with a coding sequence.
        with_introns: those of which a coding sequence has one.
    """

    genes: int
    with_introns: int

    @property
    def share(self) -> float:
        """Share of genes with introns; 0 if there are none."""
        return self.with_introns / self.genes if self.genes else 0.0


def count_introns(genes: Iterable[Gene]) -> IntronCount:
    """Count the coding genes, and those with introns."""
    flags = [
        any(transcript.coding_introns for transcript in gene.transcripts)
        for gene in genes
        if any(transcript.cds for transcript in gene.transcripts)
    ]
    return IntronCount(len(flags), sum(flags))


def fit(
    sequences: Iterable[tuple[str, Bytes, Scores]], genes: Sequence[Gene], grid: Grid, settings: FrameSettings
) -> Fit:
    """Fit weights.

    Args:
        sequences: name, letters and scores of shape (2, bins) of the sequences to fit on.
        genes: annotated genes; those on other sequences do not count.
        grid: window and stride.
        settings: how frames are found; its weights do not count.

    Raises:
        InputError: the annotation has too few coding genes on them.
    """
    from sklearn.linear_model import LogisticRegression

    found = {name: candidates.find(letters, scores, grid, settings) for name, letters, scores in sequences}
    structures = coding_structures(genes, found)
    if len(structures) < FEWEST_GENES:
        raise InputError(
            f"{len(structures):,} coding sequences are annotated on {', '.join(found)}: too few to fit weights",
            f"give an annotation with CDS rows of at least {FEWEST_GENES} genes there",
        )
    values, labels = [], []
    for name, of_sequence in found.items():
        is_gene, chosen = _labels(of_sequence, [one for one in structures if one[0] == name], settings.overlap)
        values.append(figures(of_sequence.own, of_sequence.expected_stops)[chosen])
        labels.append(is_gene[chosen])
    target = np.concatenate(labels)
    if len(np.unique(target)) < len((False, True)):
        raise InputError("no reading frame ends where an annotated coding sequence does", "check --genetic-code")
    regression = LogisticRegression(max_iter=1000).fit(np.concatenate(values), target)
    own, length = (round(float(weight), DIGITS) for weight in regression.coef_[0])
    constant = round(float(regression.intercept_[0]), DIGITS)
    fits = [
        evaluate(found, structures, replace(settings, weights=Weights(constant + shift, own, length)))
        for shift in SHIFTS
    ]
    return max(fits, key=lambda one: one.exact_f1 + one.base_f1)


def coding_structures(genes: Iterable[Gene], names: Collection[str]) -> set[Structure]:
    """The different coding sequences of the genes on some sequences."""
    return {
        (gene.chromosome, gene.strand, transcript.cds)
        for gene in genes
        for transcript in gene.transcripts
        if transcript.cds and gene.chromosome in names
    }


def _labels(found: Candidates, structures: Sequence[Structure], overlap: int) -> tuple[Flags, Flags]:
    """Whether each candidate of a sequence is a gene, and whether it counts in the regression."""
    stops = {(strand, cds[-1][1] if strand == "+" else cds[0][0]) for _, strand, cds in structures}
    rows = zip(found.is_reverse.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True)
    is_whole = ~(found.is_cut_start | found.is_cut_stop)
    is_gene = np.array([("-", first) in stops if reverse else ("+", last) in stops for reverse, first, last in rows])
    spans = np.array([span for *_, cds in structures for span in cds], np.int64).reshape(-1, 2)
    # A frame may begin or end within a coding sequence by as much as neighbours may share.
    inner = np.column_stack([found.starts + overlap, np.maximum(found.ends - overlap, found.starts + overlap + 1)])
    is_apart = ~intervals.overlaps(inner, intervals.merge(spans))
    is_gene = is_gene.astype(np.bool_) & is_whole
    return is_gene, is_gene | (is_apart & is_whole)


def evaluate(found: dict[str, Candidates], structures: set[Structure], settings: FrameSettings) -> Fit:
    """How well the genes chosen among the candidates of sequences agree with annotated structures there."""
    called: set[Structure] = set()
    for name, of_sequence in found.items():
        genes, _ = models.choose(of_sequence, settings)
        called |= {(name, STRANDS[int(genes.is_reverse[one])], genes.spans(one)) for one in range(len(genes.starts))}
    exact = 2 * len(called & structures) / (len(called) + len(structures))
    bases = [_bases(sets) for sets in (called, structures, called | structures)]
    shared = bases[0] + bases[1] - bases[2]
    return Fit(settings.weights, len(structures), exact, 2 * shared / (bases[0] + bases[1]))


def _bases(structures: set[Structure]) -> int:
    """Bases in the coding sequences, each counted once on a strand."""
    by_strand: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for name, strand, cds in structures:
        by_strand.setdefault((name, strand), []).extend(cds)
    merged = [intervals.merge(np.array(spans, np.int64)) for spans in by_strand.values()]
    return sum(int((one[:, 1] - one[:, 0]).sum()) for one in merged)
