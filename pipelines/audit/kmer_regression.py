"""Logistic regression on k-mer frequencies: how well composition alone separates genes from negatives.

A baseline that knows no order and no position. Frequencies are standardised on train; the strength of the L2 penalty is
chosen on validation, or without one by cross-validation on train. Time is that of counting, and of a few fits on at
most `MAX_ROWS` rows. Memory is that of the frequencies of these (`regression_size`): those of validation are counted
anew for each fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint, metrics
from pipelines.audit.regression_size import CHUNK_ROWS, MAX_ROWS, K
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.decision_threshold import LOG_ODDS, nearest_to
from pipelines.genome import sequence

STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FOLDS = 5
MAX_FOLD_ROWS = 20_000
"""Rows that cross-validation takes at most: it fits `FOLDS` times as often."""
MAX_ITERATIONS = 300
CHUNK_TOKENS = 1 << 20
"""Tokens of the rows that are scored at a time, at most."""
COUNTED_TOKENS, COUNTED_ROWS = 1 << 17, 1 << 9
"""Tokens and rows that are counted at a time, at most: counting takes some 100 bytes of a token, 20 KiB of a row."""
Floats = NDArray[np.float32]
Scores = NDArray[np.float64]


def frequencies(codes: NDArray[np.uint8], lengths: NDArray[np.int64], k: int = K) -> Floats:
    """Return the share of each k-mer among the k-mers of each sequence.

    Args:
        codes: base codes 0 to 4 of all sequences end to end, shape (sum of lengths,).
        lengths: bases of each sequence, shape (sequences,).
        k: bases of a k-mer.

    Returns:
        Shape (sequences, 4^k), in the order of ACGT. k-mers with a code of 4 do not count; a row without any other
        k-mer is 0 throughout.
    """
    size = max(len(codes) - k + 1, 0)
    number, is_counted = np.zeros(size, np.int64), np.ones(size, np.bool_)
    for offset in range(k):
        code = codes[offset : offset + size]
        number = number * 4 + (code & 3)
        is_counted &= code != sequence.OTHER
    row = np.repeat(np.arange(len(lengths)), lengths)
    # A k-mer that begins in one sequence and ends in the next does not count.
    is_counted &= row[:size] == row[len(codes) - size :]
    cells = row[:size][is_counted] * 4**k + number[is_counted]
    counts = np.bincount(cells, minlength=len(lengths) * 4**k).reshape(len(lengths), 4**k).astype(np.float32)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


@dataclass(frozen=True)
class Regression:
    """A fitted regression.

    Attributes:
        mean, scale: of each column on train, shape (columns,).
        weights: of the standardised columns, shape (columns,).
        intercept: log-odds of the mean row.
        strength: the inverse of the L2 penalty, scikit-learn's C.
    """

    mean: Floats
    scale: Floats
    weights: NDArray[np.float64]
    intercept: float
    strength: float

    @property
    def k(self) -> int:
        """Bases of a k-mer."""
        return (len(self.weights).bit_length() - 1) // 2

    def scores(self, rows: Floats) -> Scores:
        """Return the log-odds of rows of frequencies, shape (rows, columns), as shape (rows,)."""
        slope = self.weights / self.scale
        return _products(rows, slope) + (self.intercept - float(self.mean @ slope))


def fit(
    train: Floats, labels: NDArray[Any], validation: tuple[Sequence[Floats] | CountedRows, NDArray[Any]] | None = None
) -> tuple[Regression, Scores]:
    """Fit on train rows with the strength, ascending in `STRENGTHS`, after which AUROC on validation stops rising.

    Args:
        train: frequencies, shape (rows, columns); standardised in place, to save a copy.
        labels: 0 or 1, shape (rows,), both present.
        validation: frequencies of held-out rows, some rows at a time, which are read again for each fit, and the labels
            of all of them, both present; None for cross-validation.

    Returns:
        The regression, and its scores of the train rows, shape (rows,).
    """
    mean = train.mean(axis=0, dtype=np.float64).astype(np.float32)
    train -= mean
    scale = np.sqrt(np.einsum("rc,rc->c", train, train) / np.float32(len(train)))
    scale[scale == 0] = 1
    train /= scale
    best: tuple[float, Regression] | None = None
    strengths = STRENGTHS if validation is not None else (_cross_validated(train, labels),)
    for strength, weights, intercept in _path(train, labels, strengths):
        fitted = Regression(mean, scale, weights, intercept, strength)
        auroc = 0.0 if validation is None else metrics.auroc(validation[1], _scores_of(fitted, validation[0]))
        if best is not None and auroc <= best[0]:
            break
        best = auroc, fitted
    assert best is not None
    return best[1], _products(train, best[1].weights) + best[1].intercept


def _scores_of(regression: Regression, chunks: Sequence[Floats] | CountedRows) -> Scores:
    return np.concatenate([regression.scores(chunk) for chunk in chunks])


def _products(rows: Floats, weights: NDArray[np.float64]) -> Scores:
    """Each row times the weights, a few rows at a time: NumPy first copies rows to the weights' type."""
    chunks = range(0, len(rows), CHUNK_ROWS)
    return np.concatenate([rows[first : first + CHUNK_ROWS] @ weights for first in chunks] or [np.empty(0)])


def _path(
    rows: Floats, labels: NDArray[Any], strengths: Sequence[float]
) -> Iterator[tuple[float, NDArray[np.float64], float]]:
    """Fit with one strength after the other: the strength, the weights of shape (columns,), and the intercept."""
    # Whoever only scores, or trains a network, need not wait for its import.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=MAX_ITERATIONS, tol=1e-3, warm_start=True)
    for strength in strengths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(C=strength).fit(rows, labels)
        yield strength, model.coef_[0].astype(np.float64), float(model.intercept_[0])


def _cross_validated(rows: Floats, labels: NDArray[Any]) -> float:
    """The strength of the highest mean AUROC on rows that a fit has not seen.

    Args:
        rows: standardised frequencies, shape (rows, columns).
        labels: 0 or 1, shape (rows,), both present.
    """
    sums = np.zeros(len(STRENGTHS))
    for fitted, held_out in folds(labels):
        for number, (_, weights, _) in enumerate(_path(rows[fitted], labels[fitted], STRENGTHS)):
            sums[number] += metrics.auroc(labels[held_out], rows[held_out] @ weights)
    return STRENGTHS[int(np.argmax(sums))]


def folds(labels: NDArray[Any]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to fit and rows held out of `FOLDS` folds, of a fixed sample; a fold with one label in either is left out.

    Args:
        labels: shape (rows,).
    """
    generator = np.random.default_rng(fingerprint.seed("folds", len(labels)))
    chosen = generator.permutation(len(labels))[:MAX_FOLD_ROWS]
    # Every fold gets its share of each label.
    chosen = chosen[np.argsort(labels[chosen], kind="stable")]
    for fold in range(FOLDS):
        is_held_out = np.arange(len(chosen)) % FOLDS == fold
        fitted, held_out = chosen[~is_held_out], chosen[is_held_out]
        if len(np.unique(labels[fitted])) > 1 and len(np.unique(labels[held_out])) > 1:
            yield fitted, held_out


@dataclass(frozen=True)
class Fitted:
    """A regression fitted on a dataset.

    Attributes:
        regression: fitted on `rows` of train.
        rows: indices of the train rows it was fitted on, ascending, shape (fitted,).
        threshold: log-odds chosen on validation, or on `rows` without validation (`decision_threshold.nearest_to`).
    """

    regression: Regression
    rows: NDArray[np.int64]
    threshold: float


def fit_dataset(train: TokenDataset, validation: TokenDataset | None) -> Fitted:
    """Fit on train, or on a fixed sample of `MAX_ROWS` where it has more rows.

    Train and validation must hold both labels.
    """
    rows, held_out = sample_rows(train), None
    if validation is not None:
        held_out_rows = sample_rows(validation)
        held_out = CountedRows(validation, held_out_rows), validation.labels[held_out_rows]
    regression, train_scores = fit(dataset_frequencies(train, rows), train.labels[rows], held_out)
    if held_out is None:
        labels, scores = train.labels[rows], train_scores
    else:
        labels, scores = held_out[1], _scores_of(regression, held_out[0])
    return Fitted(regression, rows, nearest_to(LOG_ODDS, labels, scores))


@dataclass(frozen=True, eq=False)
class CountedRows:
    """Frequencies of rows of a dataset, `CHUNK_ROWS` rows at a time, counted whenever they are read.

    Attributes:
        dataset: that has the rows.
        rows: their indices, shape (rows,).
    """

    dataset: TokenDataset
    rows: NDArray[np.int64]

    def __iter__(self) -> Iterator[Floats]:
        for first in range(0, len(self.rows), CHUNK_ROWS):
            yield dataset_frequencies(self.dataset, self.rows[first : first + CHUNK_ROWS])


def dataset_scores(regression: Regression, dataset: TokenDataset) -> Scores:
    """The log-odds of every row of a dataset, shape (rows,)."""
    chunks = frequency_chunks(dataset, np.arange(len(dataset)), regression.k)
    return np.concatenate([regression.scores(chunk) for _, chunk in chunks])


def sample_rows(dataset: TokenDataset) -> NDArray[np.int64]:
    """The rows to fit on, ascending: all, or a fixed sample of `MAX_ROWS` with the first row of a label without any."""
    if len(dataset) <= MAX_ROWS:
        return np.arange(len(dataset))
    generator = np.random.default_rng(fingerprint.seed("kmers", dataset.split))
    sample = generator.choice(len(dataset), MAX_ROWS, replace=False)
    counts = np.bincount(dataset.labels)
    in_sample = np.bincount(dataset.labels[sample], minlength=len(counts))
    missing = np.flatnonzero((counts > 0) & (in_sample == 0))
    first = [int(np.argmax(dataset.labels == label)) for label in missing]
    return np.sort(np.append(sample, np.array(first, np.int64)))


def dataset_frequencies(dataset: TokenDataset, rows: NDArray[np.int64]) -> Floats:
    """Return `frequencies` of rows of a dataset, of the bases that their tokens show, shape (rows, 4^K)."""
    out = np.empty((len(rows), 4**K), np.float32)
    for positions, chunk in frequency_chunks(dataset, rows):
        out[positions] = chunk
    return out


def frequency_chunks(dataset: TokenDataset, rows: NDArray[np.int64], k: int = K) -> Iterator[tuple[slice, Floats]]:
    """Yield the frequencies of a few rows at a time, which bounds memory, with their positions in `rows`."""
    lengths = (dataset.table["end"].to_numpy() - dataset.table["start"].to_numpy())[rows]
    for positions in _pieces(dataset.lengths[rows], CHUNK_TOKENS, CHUNK_ROWS):
        chunk, bases = rows[positions], lengths[positions]
        out = np.empty((len(chunk), 4**k), np.float32)
        for counted in _pieces(dataset.lengths[chunk], COUNTED_TOKENS, COUNTED_ROWS):
            tokens = _tokens_of(dataset, chunk[counted])
            out[counted] = frequencies(*dataset.tokenizer.decode_bases(tokens, bases[counted]), k)
        yield positions, out


def _tokens_of(dataset: TokenDataset, rows: NDArray[np.int64]) -> NDArray[Any]:
    """The token ids of rows, end to end."""
    counts = dataset.lengths[rows]
    within_row = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return dataset.tokens[np.repeat(dataset.offsets[rows], counts) + within_row]


def _pieces(lengths: NDArray[np.int64], most_tokens: int, most_rows: int) -> Iterator[slice]:
    """Consecutive runs of rows, each within a number of tokens and of rows, or one row that has more.

    Args:
        lengths: tokens of each row, shape (rows,).
        most_tokens, most_rows: of a run.
    """
    ends = np.cumsum(lengths)
    first = 0
    while first < len(lengths):
        tokens_before = int(ends[first - 1]) if first else 0
        last = int(np.searchsorted(ends, tokens_before + most_tokens, side="right"))
        last = min(max(last, first + 1), first + most_rows)
        yield slice(first, last)
        first = last
