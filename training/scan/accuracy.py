"""Called genes compared with annotated ones, in the terms in which gene finders are published.

Base level: bases within a call compared with bases within a gene, on either strand, and on the right strand. Interval
level: genes that a call overlaps, and calls that overlap a gene, on the same strand, by how closely. Sensitivity is the
share of what is annotated that was called; precision (once called specificity) is the share of what was called that is
annotated (Burset and Guigó 1996, doi:10.1006/geno.1996.0298). Costs a sort and a few searches a sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.genome import intervals
from pipelines.genome.features import SIGNS, Feature
from pipelines.genome.intervals import Intervals

HEADER = ("level", "annotated", "called", "sensitivity", "precision", "F1")
HALF = 0.5
STRANDS = ("+", "-")


@dataclass(frozen=True)
class Level:
    """Agreement at one level.

    Attributes:
        name: what is compared.
        annotated: number of annotated bases or genes.
        called: number of called bases or calls.
        recovered: how many of the annotated were called.
        correct: how many of the called are annotated; for bases the same number as `recovered`.
    """

    name: str
    annotated: int
    called: int
    recovered: int
    correct: int

    @property
    def sensitivity(self) -> float:
        """Share of the annotated that was called; 0 if nothing is annotated."""
        return self.recovered / self.annotated if self.annotated else 0.0

    @property
    def precision(self) -> float:
        """Share of the called that is annotated; 0 if nothing is called."""
        return self.correct / self.called if self.called else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of sensitivity and precision."""
        total = self.sensitivity + self.precision
        return 2 * self.sensitivity * self.precision / total if total else 0.0

    def row(self) -> tuple[object, ...]:
        """The cells under `HEADER`."""
        return (self.name, self.annotated, self.called, self.sensitivity, self.precision, self.f1)


LEVELS = {
    "base": "bases, either strand",
    "base_stranded": "bases, same strand",
    "touched": "genes, any overlap",
    "half": "genes, half of both overlaps",
    "everything": "bases, everything called",
}


def compare(calls: Iterable[Feature], genes: Iterable[Feature], lengths: Mapping[str, int]) -> dict[str, Level]:
    """Compare calls with an annotation at every one of `LEVELS`.

    Args:
        calls: called genes.
        genes: annotated genes; one without a strand counts on both.
        lengths: bases of the sequences to compare on; features on other sequences are left out.

    Returns:
        Key of `LEVELS` to agreement; `everything` is what calling the whole of every sequence a gene would score.
    """
    sums = {name: np.zeros(4, np.int64) for name in LEVELS}
    calls_by_sequence, genes_by_sequence = _by_sequence(calls, lengths), _by_sequence(genes, lengths)
    for name, length in lengths.items():
        called, annotated = calls_by_sequence[name], genes_by_sequence[name]
        union = intervals.merge(_intervals(annotated, STRANDS))
        sums["base"] += _base_counts(intervals.merge(_intervals(called, STRANDS)), union)
        sums["everything"] += _base_counts(np.array([[0, length]]), union)
        for strand in STRANDS:
            sums["base_stranded"] += _base_counts(
                intervals.merge(_intervals(called, (strand,))), intervals.merge(_intervals(annotated, (strand,)))
            )
        for level, share in (("touched", 0.0), ("half", HALF)):
            sums[level] += _overlap_counts(called, annotated, share)
    return {name: Level(text, *sums[name].tolist()) for name, text in LEVELS.items()}


def _by_sequence(features: Iterable[Feature], lengths: Mapping[str, int]) -> dict[str, list[Feature]]:
    grouped: dict[str, list[Feature]] = {name: [] for name in lengths}
    for feature in features:
        if feature.chromosome in grouped:
            grouped[feature.chromosome].append(feature)
    return grouped


def _intervals(features: Sequence[Feature], strands: Sequence[str]) -> Intervals:
    """Start and end of the features on one of the strands or on none, shape (features, 2)."""
    ends = [
        (feature.start, feature.end)
        for feature in features
        if feature.strand in strands or feature.strand not in STRANDS
    ]
    return np.array(ends, np.int64).reshape(-1, 2)


def _base_counts(called: Intervals, annotated: Intervals) -> NDArray[np.int64]:
    """Numbers of bases annotated, called, and in both (twice), of merged intervals."""
    both = shared_bases(called, annotated)
    sizes = [int((merged[:, 1] - merged[:, 0]).sum()) for merged in (annotated, called)]
    return np.array([*sizes, both, both])


def shared_bases(first: Intervals, second: Intervals) -> int:
    """Number of bases in both of two merged sets."""
    if not len(first) or not len(second):
        return 0
    return int((_covered_before(first[:, 1], second) - _covered_before(first[:, 0], second)).sum())


def _covered_before(positions: NDArray[np.int64], merged: Intervals) -> NDArray[np.int64]:
    """Bases of a merged set before each position. Shape as given."""
    before = np.append(0, np.cumsum(merged[:, 1] - merged[:, 0]))
    at = np.searchsorted(merged[:, 0], positions, side="right")
    # Of the interval that holds the position, the bases from there on do not count.
    rest = np.where(at > 0, np.maximum(merged[at - 1, 1] - positions, 0), 0)
    return before[at] - rest


def _overlap_counts(calls: Sequence[Feature], genes: Sequence[Feature], share: float) -> NDArray[np.int64]:
    """Numbers of genes, of calls, of genes that a call overlaps, and of calls that overlap a gene.

    An overlap counts on the same strand, from one base on, over at least `share` of the bases of both.
    """
    ordered = sorted(calls, key=lambda call: call.start)
    ends, signs = _intervals(ordered, STRANDS), _signs(ordered)
    # The furthest end of this and all earlier calls: where it is before a gene, no earlier call reaches the gene.
    reach = np.maximum.accumulate(ends[:, 1])
    recovered, correct = 0, np.zeros(len(ordered), np.bool_)
    for gene, sign in zip(genes, _signs(genes).tolist(), strict=True):
        first = int(np.searchsorted(reach, gene.start, side="right"))
        last = int(np.searchsorted(ends[:, 0], gene.end))
        near = ends[first:last]
        overlap = np.minimum(near[:, 1], gene.end) - np.maximum(near[:, 0], gene.start)
        required = np.maximum(share * np.maximum(near[:, 1] - near[:, 0], gene.end - gene.start), 1)
        # The product is -1 for opposite strands, and 0 where one has none.
        overlaps = (overlap >= required) & (signs[first:last] * sign >= 0)
        recovered += bool(overlaps.any())
        correct[first:last] |= overlaps
    return np.array([len(genes), len(ordered), recovered, int(correct.sum())])


def _signs(features: Sequence[Feature]) -> NDArray[np.int64]:
    """+1 or -1 by strand, 0 without one; shape (features,)."""
    return np.array([SIGNS.get(feature.strand, 0) for feature in features], np.int64)


def to_json(levels: Mapping[str, Level], lengths: Mapping[str, int]) -> dict[str, object]:
    """The comparison as it is written; the keys are described in `docs/compare.md`."""
    figures = {
        name: {
            "annotated": level.annotated,
            "called": level.called,
            "sensitivity": level.sensitivity,
            "precision": level.precision,
            "f1": level.f1,
        }
        for name, level in levels.items()
    }
    return {"sequences": dict(lengths), **figures}
