"""The shortcut audit: how well trivial rules separate genes from negatives.

Rules are fitted on train and evaluated on a held-out split. A model that does not beat the best of them may have
learned nothing else. The first and last six bases are those the tokens show, because that is what a model sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import decision_threshold, metrics
from pipelines.audit import kmer_regression
from pipelines.audit.kmer_regression import Fitted, Regression
from pipelines.audit.rule_names import (
    DESCRIPTIONS,
    ENDS,
    FIRST_SIX,
    GC,
    KMERS,
    LAST_SIX,
    LENGTH,
    SOFT_MASKED,
    UNKNOWN,
)
from pipelines.dataset.token_dataset import TokenDataset

SIX = 6
UNKNOWN_BASE = 4
CHUNK_ROWS = 1 << 16
"""Rows whose ends are looked at together: some 20 MB."""
Scores = NDArray[np.float64]
Rows = NDArray[np.int64]
Ends = Callable[[TokenDataset, Rows], NDArray[np.int64]]


@dataclass(frozen=True)
class Rule:
    """A trivial rule and its scores.

    Attributes:
        name: short name, the key in every JSON.
        description: what it looks at.
        scores: on the evaluated split, higher for genes, shape (rows,).
        threshold: chosen for the highest MCC on train; of the k-mer regression on validation, if there is one.
        metrics: every figure of `metrics.NAMES` on the evaluated split.
    """

    name: str
    description: str
    scores: Scores
    threshold: float
    metrics: dict[str, float]


def audit(
    train: TokenDataset, evaluated: TokenDataset, validation: TokenDataset | None = None, *, kmers: bool = False
) -> list[Rule]:
    """Fit every rule on `train` and evaluate it on `evaluated`; return the rules, best AUROC first.

    Args:
        train: the split that rules are fitted on.
        evaluated: the split that they are evaluated on.
        validation: the split that chooses penalty and threshold of the k-mer regression; with it, that rule is
            included.
        kmers: include the k-mer regression without a validation split too; it alone takes seconds to minutes.
    """
    columns: dict[str, Callable[[TokenDataset], Scores]] = {
        LENGTH: lambda dataset: base_lengths(dataset).astype(np.float64),
        GC: lambda dataset: _column(dataset, "gc"),
        SOFT_MASKED: lambda dataset: _column(dataset, "soft_masked_share"),
        UNKNOWN: lambda dataset: _column(dataset, "unknown_share"),
    }
    rules = []
    for name, value in columns.items():
        train_scores, eval_scores = value(train), value(evaluated)
        # A rule learns on train which way it points; an AUROC that is NaN (one label only) keeps its sign.
        sign = -1.0 if metrics.auroc(train.labels, train_scores) < 0.5 else 1.0
        rules.append(_evaluate(name, train.labels, sign * train_scores, evaluated, sign * eval_scores))
    first_train, first_eval = _hexamer_scores(train, evaluated, first_six)
    last_train, last_eval = _hexamer_scores(train, evaluated, last_six)
    ends = (
        (FIRST_SIX, first_train, first_eval),
        (LAST_SIX, last_train, last_eval),
        (ENDS, first_train + last_train, first_eval + last_eval),
    )
    for name, train_scores, eval_scores in ends:
        rules.append(_evaluate(name, train.labels, train_scores, evaluated, eval_scores))
    if (kmers or validation is not None) and has_both_labels(train):
        rules.append(_evaluate_kmers(train, evaluated, validation))
    return sorted(rules, key=lambda rule: -rule.metrics["auroc"])


def has_both_labels(dataset: TokenDataset) -> bool:
    """Whether a split has genes and negatives."""
    return len(np.unique(dataset.labels)) == 2


def _evaluate_kmers(train: TokenDataset, evaluated: TokenDataset, validation: TokenDataset | None) -> Rule:
    fitted = fit_kmers(train, validation)
    description = DESCRIPTIONS[KMERS]
    if len(fitted.rows) < len(train):
        description += f", fitted on {len(fitted.rows):,} of {len(train):,} rows of train"
    return kmer_rule(KMERS, description, fitted.regression, fitted.threshold, evaluated)


def fit_kmers(train: TokenDataset, validation: TokenDataset | None) -> Fitted:
    """The k-mer regression of a dataset; a validation split of one label does not count."""
    usable = validation if validation is not None and has_both_labels(validation) else None
    return kmer_regression.fit_dataset(train, usable)


def kmer_rule(name: str, description: str, regression: Regression, threshold: float, evaluated: TokenDataset) -> Rule:
    """A k-mer regression as a rule, evaluated on a split of a dataset of any origin."""
    scores = kmer_regression.dataset_scores(regression, evaluated)
    return Rule(name, description, scores, threshold, metrics.binary_metrics(evaluated.labels, scores, threshold))


def _evaluate(
    name: str,
    train_labels: NDArray[np.int8],
    train_scores: Scores,
    evaluated: TokenDataset,
    eval_scores: Scores,
) -> Rule:
    """Choose a rule's threshold on train and compute its metrics on the evaluated split."""
    threshold = decision_threshold.of_highest_mcc(train_labels, train_scores)
    values = metrics.binary_metrics(evaluated.labels, eval_scores, threshold)
    return Rule(name, DESCRIPTIONS[name], eval_scores, threshold, values)


def base_lengths(dataset: TokenDataset) -> NDArray[np.int64]:
    """Return the length of each row in bases, shape (rows,)."""
    return dataset.table["end"].to_numpy() - dataset.table["start"].to_numpy()


def _column(dataset: TokenDataset, name: str) -> Scores:
    return dataset.table[name].to_numpy().astype(np.float64)


def _hexamer_scores(train: TokenDataset, evaluated: TokenDataset, ends: Ends) -> tuple[Scores, Scores]:
    """Return the log-odds of each row's six-letter end, learned on train with a pseudocount of a half."""
    hexamers = 5**SIX
    train_numbers, eval_numbers = (_hexamer_numbers(dataset, ends) for dataset in (train, evaluated))
    counts = np.stack([np.bincount(train_numbers[train.labels == label], minlength=hexamers) for label in (0, 1)])
    shares = (counts + 0.5) / (counts.sum(axis=1, keepdims=True) + 0.5 * 4**SIX)
    log_odds = np.log(shares[1]) - np.log(shares[0])
    return log_odds[train_numbers], log_odds[eval_numbers]


def _hexamer_numbers(dataset: TokenDataset, ends: Ends) -> NDArray[np.int16]:
    """Return a number from 0 to 5^6 - 1 for each row's six-letter end, in the memory of `CHUNK_ROWS` ends."""
    numbers = np.empty(len(dataset), np.int16)
    for first in range(0, len(dataset), CHUNK_ROWS):
        rows = np.arange(first, min(first + CHUNK_ROWS, len(dataset)))
        numbers[rows] = ends(dataset, rows) @ (5 ** np.arange(SIX)[::-1])
    return numbers


def first_six(dataset: TokenDataset, rows: Rows) -> NDArray[np.int64]:
    """Return the first six visible bases of rows as 0 to 3, or 4 where unknown or absent, shape (rows, 6)."""
    out = np.full((len(rows), SIX), UNKNOWN_BASE, np.int64)
    tokenizer, sizes = dataset.tokenizer, base_lengths(dataset)[rows]
    lengths = dataset.lengths[rows]
    # Later tokens begin past the six bases.
    for number in range(2 + SIX // tokenizer.stride):
        long = np.flatnonzero(number < lengths)
        letters = tokenizer.letters[dataset.tokens[dataset.offsets[rows[long]] + number]]
        _write_kmers(out, long, letters, tokenizer.starts(number, sizes[long]))
    return out


def last_six(dataset: TokenDataset, rows: Rows) -> NDArray[np.int64]:
    """Return the last six visible bases of rows as 0 to 3, or 4 where unknown or absent, shape (rows, 6)."""
    out = np.full((len(rows), SIX), UNKNOWN_BASE, np.int64)
    tokenizer, sizes = dataset.tokenizer, base_lengths(dataset)[rows]
    lengths, visible = dataset.lengths[rows], tokenizer.covered_bases(sizes)
    for back in range(2 + SIX // tokenizer.stride):
        long = np.flatnonzero(back < lengths)
        starts = tokenizer.starts(lengths[long] - 1 - back, sizes[long])
        letters = tokenizer.letters[dataset.tokens[dataset.offsets[rows[long] + 1] - 1 - back]]
        _write_kmers(out, long, letters, starts - (visible[long] - SIX))
    return out


def _write_kmers(
    out: NDArray[np.int64], rows: NDArray[np.int64], letters: NDArray[np.uint8], starts: NDArray[np.int64]
) -> None:
    """Write k-mers into windows of six bases; an unknown base never replaces a known one."""
    for offset in range(letters.shape[1]):
        positions = starts + offset
        inside = (positions >= 0) & (positions < SIX) & (letters[:, offset] != UNKNOWN_BASE)
        out[rows[inside], positions[inside]] = letters[inside, offset]
