"""Multinomial logistic regression, on k-mer frequencies as `kmer_regression` for two labels, or on other columns."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines import class_metrics
from pipelines.audit import kmer_regression
from pipelines.audit.kmer_regression import CountedRows
from pipelines.dataset.token_dataset import TokenDataset

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]
Frequencies = NDArray[np.float32]


@dataclass(frozen=True)
class ClassWeights:
    """A regression on frequencies that are not standardised.

    Attributes:
        weights: of each column, shape (classes, columns).
        intercepts: shape (classes,).
    """

    weights: Floats
    intercepts: Floats

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.intercepts)

    @property
    def k(self) -> int:
        """Bases of a k-mer."""
        return k_of(self.weights.shape[1])

    def probabilities(self, rows: Frequencies) -> Floats:
        """Of each class, shape (rows, classes), from frequencies, shape (rows, columns)."""
        logits = rows @ self.weights.T + self.intercepts
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class ClassRegression:
    """A fitted regression on frequencies.

    Attributes:
        mean, scale: of each column on train, shape (columns,).
        model: of the standardised columns.
        classes: how many there are, whether or not rows of each were fitted.
        rows: of train, that it was fitted on.
    """

    mean: Frequencies
    scale: Frequencies
    model: LogisticRegression
    classes: int
    rows: int

    @property
    def k(self) -> int:
        """Bases of a k-mer."""
        return k_of(len(self.mean))

    @property
    def strength(self) -> float:
        """The inverse of the L2 penalty, scikit-learn's C."""
        return float(self.model.C)

    def unscaled(self) -> ClassWeights:
        """The same of frequencies as they are; rows of every class were fitted."""
        slopes = self.model.coef_.astype(np.float64) / self.scale
        intercepts = self.model.intercept_.astype(np.float64) - slopes @ self.mean
        if self.classes == 2:  # scikit-learn has the log-odds of the second class alone.
            slopes, intercepts = np.stack([0 * slopes[0], slopes[0]]), np.append(0.0, intercepts)
        return ClassWeights(slopes, intercepts)

    def probabilities(self, rows: Frequencies) -> Floats:
        """Of each class, shape (rows, classes), from frequencies, shape (rows, columns)."""
        return probabilities(self.model, (rows - self.mean) / self.scale, self.classes)


def fit(
    train: Frequencies,
    labels: NDArray[Any],
    classes: int,
    validation: tuple[Sequence[Frequencies] | CountedRows, NDArray[Any]] | None = None,
) -> ClassRegression:
    """Fit on train rows with the strength, ascending, after which mean AUROC on validation stops rising.

    Args:
        train: frequencies, shape (rows, columns); standardised in place, to save a copy.
        labels: numbers of classes, shape (rows,), of at least two.
        classes: how many there are.
        validation: frequencies of held-out rows, some rows at a time, which are read again for each fit, and the labels
            of all of them; None for cross-validation.
    """
    mean = train.mean(axis=0, dtype=np.float64).astype(np.float32)
    train -= mean
    scale = np.sqrt(np.einsum("rc,rc->c", train, train) / np.float32(len(train)))
    scale[scale == 0] = 1
    train /= scale
    if validation is None:
        model = fitted(train, labels, _cross_validated(train, labels, classes))
        return ClassRegression(mean, scale, model, classes, len(train))
    chunks, held_out = validation

    def of_validation(model: LogisticRegression) -> Floats:
        return np.concatenate([probabilities(model, (chunk - mean) / scale, classes) for chunk in chunks])

    return ClassRegression(mean, scale, _best(train, labels, of_validation, held_out), classes, len(train))


def dataset_probabilities(regression: ClassRegression | ClassWeights, dataset: TokenDataset) -> Floats:
    """Of each class, of every row of a dataset, shape (rows, classes)."""
    out = np.empty((len(dataset), regression.classes))
    for positions, chunk in kmer_regression.frequency_chunks(dataset, np.arange(len(dataset)), regression.k):
        out[positions] = regression.probabilities(chunk)
    return out


def k_of(columns: int) -> int:
    """Bases of a k-mer where so many k-mers are columns."""
    return (columns.bit_length() - 1) // 2


def fitted(columns: NDArray[Any], labels: NDArray[Any], strength: float) -> LogisticRegression:
    """The regression of one strength on columns as they are, shape (rows, columns)."""
    # As in `kmer_regression`: its import takes two seconds.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=kmer_regression.MAX_ITERATIONS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(columns, labels)


def probabilities(model: LogisticRegression, columns: NDArray[Any], classes: int) -> Floats:
    """Of every class, shape (rows, classes); 0 of one that no fitted row had."""
    out = np.zeros((len(columns), classes))
    out[:, model.classes_] = model.predict_proba(columns)
    return out


def _cross_validated(columns: NDArray[Any], labels: NDArray[Any], classes: int) -> float:
    """The strength of the highest mean AUROC on rows that a fit has not seen."""
    sums = np.zeros(len(kmer_regression.STRENGTHS))
    for known, held_out in kmer_regression.folds(labels):
        for place, strength in enumerate(kmer_regression.STRENGTHS):
            scores = probabilities(fitted(columns[known], labels[known], strength), columns[held_out], classes)
            sums[place] += class_metrics.metrics_of(labels[held_out], scores)["auroc"]
    return kmer_regression.STRENGTHS[int(np.argmax(sums))]


def _best(
    columns: NDArray[Any],
    labels: NDArray[Any],
    of_held_out: Callable[[LogisticRegression], Floats],
    held_out_labels: NDArray[Any],
) -> LogisticRegression:
    """The fit with the strength, ascending, after which AUROC on held-out rows stops rising."""
    best: tuple[float, LogisticRegression] | None = None
    for strength in kmer_regression.STRENGTHS:
        model = fitted(columns, labels, strength)
        auroc = class_metrics.metrics_of(held_out_labels, of_held_out(model))["auroc"]
        if best is not None and not auroc > best[0]:
            break
        best = auroc, model
    assert best is not None
    return best[1]
