"""Trivial rules for sequences with classes: how well length, composition and k-mers alone tell them.

Every rule is a multinomial logistic regression, fitted on train. The strength of the k-mer regression's L2 penalty is
chosen on validation, or where there is none on a fifth of train.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from pipelines.audit import class_metrics, kmer_regression, regression_size, shortcuts
from pipelines.dataset.manifest import classes
from pipelines.dataset.token_dataset import TokenDataset

KMERS = "kmers"
DESCRIPTIONS = {
    "prior": "shares of the classes in train",
    "length": "length in bases",
    "gc": "share of G and C",
    KMERS: f"{regression_size.K}-mer logistic regression",
}
_HELD_OUT = 5
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class ClassRule:
    """A trivial rule on a split.

    Attributes:
        name: short name, the key in every JSON.
        description: what it looks at.
        probabilities: of each class, shape (rows, classes).
        metrics: every metric of `class_metrics.NAMES`.
    """

    name: str
    description: str
    probabilities: Floats
    metrics: dict[str, float]


def audit(train: TokenDataset, evaluated: TokenDataset, validation: TokenDataset | None = None) -> list[ClassRule]:
    """Fit every rule on `train` and evaluate it on `evaluated`; return the rules, best AUROC first.

    Args:
        train: the split that rules are fitted on, with a row of every class.
        evaluated: the split that they are evaluated on.
        validation: the split that chooses the penalty of the k-mer regression.
    """
    number = len(classes(train.manifest))
    shares = np.bincount(train.labels, minlength=number) / len(train)
    found = {
        "prior": np.tile(shares, (len(evaluated), 1)),
        "length": _of_columns(_lengths, train, evaluated, number),
        "gc": _of_columns(_composition, train, evaluated, number),
        KMERS: _of_kmers(train, evaluated, validation, number),
    }
    rules = [
        ClassRule(name, DESCRIPTIONS[name], scores, class_metrics.metrics_of(evaluated.labels, scores))
        for name, scores in found.items()
    ]
    return sorted(rules, key=lambda rule: -rule.metrics["auroc"])


def _lengths(dataset: TokenDataset) -> Floats:
    return np.log(np.maximum(shortcuts.base_lengths(dataset), 1).astype(np.float64))


def _composition(dataset: TokenDataset) -> Floats:
    return dataset.table["gc"].to_numpy().astype(np.float64)


def _of_columns(
    value: Callable[[TokenDataset], Floats], train: TokenDataset, evaluated: TokenDataset, number: int
) -> Floats:
    """A regression on a figure of each row and its square, which can prefer a class in the middle."""
    known = value(train)
    mean, scale = known.mean(), known.std() or 1.0

    def columns(dataset: TokenDataset) -> Floats:
        standardised = (value(dataset) - mean) / scale
        return np.stack([standardised, standardised**2], axis=1)

    model = _fitted(columns(train), train.labels, 1.0)
    return _probabilities(model, columns(evaluated), number)


def _of_kmers(train: TokenDataset, evaluated: TokenDataset, validation: TokenDataset | None, number: int) -> Floats:
    rows = kmer_regression.sample_rows(train)
    known, labels = kmer_regression.dataset_frequencies(train, rows), train.labels[rows]
    mean = known.mean(axis=0, dtype=np.float64).astype(np.float32)
    known -= mean
    scale = np.sqrt(np.einsum("rc,rc->c", known, known) / np.float32(len(known)))
    scale[scale == 0] = 1
    known /= scale
    if validation is not None:
        chosen = kmer_regression.sample_rows(validation)
        chunks = kmer_regression.CountedRows(validation, chosen)

        def of_validation(model: LogisticRegression) -> Floats:
            return np.concatenate([_probabilities(model, (chunk - mean) / scale, number) for chunk in chunks])

        model = _best(known, labels, of_validation, validation.labels[chosen])
    else:
        is_held_out = np.arange(len(known)) % _HELD_OUT == 0

        def of_held_out(model: LogisticRegression) -> Floats:
            return _probabilities(model, known[is_held_out], number)

        strength = _best(known[~is_held_out], labels[~is_held_out], of_held_out, labels[is_held_out]).C
        model = _fitted(known, labels, strength)
    out = np.empty((len(evaluated), number))
    for positions, frequencies in kmer_regression.frequency_chunks(evaluated, np.arange(len(evaluated))):
        out[positions] = _probabilities(model, (frequencies - mean) / scale, number)
    return out


def _best(
    known: NDArray[Any],
    labels: NDArray[Any],
    of_held_out: Callable[[LogisticRegression], Floats],
    held_out_labels: NDArray[Any],
) -> LogisticRegression:
    """The fit with the strength, ascending, after which AUROC on held-out rows stops rising."""
    best: tuple[float, LogisticRegression] | None = None
    for strength in kmer_regression.STRENGTHS:
        model = _fitted(known, labels, strength)
        auroc = class_metrics.metrics_of(held_out_labels, of_held_out(model))["auroc"]
        if best is not None and not auroc > best[0]:
            break
        best = auroc, model
    assert best is not None
    return best[1]


def _fitted(columns: NDArray[Any], labels: NDArray[Any], strength: float) -> LogisticRegression:
    model = LogisticRegression(C=strength, max_iter=kmer_regression.MAX_ITERATIONS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(columns, labels)


def _probabilities(model: LogisticRegression, columns: NDArray[Any], number: int) -> Floats:
    """Of every class, shape (rows, classes); 0 of one that no fitted row had."""
    out = np.zeros((len(columns), number))
    out[:, model.classes_] = model.predict_proba(columns)
    return out
