"""Called genes held against annotated ones, in the terms in which gene finders are published.

Base level: bases within a call against bases within a gene, on either strand, and on the right strand. Interval level: genes
that a call meets, and calls that meet a gene, on the same strand, by how closely. Sensitivity is the share of what is annotated
that was called, precision (once called specificity) the share of what was called that is annotated (Burset and Guigó 1996,
doi:10.1006/geno.1996.0298). A sort and a few searches a sequence.
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
        name: what was compared.
        annotated: bases or genes there are.
        called: bases or calls there are.
        found: of the annotated, those that were called.
        right: of the called, those that are annotated; bases are the same ones as `found`.
    """

    name: str
    annotated: int
    called: int
    found: int
    right: int

    @property
    def sensitivity(self) -> float:
        """Share of the annotated that was called; 0 where nothing is annotated."""
        return self.found / self.annotated if self.annotated else 0.0

    @property
    def precision(self) -> float:
        """Share of the called that is annotated; 0 where nothing is called."""
        return self.right / self.called if self.called else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        total = self.sensitivity + self.precision
        return 2 * self.sensitivity * self.precision / total if total else 0.0

    def row(self) -> tuple[object, ...]:
        """Under `HEADER`."""
        return (self.name, self.annotated, self.called, self.sensitivity, self.precision, self.f1)


LEVELS = {
    "base": "bases, either strand",
    "base_stranded": "bases, same strand",
    "touched": "genes, any overlap",
    "half": "genes, half of both overlaps",
    "everything": "bases, everything called",
}


def judge(calls: Iterable[Feature], genes: Iterable[Feature], lengths: Mapping[str, int]) -> dict[str, Level]:
    """Agreement of calls with an annotation at every one of `LEVELS`.

    Args:
        calls: what was called.
        genes: what is annotated; one without a strand counts on both.
        lengths: bases of the sequences that are judged; what lies on others is left out.

    Returns:
        Key of `LEVELS` to figures; `everything` is what calling the whole of every sequence a gene would score.
    """
    sums = {name: np.zeros(4, np.int64) for name in LEVELS}
    called, annotated = _by_sequence(calls, lengths), _by_sequence(genes, lengths)
    for name, length in lengths.items():
        mine, theirs = called[name], annotated[name]
        union, truth = intervals.merge(_places(mine, STRANDS)), intervals.merge(_places(theirs, STRANDS))
        sums["base"] += _bases(union, truth)
        sums["everything"] += _bases(np.array([[0, length]]), truth)
        for strand in STRANDS:
            here, there = _places(mine, (strand,)), _places(theirs, (strand,))
            sums["base_stranded"] += _bases(intervals.merge(here), intervals.merge(there))
        for level, share in (("touched", 0.0), ("half", HALF)):
            sums[level] += _met(mine, theirs, share)
    return {name: Level(text, *sums[name].tolist()) for name, text in LEVELS.items()}


def _by_sequence(features: Iterable[Feature], lengths: Mapping[str, int]) -> dict[str, list[Feature]]:
    found: dict[str, list[Feature]] = {name: [] for name in lengths}
    for feature in features:
        if feature.chromosome in found:
            found[feature.chromosome].append(feature)
    return found


def _places(features: Sequence[Feature], strands: Sequence[str]) -> Intervals:
    """Start and end of those on one of the strands or on none, shape (n, 2)."""
    places = [(one.start, one.end) for one in features if one.strand in strands or one.strand not in STRANDS]
    return np.array(places, np.int64).reshape(-1, 2)


def _bases(called: Intervals, annotated: Intervals) -> NDArray[np.int64]:
    """Bases annotated, called, and in both (twice), of merged intervals."""
    both = shared(called, annotated)
    sizes = [int((one[:, 1] - one[:, 0]).sum()) for one in (annotated, called)]
    return np.array([*sizes, both, both])


def shared(one: Intervals, other: Intervals) -> int:
    """Bases in both of two merged sets."""
    if not len(one) or not len(other):
        return 0
    return int((_covered(one[:, 1], other) - _covered(one[:, 0], other)).sum())


def _covered(places: NDArray[np.int64], merged: Intervals) -> NDArray[np.int64]:
    """Bases of a merged set before each place. Shape as given."""
    before = np.append(0, np.cumsum(merged[:, 1] - merged[:, 0]))
    at = np.searchsorted(merged[:, 0], places, side="right")
    inside = np.where(at > 0, np.maximum(merged[at - 1, 1] - places, 0), 0)
    return before[at] - inside


def _met(calls: Sequence[Feature], genes: Sequence[Feature], share: float) -> NDArray[np.int64]:
    """Genes, calls, genes met by a call and calls met by a gene, over at least `share` of the bases of both."""
    ordered = sorted(calls, key=lambda call: call.start)
    places, signs = _places(ordered, STRANDS), _signs(ordered)
    reach = np.maximum.accumulate(places[:, 1])
    found, right = 0, np.zeros(len(ordered), np.bool_)
    for gene, sign in zip(genes, _signs(genes).tolist(), strict=True):
        first = int(np.searchsorted(reach, gene.start, side="right"))
        last = int(np.searchsorted(places[:, 0], gene.end))
        some = places[first:last]
        overlap = np.minimum(some[:, 1], gene.end) - np.maximum(some[:, 0], gene.start)
        least = np.maximum(share * np.maximum(some[:, 1] - some[:, 0], gene.end - gene.start), 1)
        met = (overlap >= least) & (signs[first:last] * sign >= 0)
        found += bool(met.any())
        right[first:last] |= met
    return np.array([len(genes), len(ordered), found, int(right.sum())])


def _signs(features: Sequence[Feature]) -> NDArray[np.int64]:
    """+1 or -1 by strand, 0 without one; shape (features,)."""
    return np.array([SIGNS.get(one.strand, 0) for one in features], np.int64)


def to_json(levels: Mapping[str, Level], lengths: Mapping[str, int]) -> dict[str, object]:
    """Figures as they are written; the keys are described in `docs/predict.md`."""
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
