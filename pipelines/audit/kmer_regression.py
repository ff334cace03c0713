"""Logistic regression on k-mer frequencies: how far composition alone tells genes from negatives.

A baseline that knows no order and no position. Frequencies are standardised on train; the strength of the L2 penalty is
chosen on validation. Time is that of counting, and of a few fits on at most `MOST_ROWS` rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from pipelines import fingerprint, metrics
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.genome import sequence

K = 5
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
DEFAULT_STRENGTH = 1.0
MOST_ROWS = 100_000
MOST_STEPS = 300
CHUNK_TOKENS = 1 << 20
CHUNK_ROWS = 1 << 12
Floats = NDArray[np.float32]
Scores = NDArray[np.float64]


def frequencies(codes: NDArray[np.uint8], lengths: NDArray[np.int64], k: int = K) -> Floats:
    """The share of each k-mer among the k-mers of a sequence.

    Args:
        codes: base codes 0 to 4 of all sequences end to end, shape (sum of lengths,).
        lengths: bases of each sequence, shape (sequences,).
        k: bases of a k-mer.

    Returns:
        Shape (sequences, 4^k), in the order of ACGT; k-mers with a code of 4 do not count, and a row is 0 throughout
        where there is no other.
    """
    size = max(len(codes) - k + 1, 0)
    number, known = np.zeros(size, np.int64), np.ones(size, np.bool_)
    for offset in range(k):
        code = codes[offset : offset + size]
        number = number * 4 + (code & 3)
        known &= code != sequence.OTHER
    row = np.repeat(np.arange(len(lengths)), lengths)
    known &= row[:size] == row[len(codes) - size :]
    cells = row[:size][known] * 4**k + number[known]
    counts = np.bincount(cells, minlength=len(lengths) * 4**k).reshape(len(lengths), 4**k).astype(np.float32)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


@dataclass(frozen=True)
class Regression:
    """A fitted regression.

    Attributes:
        mean, scale: of each column on train, shape (columns,).
        weights: of the standardised columns, shape (columns,).
        intercept: log-odds of a row that is the mean.
        strength: the inverse of the L2 penalty, scikit-learn's C.
    """

    mean: Floats
    scale: Floats
    weights: NDArray[np.float64]
    intercept: float
    strength: float

    def scores(self, rows: Floats) -> Scores:
        """Log-odds of rows (rows, columns), shape (rows,)."""
        slope = self.weights / self.scale
        return rows @ slope + (self.intercept - float(self.mean @ slope))


def fit(
    train: Floats, labels: NDArray[Any], validation: tuple[Floats, NDArray[Any]] | None = None
) -> tuple[Regression, Scores]:
    """Fit on train rows; of `STRENGTHS`, ascending, stop at the highest AUROC on validation (without one, take 1).

    Args:
        train: frequencies, shape (rows, columns); left standardised, to spare a copy.
        labels: 0 or 1, shape (rows,), both present.
        validation: the same of held-out rows, both labels present.

    Returns:
        The regression, and its scores of the train rows, shape (rows,).
    """
    mean = train.mean(axis=0, dtype=np.float64).astype(np.float32)
    train -= mean
    scale = np.sqrt(np.einsum("rc,rc->c", train, train) / np.float32(len(train)))
    scale[scale == 0] = 1
    train /= scale
    best: tuple[float, Regression] | None = None
    model = LogisticRegression(max_iter=MOST_STEPS, tol=1e-3, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for strength in (DEFAULT_STRENGTH,) if validation is None else STRENGTHS:
            model.set_params(C=strength).fit(train, labels)
            weights, intercept = model.coef_[0].astype(np.float64), float(model.intercept_[0])
            fitted = Regression(mean, scale, weights, intercept, strength)
            reached = 0.0 if validation is None else metrics.auroc(validation[1], fitted.scores(validation[0]))
            if best is not None and reached <= best[0]:
                break
            best = reached, fitted
    assert best is not None
    return best[1], train @ best[1].weights + best[1].intercept


@dataclass(frozen=True)
class Outcome:
    """A regression of one dataset.

    Attributes:
        regression: fitted on `rows` of train.
        rows: numbers of the train rows it was fitted on, ascending, shape (fitted,).
        on_train: scores of those, shape (fitted,).
        on_scored: scores of the split it is judged on, shape (rows,).
    """

    regression: Regression
    rows: NDArray[np.int64]
    on_train: Scores
    on_scored: Scores


def regress(train: TokenDataset, scored: TokenDataset, validation: TokenDataset | None) -> Outcome:
    """Fit on train (on a sample of `MOST_ROWS` that is always the same where it has more) and score a split.

    Train and validation must hold both labels.
    """
    rows, held_out = _sample(train), None
    if validation is not None:
        chosen = _sample(validation)
        held_out = of_dataset(validation, chosen), validation.labels[chosen]
    regression, on_train = fit(of_dataset(train, rows), train.labels[rows], held_out)
    on_scored = [regression.scores(chunk) for _, chunk in _chunks(scored, np.arange(len(scored)))]
    return Outcome(regression, rows, on_train, np.concatenate(on_scored))


def _sample(dataset: TokenDataset) -> NDArray[np.int64]:
    if len(dataset) <= MOST_ROWS:
        return np.arange(len(dataset))
    generator = np.random.default_rng(fingerprint.seed("kmers", dataset.split))
    return np.sort(generator.choice(len(dataset), MOST_ROWS, replace=False))


def of_dataset(dataset: TokenDataset, rows: NDArray[np.int64]) -> Floats:
    """`frequencies` of rows of a dataset, of the bases that their tokens show, shape (rows, 4^K)."""
    out = np.empty((len(rows), 4**K), np.float32)
    for place, chunk in _chunks(dataset, rows):
        out[place] = chunk
    return out


def _chunks(dataset: TokenDataset, rows: NDArray[np.int64]) -> Iterator[tuple[slice, Floats]]:
    """Frequencies of so many rows at a time that the work on them stays small."""
    lengths = dataset.table["end"].to_numpy() - dataset.table["start"].to_numpy()
    ends = np.cumsum(dataset.lengths[rows])
    first = 0
    while first < len(rows):
        before = int(ends[first - 1]) if first else 0
        last = int(np.searchsorted(ends, before + CHUNK_TOKENS, side="right"))
        last = min(max(last, first + 1), first + CHUNK_ROWS)
        some = rows[first:last]
        counts = dataset.lengths[some]
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        tokens = dataset.tokens[np.repeat(dataset.offsets[some], counts) + within]
        yield slice(first, last), frequencies(*dataset.tokenizer.decode_bases(tokens, lengths[some]))
        first = last
