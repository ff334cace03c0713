"""Trivial rules for sequences with classes: how well length, composition and k-mers alone tell them.

Every rule is a multinomial logistic regression, fitted on train. The strength of the k-mer regression's L2 penalty is
chosen on validation, or without one by cross-validation on train. At most `regression_size.MAX_ROWS` rows are fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines import class_metrics
from pipelines.audit import class_regression, kmer_regression, regression_size, shortcuts
from pipelines.audit.class_regression import ClassRegression
from pipelines.audit.rule_names import DESCRIPTIONS, GC, KMERS, LENGTH, PRIOR
from pipelines.dataset.manifest import classes
from pipelines.dataset.token_dataset import TokenDataset

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


def audit(
    train: TokenDataset,
    evaluated: TokenDataset,
    validation: TokenDataset | None = None,
    kmers: ClassRegression | None = None,
) -> list[ClassRule]:
    """Fit every rule on `train` and evaluate it on `evaluated`; return the rules, best AUROC first.

    Args:
        train: the split that rules are fitted on, with a row of every class.
        evaluated: the split that they are evaluated on.
        validation: the split that chooses the penalty of the k-mer regression.
        kmers: that regression, where it is fitted already.
    """
    number = len(classes(train.manifest))
    shares = np.bincount(train.labels, minlength=number) / len(train)
    compute: dict[str, Callable[[], Floats]] = {
        KMERS: lambda: class_regression.dataset_probabilities(kmers or fit_kmers(train, validation), evaluated),
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

    model, values = class_regression.fitted(columns(known), train.labels[rows], 1.0), value(evaluated)
    out = np.empty((len(values), number))
    for first in range(0, len(values), regression_size.CHUNK_ROWS):
        chunk = slice(first, first + regression_size.CHUNK_ROWS)
        out[chunk] = class_regression.probabilities(model, columns(values[chunk]), number)
    return out


def fit_kmers(train: TokenDataset, validation: TokenDataset | None) -> ClassRegression:
    """Fit the k-mer regression on train, with the penalty chosen on validation or by cross-validation."""
    rows, held_out = kmer_regression.sample_rows(train), None
    if validation is not None:
        chosen = kmer_regression.sample_rows(validation)
        held_out = kmer_regression.CountedRows(validation, chosen), validation.labels[chosen]
    frequencies = kmer_regression.dataset_frequencies(train, rows)
    return class_regression.fit(frequencies, train.labels[rows], len(classes(train.manifest)), held_out)
