"""What labelled sequences show before any network is trained: whether positions matter, and whether the strand does.

Two regressions are fitted on train and evaluated on validation: one on 4-mers wherever they lie, one on the base at
each position. The first is evaluated once more on the reverse complements of validation, the second on validation with
each sequence rotated by a random number of bases. Where a label holds for both strands, such as a binding site's, the
one changes nothing; where sequences are not aligned to anything, such as windows of a genome, the other does not. Of
several classes the regressions are multinomial, and AUROC is the mean over classes of each against all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import class_metrics, metrics
from pipelines.audit import class_regression, kmer_regression
from pipelines.genome.sequence import Bytes, base_codes, reverse_complement

K = 4
MOST_ROWS, MOST_BASES = 10_000, 3_000_000
"""Rows of train, and of validation, that are looked at: fewer where they are long, for memory goes by bases."""
ALIGNED_FROM = 0.1
"""Fall of AUROC on rotated sequences from which they are taken to be aligned. Promoters have .13 to .35, binding sites
.04 and .06."""
STRANDED_FROM = 0.03
"""Fall of AUROC on reverse complements from which the strand is taken to matter. Binding sites have .00 and .02."""
ERRORS = 3
"""Standard errors of an AUROC by which a finding has to exceed chance."""


@dataclass(frozen=True)
class SequenceFacts:
    """AUROC on validation of the two regressions.

    Attributes:
        composition: of 4-mers.
        composition_reversed: of the same on reverse complements.
        positions: of bases at positions; 0.5 where sequences differ in length.
        positions_rotated: of the same on rotated sequences.
        error: standard error of an AUROC of labels at random, with as many rows.
    """

    composition: float
    composition_reversed: float
    positions: float
    positions_rotated: float
    error: float

    @property
    def aligned(self) -> bool:
        """Whether the position of a base tells the label: sequences are aligned to something, such as a start."""
        return self.positions - self.positions_rotated >= max(ALIGNED_FROM, ERRORS * self.error)

    @property
    def strands_alike(self) -> bool:
        """Whether the label holds for both strands: 4-mers tell it, and on the other strand no less.

        Aligned sequences have a direction, and where 4-mers tell nothing, nothing follows from the other strand.
        """
        fall = self.composition - self.composition_reversed
        return not self.aligned and self.composition >= 0.5 + ERRORS * self.error and fall < STRANDED_FROM


@dataclass(frozen=True)
class Rows:
    """Labelled sequences of a split.

    Attributes:
        letters: of all sequences end to end, shape (bases,).
        lengths: of each sequence, shape (sequences,).
        labels: 0 or 1, or numbers of classes, shape (sequences,).
    """

    letters: Bytes
    lengths: NDArray[np.int64]
    labels: NDArray[Any]

    def spread(self, most: int) -> Rows:
        """So many rows at equal distances, so that files sorted by label show all; every row where there are fewer."""
        count = len(self.lengths)
        if count <= most:
            return self
        is_taken = np.zeros(count, np.bool_)
        is_taken[np.arange(most) * count // most] = True
        return Rows(self.letters[np.repeat(is_taken, self.lengths)], self.lengths[is_taken], self.labels[is_taken])


def facts(train: Rows, validation: Rows, classes: int = 2) -> SequenceFacts | None:
    """What sequences show; None where a split has sequences of one label only.

    Args:
        train: rows to fit on.
        validation: rows to evaluate on.
        classes: how many there are.
    """
    longest = int(max(train.lengths.max(), validation.lengths.max()))
    most = min(MOST_ROWS, MOST_BASES // longest)
    fitted, evaluated = train.spread(most), validation.spread(most)
    if min(len(np.unique(rows.labels)) for rows in (fitted, evaluated)) < 2:
        return None
    own, held_out = base_codes(fitted.letters), base_codes(evaluated.letters)
    of_kmers = (
        kmer_regression.frequencies(own, fitted.lengths, K),
        kmer_regression.frequencies(held_out, evaluated.lengths, K),
        # The reverse complement of all rows together has them in reverse order.
        kmer_regression.frequencies(base_codes(reverse_complement(evaluated.letters)), evaluated.lengths[::-1], K)[
            ::-1
        ],
    )
    composition, reversed_ = _aurocs(of_kmers, fitted.labels, evaluated.labels, classes)
    error = _error(evaluated.labels)
    lengths = np.unique(np.concatenate([fitted.lengths, evaluated.lengths]))
    if len(lengths) > 1:
        return SequenceFacts(composition, reversed_, 0.5, 0.5, error)
    own, held_out = (codes.reshape(-1, int(lengths[0])) for codes in (own, held_out))
    at_positions = tuple(map(_bases, (own, held_out, _rotated(held_out))))
    positions, rotated = _aurocs(at_positions, fitted.labels, evaluated.labels, classes)
    return SequenceFacts(composition, reversed_, positions, rotated, error)


def _aurocs(
    columns: tuple[NDArray[np.float32], ...], labels: NDArray[Any], evaluated: NDArray[Any], classes: int
) -> tuple[float, float]:
    """AUROC on validation, and on changed sequences of it; columns of train, validation and those."""
    train, *looked_at = columns
    held_out = [looked_at[0]], evaluated
    if classes > 2:
        of_classes = class_regression.fit(train, labels, classes, held_out)
        values = [class_metrics.metrics_of(evaluated, of_classes.probabilities(rows))["auroc"] for rows in looked_at]
    else:
        regression, _ = kmer_regression.fit(train, labels, held_out)
        values = [metrics.auroc(evaluated, regression.scores(rows)) for rows in looked_at]
    return values[0], values[1]


def _error(labels: NDArray[Any]) -> float:
    """The standard error of an AUROC of scores that tell nothing (Hanley and McNeil 1982), at most, of a mean of such.

    Args:
        labels: at least two different ones, shape (rows,).
    """
    of_class = np.unique(labels, return_counts=True)[1]
    return float(np.sqrt((len(labels) + 1) / (12 * of_class * (len(labels) - of_class))).mean())


def _rotated(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each row rotated by a random number of bases, shape as given."""
    rows, size = codes.shape
    first = np.random.default_rng(0).integers(size, size=(rows, 1))
    return codes[np.arange(rows)[:, None], (np.arange(size) + first) % size]


def _bases(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Each base at each position as a column, shape (rows, 4 * positions)."""
    return (codes[:, :, None] == np.arange(4)).reshape(len(codes), -1).astype(np.float32)
