"""Settings from data: lengths and splice sites counted on labels, weights chosen on scores of validation.

Every candidate of the search is one best path over all of the validation; a few megabases are enough. The search is
deterministic: one weight after the other, up and down, by steps that shrink. Then a path for each strand is compared
with one for both. Last is the weight that makes posterior probabilities say how often an exon is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.structure import statistics
from pipelines.structure.states import States
from pipelines.structure.statistics import Statistics
from training.decoding.decoder import decode
from training.decoding.scores import Scores
from training.decoding.settings import Lengths, Minimum, Pair, Settings, Weights
from training.decoding.truth import Counts, Truth

# Weights to choose, with their first steps: factors for those that multiply scores, sums for penalties.
_STEPS = {
    "state": 2.0,
    "gene": 4.0,
    "intron": 4.0,
    "donor": 2.0,
    "acceptor": 2.0,
    "start": 2.0,
    "stop": 2.0,
    "length": 2.0,
}
_IS_FACTOR = ("state", "donor", "acceptor", "start", "stop", "length")
_SHRINKS = 2
# Weights of the support to choose from.
_SUPPORTS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
# The shares of introns and of coding sequences that may be shorter than the minimum, and of introns with a pair that
# is then left out.
_SHORTER_INTRONS, _SHORTER_CODING = 0.0005, 0.002
_RARE_PAIR = 0.0005
_FEWEST = 20


class Example(NamedTuple):
    """A stretch of validation.

    Attributes:
        scores: of the network.
        codes: of its bases, shape (bases,).
        packed: its states, shape (bases,).
        genetic_code: of its genome, as its number at NCBI; None: that of the settings.
    """

    scores: Scores
    codes: NDArray[np.uint8]
    packed: States
    genetic_code: int | None = None

    def own(self, settings: Settings) -> Settings:
        """The settings with the genetic code of its genome."""
        if self.genetic_code is None:
            return settings
        return settings.model_copy(update={"genetic_code": self.genetic_code})


class Fitted(NamedTuple):
    """The settings and how well they do on validation.

    Attributes:
        settings: with the chosen weights.
        exon_f1: F1 of coding exons with exact ends.
        gene_f1: F1 of coding structures.
        evaluations: number of weights tried.
    """

    settings: Settings
    exon_f1: float
    gene_f1: float
    evaluations: int


def fit(
    train: Iterable[tuple[States, NDArray[np.uint8]]],
    validation: Sequence[Example],
    settings: Settings | None = None,
    *,
    evaluations: int = 100,
) -> Fitted:
    """Count on train, choose weights on validation.

    Args:
        train: packed states and base codes of whole stretches.
        validation: stretches with scores; without any, the weights stay as they are.
        settings: what is not fitted is taken from here: genetic code, start codons, regions, first weights.
        evaluations: how many weights to try at most.
    """
    total = Statistics()
    for packed, codes in train:
        total += statistics.of_stretch(packed, codes)
    counted = from_statistics(total, settings or Settings())
    if not validation:
        return Fitted(counted, float("nan"), float("nan"), 0)
    return _Search(counted, validation, evaluations).run()


def from_statistics(counts: Statistics, settings: Settings) -> Settings:
    """Settings with the lengths, shortest lengths and splice pairs of labels; what has too few keeps its value."""
    lengths, minimum, pairs = settings.lengths, settings.minimum, settings.pairs
    genes = sum(counts.genes.values())
    if genes >= _FEWEST:
        introns = sum((exons - 1) * number for exons, number in counts.genes.items())
        lengths = lengths.model_copy(
            update={
                "introns": max(introns / genes, 0.5 / genes),
                "exon": max(_mean(counts.exons), 2.0),
                "intergenic": max(_mean(counts.intergenic), 2.0) if counts.intergenic else lengths.intergenic,
            }
        )
        minimum = minimum.model_copy(update={"coding": max(_low(counts.coding, _SHORTER_CODING) * 9 // 10, 6)})
    if sum(counts.introns.values()) >= _FEWEST:
        shortest = min(max(_low(counts.introns, _SHORTER_INTRONS), 4), 1000)
        minimum = minimum.model_copy(update={"intron": shortest})
        lengths = lengths.model_copy(update={"intron": max(_mean(counts.introns), shortest + 1.0)})
        pairs = _pairs(counts.splice_pairs) or pairs
    return settings.model_copy(
        update={
            "lengths": Lengths.model_validate(lengths.model_dump()),
            "minimum": Minimum.model_validate(minimum.model_dump()),
            "pairs": pairs,
        }
    )


def _mean(lengths: Counter[int]) -> float:
    return sum(length * number for length, number in lengths.items()) / max(sum(lengths.values()), 1)


def _low(lengths: Counter[int], shorter: float) -> int:
    """The length that at most a share of them are shorter than."""
    may_be_shorter = shorter * sum(lengths.values())
    below = 0
    for length in sorted(lengths):
        below += lengths[length]
        if below > may_be_shorter:
            return length
    return 0


def _pairs(counts: Counter[str]) -> dict[Pair, float]:
    """The shares of splice pairs that are frequent enough to be believed."""
    names: tuple[Pair, ...] = ("GT-AG", "GC-AG", "AT-AC")
    total = sum(counts[name] for name in names)
    frequent = [name for name in names if counts[name] > _RARE_PAIR * total and counts[name] > 1]
    known = sum(counts[name] for name in frequent)
    return {name: round(counts[name] / known, 6) for name in frequent}


class _Search:
    """Coordinate search over weights."""

    def __init__(self, settings: Settings, validation: Sequence[Example], limit: int) -> None:
        self._settings = settings
        self._validation = validation
        self._truths = [Truth(example.packed) for example in validation]
        self._limit = limit
        self._tried: dict[Weights, tuple[float, float]] = {}

    def run(self) -> Fitted:
        best = self._settings.weights
        figure = sum(self._evaluate(best))
        for shrink in range(_SHRINKS + 1):
            improved = True
            while improved and len(self._tried) < self._limit:
                improved = False
                for name in _STEPS:
                    for weights in _neighbours(best, name, shrink):
                        if len(self._tried) >= self._limit:
                            break
                        candidate = sum(self._evaluate(weights))
                        if candidate > figure:
                            best, figure, improved = weights, candidate, True
        # With a path for each strand a decode takes twice as long: it is tried with the best weights alone.
        joint = self._with(best)
        separate = joint.model_copy(update={"strands": "separate"})
        tried = {"joint": self._tried[best], "separate": self._decoded(separate)}
        chosen = separate if sum(tried["separate"]) > sum(tried["joint"]) else joint
        return Fitted(self._calibrated(chosen), *tried[chosen.strands], len(self._tried))

    def _calibrated(self, settings: Settings) -> Settings:
        """The settings with the support that tells right exons from wrong ones best, by its mean log loss."""
        candidates = [
            settings.model_copy(update={"weights": settings.weights.model_copy(update={"support": support})})
            for support in _SUPPORTS
        ]
        return candidates[int(np.argmin([self._log_loss(candidate) for candidate in candidates]))]

    def _log_loss(self, settings: Settings) -> float:
        exons = [
            exon
            for example, truth in zip(self._validation, self._truths, strict=True)
            for exon in truth.exon_supports(decode(example.scores, example.codes, example.own(settings)))
        ]
        if not exons:
            return 0.0
        support, is_right = np.array(exons).T
        support = np.clip(support, 1e-6, 1 - 1e-6)
        return -float(np.where(is_right > 0, np.log(support), np.log1p(-support)).mean())

    def _with(self, weights: Weights) -> Settings:
        return self._settings.model_copy(update={"weights": weights})

    def _evaluate(self, weights: Weights) -> tuple[float, float]:
        """F1 of exons and of genes."""
        if weights not in self._tried:
            self._tried[weights] = self._decoded(self._with(weights))
        return self._tried[weights]

    def _decoded(self, settings: Settings) -> tuple[float, float]:
        exons, genes = Counts(), Counts()
        for example, truth in zip(self._validation, self._truths, strict=True):
            called = decode(example.scores, example.codes, example.own(settings), support=False)
            exons += truth.exon_counts(called)
            genes += truth.gene_counts(called)
        return exons.f1, genes.f1


def _neighbours(weights: Weights, name: str, shrink: int) -> list[Weights]:
    """The weights with one of them a step up and a step down."""
    value, step = getattr(weights, name), _STEPS[name]
    if name in _IS_FACTOR:
        factor = step ** (0.5**shrink)
        values = [value * factor, value / factor]
    else:
        values = [value + step / 2**shrink, value - step / 2**shrink]
    return [weights.model_copy(update={name: round(changed, 4)}) for changed in values]
