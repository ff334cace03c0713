"""Trivial rules for sequences with classes: how well length, composition and k-mers alone tell them.

Every rule is a multinomial logistic regression, fitted on train. The strength of the k-mer regression's L2 penalty is
chosen on validation, or without one by cross-validation on train. At most `regression_size.MAX_ROWS` rows are fitted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines import class_metrics
from pipelines.audit import kmer_regression, regression_size, shortcuts
from pipelines.audit.rule_names import DESCRIPTIONS, GC, KMERS, LENGTH, PRIOR
from pipelines.dataset.manifest import classes
from pipelines.dataset.token_dataset import TokenDataset

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class ClassRule:
    """A trivial rule on a split.

    Attributes:
        name: short name, the key in every JSON.
        description: what it looks at.
        metrics: every metric of `class_metrics.NAMES`.
        probabilities: of each class, shape (rows, classes), of the best rule and the k-mer regression; None of others.
    """

    name: str
    description: str
    metrics: dict[str, float]
    probabilities: Floats | None = None

    @property
    def required_probabilities(self) -> Floats:
        """The probabilities of a rule that has them."""
        assert self.probabilities is not None
        return self.probabilities


def audit(train: TokenDataset, evaluated: TokenDataset, validation: TokenDataset | None = None) -> list[ClassRule]:
    """Fit every rule on `train` and evaluate it on `evaluated`; return the rules, best AUROC first.

    Args:
        train: the split that rules are fitted on, with a row of every class.
        evaluated: the split that they are evaluated on.
        validation: the split that chooses the penalty of the k-mer regression.
    """
    number = len(classes(train.manifest))
    shares = np.bincount(train.labels, minlength=number) / len(train)
    compute: dict[str, Callable[[], Floats]] = {
        KMERS: lambda: _of_kmers(train, evaluated, validation, number),
        GC: lambda: _of_columns(_composition, train, evaluated, number),
        LENGTH: lambda: _of_columns(_lengths, train, evaluated, number),
        PRIOR: lambda: np.broadcast_to(shares, (len(evaluated), number)),
    }
    rules: list[ClassRule] = []
    for name, probabilities in compute.items():
        scores = probabilities()
        rules.append(ClassRule(name, DESCRIPTIONS[name], class_metrics.metrics_of(evaluated.labels, scores), scores))
        # Each takes rows times classes: those of a rule that is behind another are not needed.
        rules.sort(key=lambda rule: (-rule.metrics["auroc"], list(DESCRIPTIONS).index(rule.name)))
        rules = [rules[0], *(rule if rule.name == KMERS else replace(rule, probabilities=None) for rule in rules[1:])]
    return rules


def _lengths(dataset: TokenDataset) -> Floats:
    return np.log(np.maximum(shortcuts.base_lengths(dataset), 1).astype(np.float64))


def _composition(dataset: TokenDataset) -> Floats:
    return dataset.table["gc"].to_numpy().astype(np.float64)


def _of_columns(
    value: Callable[[TokenDataset], Floats], train: TokenDataset, evaluated: TokenDataset, number: int
) -> Floats:
    """A regression on a figure of each row and its square, which can prefer a class in the middle."""
    rows = kmer_regression.sample_rows(train)
    known = value(train)[rows]
    mean, scale = known.mean(), known.std() or 1.0

    def columns(values: Floats) -> Floats:
        standardised = (values - mean) / scale
        return np.stack([standardised, standardised**2], axis=1)

    model, values = _fitted(columns(known), train.labels[rows], 1.0), value(evaluated)
    out = np.empty((len(values), number))
    for first in range(0, len(values), regression_size.CHUNK_ROWS):
        chunk = slice(first, first + regression_size.CHUNK_ROWS)
        out[chunk] = _probabilities(model, columns(values[chunk]), number)
    return out


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
        model = _fitted(known, labels, _cross_validated(known, labels, number))
    out = np.empty((len(evaluated), number))
    for positions, frequencies in kmer_regression.frequency_chunks(evaluated, np.arange(len(evaluated))):
        out[positions] = _probabilities(model, (frequencies - mean) / scale, number)
    return out


def _cross_validated(known: NDArray[Any], labels: NDArray[Any], number: int) -> float:
    """The strength of the highest mean AUROC on rows that a fit has not seen."""
    sums = np.zeros(len(kmer_regression.STRENGTHS))
    for fitted, held_out in kmer_regression.folds(labels):
        for place, strength in enumerate(kmer_regression.STRENGTHS):
            scores = _probabilities(_fitted(known[fitted], labels[fitted], strength), known[held_out], number)
            sums[place] += class_metrics.metrics_of(labels[held_out], scores)["auroc"]
    return kmer_regression.STRENGTHS[int(np.argmax(sums))]


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
    # As in `kmer_regression`: its import takes two seconds.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=kmer_regression.MAX_ITERATIONS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(columns, labels)


def _probabilities(model: LogisticRegression, columns: NDArray[Any], number: int) -> Floats:
    """Of every class, shape (rows, classes); 0 of one that no fitted row had."""
    out = np.zeros((len(columns), number))
    out[:, model.classes_] = model.predict_proba(columns)
    return out
