"""The 5-mer regression of a bundle's own training data, which travels in its `config.json`.

A model that is evaluated on other data than its own is to be compared with a regression that saw what the model saw.
The bundle does not hold that data, so it holds the regression: 4^k numbers, 11 kB of text, of several classes for each.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.audit import class_regression, shortcuts
from pipelines.audit.class_regression import ClassRegression, ClassWeights
from pipelines.audit.kmer_regression import Regression
from pipelines.audit.shortcuts import Rule
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError
from training.bundle.digests import CONFIG, RESTORE

KEY = "kmer_regression"
# Little-endian, whatever the machine; in single precision a row at the threshold might change sides.
_TYPE = np.dtype("<f8")
_LARGEST_K = 8


@dataclass(frozen=True)
class Baseline:
    """A k-mer regression with a decision threshold.

    Attributes:
        regression: log-odds of a row are `intercept` plus the sum of its k-mer frequencies times `weights`; mean and
            scale are part of these.
        threshold: log-odds from which a row is called a gene.
        rows: rows of train that it was fitted on.
    """

    regression: Regression
    threshold: float
    rows: int

    def document(self) -> dict[str, Any]:
        """The content of `kmer_regression` in `config.json`."""
        return {
            "k": self.regression.k,
            "weights": _as_text(self.regression.weights),
            "intercept": self.regression.intercept,
            "strength": self.regression.strength,
            "threshold": self.threshold,
            "rows": self.rows,
        }

    def rule(self, name: str, evaluated: TokenDataset, of: str = "") -> Rule:
        """The regression as a rule, evaluated on a split.

        Args:
            name: of the rule.
            evaluated: of any dataset.
            of: says what it was fitted on, in the rule's description.
        """
        description = f"{self.regression.k}-mer logistic regression{of}"
        return shortcuts.kmer_rule(name, description, self.regression, self.threshold, evaluated)


@dataclass(frozen=True)
class ClassBaseline:
    """A multinomial k-mer regression.

    Attributes:
        regression: on k-mer frequencies as they are.
        strength: the inverse of the L2 penalty, scikit-learn's C.
        rows: rows of train that it was fitted on.
    """

    regression: ClassWeights
    strength: float
    rows: int

    @classmethod
    def of(cls, regression: ClassRegression) -> ClassBaseline:
        """What a bundle holds of a regression, which was fitted on rows of every class."""
        return cls(regression.unscaled(), regression.strength, regression.rows)

    @property
    def name(self) -> str:
        """What it is."""
        return f"{self.regression.k}-mer logistic regression"

    def probabilities(self, evaluated: TokenDataset) -> NDArray[np.float64]:
        """Of each class, of every row of a dataset, shape (rows, classes)."""
        return class_regression.dataset_probabilities(self.regression, evaluated)

    def document(self) -> dict[str, Any]:
        """The content of `kmer_regression` in `config.json`."""
        return {
            "k": self.regression.k,
            "weights": _as_text(self.regression.weights),
            "intercepts": self.regression.intercepts.tolist(),
            "strength": self.strength,
            "rows": self.rows,
        }


def fitted(train: TokenDataset, validation: TokenDataset) -> Baseline:
    """Fit on train, with penalty and threshold chosen on validation; seconds, and minutes for 100,000 rows and more."""
    of_dataset = shortcuts.fit_kmers(train, validation)
    regression = of_dataset.regression
    slope = regression.weights / regression.scale
    intercept = regression.intercept - float(regression.mean @ slope)
    folded = _folded(slope, intercept, regression.strength)
    return Baseline(folded, of_dataset.threshold, len(of_dataset.rows))


def of_bundle(config: dict[str, Any], shown: str) -> Baseline | None:
    """The regression in a bundle's configuration; None if it was trained before bundles had one.

    Args:
        config: of the bundle.
        shown: the bundle's name in errors.

    Raises:
        BundleError: it is there and is no regression.
    """
    with _naming(shown):
        return _parsed(config[KEY]) if KEY in config else None


def of_class_bundle(config: dict[str, Any], shown: str) -> ClassBaseline | None:
    """As `of_bundle`, of a model of classes.

    Raises:
        BundleError: it is there and is no regression.
    """
    with _naming(shown):
        return _parsed_of_classes(config[KEY], len(config["classes"])) if KEY in config else None


@contextmanager
def _naming(shown: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise BundleError(f"{shown}: {CONFIG}: {KEY}: not a regression on k-mers", RESTORE) from error


def _parsed(document: dict[str, Any]) -> Baseline:
    weights, rows = _weights(document, 1)
    intercept, strength, threshold = _finite([document[name] for name in ("intercept", "strength", "threshold")])
    return Baseline(_folded(weights[0], intercept, strength), threshold, rows)


def _parsed_of_classes(document: dict[str, Any], classes: int) -> ClassBaseline:
    weights, rows = _weights(document, classes)
    if not isinstance(document["intercepts"], list) or len(document["intercepts"]) != classes:
        raise ValueError("sizes do not agree")
    strength, *intercepts = _finite([document["strength"], *document["intercepts"]])
    return ClassBaseline(ClassWeights(weights, np.array(intercepts)), strength, rows)


def _weights(document: dict[str, Any], outputs: int) -> tuple[NDArray[np.float64], int]:
    """The weights, shape (outputs, 4^k), and the rows of train."""
    k, rows = document["k"], document["rows"]
    weights = np.frombuffer(base64.b64decode(document["weights"], validate=True), _TYPE).astype(np.float64)
    if type(k) is not int or not 1 <= k <= _LARGEST_K or type(rows) is not int or len(weights) != outputs * 4**k:
        raise ValueError("sizes do not agree")
    if not np.isfinite(weights).all():
        raise ValueError("not finite")
    return weights.reshape(outputs, -1), rows


def _finite(values: Sequence[Any]) -> list[float]:
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise ValueError("not finite numbers")
    return [float(value) for value in values]


def _as_text(weights: NDArray[np.float64]) -> str:
    return base64.b64encode(weights.astype(_TYPE).tobytes()).decode()


def _folded(weights: NDArray[np.float64], intercept: float, strength: float) -> Regression:
    """A regression of frequencies as they are, not standardised."""
    zeros = np.zeros(len(weights), np.float32)
    return Regression(zeros, zeros + 1, weights, intercept, strength)
