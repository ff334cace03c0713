"""The shortcut audit: how well trivial rules tell genes from negatives.

Rules are fitted on train and scored on a held-out split. A model that does not beat the best of them may have
learned nothing else. The first and last six bases are those the tokens show, which is what a model sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import metrics
from pipelines.audit import kmer_regression
from pipelines.dataset.token_dataset import TokenDataset

SIX = 6
UNKNOWN_BASE = 4
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """A trivial rule, scored.

    Attributes:
        name: short name, the key in every JSON.
        description: what it looks at.
        scores: higher means gene, on the scored split, shape (rows,).
        threshold: chosen on train for the highest MCC.
        metrics: every figure of `metrics.NAMES` on the scored split.
    """

    name: str
    description: str
    scores: Scores
    threshold: float
    metrics: dict[str, float]


def audit(
    train: TokenDataset, scored: TokenDataset, validation: TokenDataset | None = None, *, kmers: bool = False
) -> list[Rule]:
    """Fit every rule on `train` and score it on `scored`, best AUROC first.

    Args:
        train: where rules are fitted.
        scored: the split they are judged on.
        validation: where the penalty of the k-mer regression is chosen; asks for that regression as well.
        kmers: fit the k-mer regression without a validation split too. It takes seconds to minutes, the others none.
    """
    columns: dict[str, tuple[str, Callable[[TokenDataset], Scores]]] = {
        "length": ("length in bases", lambda dataset: bases(dataset).astype(np.float64)),
        "gc": ("share of G and C", lambda dataset: _column(dataset, "gc")),
        "soft_masked": ("share of lower-case bases", lambda dataset: _column(dataset, "soft_masked_share")),
        "unknown": ("share of <unk> tokens", lambda dataset: _column(dataset, "unknown_share")),
    }
    rules = []
    for name, (description, value) in columns.items():
        on_train, on_scored = value(train), value(scored)
        sign = 1.0 if _at_least_half(metrics.auroc(train.labels, on_train)) else -1.0
        rules.append(_rule(name, description, train.labels, sign * on_train, scored, sign * on_scored))
    first_train, first_scored = _hexamer_scores(train, scored, first_six)
    last_train, last_scored = _hexamer_scores(train, scored, last_six)
    ends = (
        ("first_six", "first six bases", first_train, first_scored),
        ("last_six", "last six bases", last_train, last_scored),
        ("ends", "first and last six bases", first_train + last_train, first_scored + last_scored),
    )
    for name, description, on_train, on_scored in ends:
        rules.append(_rule(name, description, train.labels, on_train, scored, on_scored))
    if (kmers or validation is not None) and _both_labels(train):
        rules.append(_kmers(train, scored, validation))
    return sorted(rules, key=lambda rule: -rule.metrics["auroc"])


def _at_least_half(auroc: float) -> bool:
    return not auroc < 0.5


def _both_labels(dataset: TokenDataset) -> bool:
    return len(np.unique(dataset.labels)) == 2


def _kmers(train: TokenDataset, scored: TokenDataset, validation: TokenDataset | None) -> Rule:
    usable = validation if validation is not None and _both_labels(validation) else None
    found = kmer_regression.regress(train, scored, usable)
    description = f"{kmer_regression.K}-mer logistic regression"
    if len(found.rows) < len(train):
        description += f", fitted on {len(found.rows):,} of {len(train):,} rows of train"
    return _rule("kmers", description, train.labels[found.rows], found.on_train, scored, found.on_scored)


def _rule(
    name: str, description: str, labels: NDArray[np.int8], on_train: Scores, scored: TokenDataset, on_scored: Scores
) -> Rule:
    threshold = metrics.best_threshold(labels, on_train)
    return Rule(name, description, on_scored, threshold, metrics.binary_metrics(scored.labels, on_scored, threshold))


def bases(dataset: TokenDataset) -> NDArray[np.int64]:
    """Length of each row in bases, shape (rows,)."""
    return dataset.table["end"].to_numpy() - dataset.table["start"].to_numpy()


def _column(dataset: TokenDataset, name: str) -> Scores:
    return dataset.table[name].to_numpy().astype(np.float64)


def _hexamer_scores(
    train: TokenDataset, scored: TokenDataset, ends: Callable[[TokenDataset], NDArray[np.int64]]
) -> tuple[Scores, Scores]:
    """Log-odds of each six-letter end, learnt on train with half a pseudocount each."""
    letters = 5**SIX
    on_train, on_scored = (_as_number(ends(dataset)) for dataset in (train, scored))
    counts = np.stack([np.bincount(on_train[train.labels == label], minlength=letters) for label in (0, 1)])
    share = (counts + 0.5) / (counts.sum(axis=1, keepdims=True) + 0.5 * 4**SIX)
    odds = np.log(share[1]) - np.log(share[0])
    return odds[on_train], odds[on_scored]


def _as_number(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    number: NDArray[np.int64] = ends @ (5 ** np.arange(SIX)[::-1])
    return number


def first_six(dataset: TokenDataset) -> NDArray[np.int64]:
    """The first six visible bases as 0 to 3, or 4 where unknown or absent, shape (rows, 6)."""
    out = np.full((len(dataset), SIX), UNKNOWN_BASE, np.int64)
    tokenizer, sizes = dataset.tokenizer, bases(dataset)
    for number in range(2 + SIX // tokenizer.stride):
        rows = np.flatnonzero(number < dataset.lengths)
        letters = tokenizer.letters[dataset.tokens[dataset.offsets[rows] + number]]
        _lay(out, rows, letters, tokenizer.starts(number, sizes[rows]))
    return out


def last_six(dataset: TokenDataset) -> NDArray[np.int64]:
    """The last six visible bases as 0 to 3, or 4 where unknown or absent, shape (rows, 6)."""
    out = np.full((len(dataset), SIX), UNKNOWN_BASE, np.int64)
    tokenizer, sizes = dataset.tokenizer, bases(dataset)
    shown = tokenizer.covered_bases(sizes)
    for back in range(2 + SIX // tokenizer.stride):
        rows = np.flatnonzero(back < dataset.lengths)
        starts = tokenizer.starts(dataset.lengths[rows] - 1 - back, sizes[rows])
        letters = tokenizer.letters[dataset.tokens[dataset.offsets[rows + 1] - 1 - back]]
        _lay(out, rows, letters, starts - (shown[rows] - SIX))
    return out


def _lay(
    out: NDArray[np.int64], rows: NDArray[np.int64], letters: NDArray[np.uint8], starts: NDArray[np.int64]
) -> None:
    """Write k-mers into windows of six; a known base stands against an unknown one."""
    for offset in range(letters.shape[1]):
        place = starts + offset
        inside = (place >= 0) & (place < SIX) & (letters[:, offset] != UNKNOWN_BASE)
        out[rows[inside], place[inside]] = letters[inside, offset]
