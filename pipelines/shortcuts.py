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
from pipelines.dataset import TokenDataset

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


def audit(train: TokenDataset, scored: TokenDataset) -> list[Rule]:
    """Fit every rule on `train` and score it on `scored`, best AUROC first."""
    columns: dict[str, tuple[str, Callable[[TokenDataset], Scores]]] = {
        "length": ("length in bases", lambda dataset: bases(dataset).astype(np.float64)),
        "gc": ("share of G and C", lambda dataset: _column(dataset, "gc")),
        "soft_masked": ("share of lower-case bases", lambda dataset: _column(dataset, "soft_masked_share")),
    }
    rules = []
    for name, (description, value) in columns.items():
        on_train, on_scored = value(train), value(scored)
        sign = 1.0 if _at_least_half(metrics.auroc(train.labels, on_train)) else -1.0
        rules.append(_rule(name, description, sign * on_train, sign * on_scored, train, scored))
    first_train, first_scored = _hexamer_scores(train, scored, first_six)
    last_train, last_scored = _hexamer_scores(train, scored, last_six)
    rules.append(_rule("first_six", "first six bases", first_train, first_scored, train, scored))
    rules.append(_rule("last_six", "last six bases", last_train, last_scored, train, scored))
    both = "first and last six bases"
    rules.append(_rule("ends", both, first_train + last_train, first_scored + last_scored, train, scored))
    return sorted(rules, key=lambda rule: -rule.metrics["auroc"])


def _at_least_half(auroc: float) -> bool:
    return not auroc < 0.5


def _rule(
    name: str, description: str, on_train: Scores, on_scored: Scores, train: TokenDataset, scored: TokenDataset
) -> Rule:
    threshold = metrics.best_threshold(train.labels, on_train)
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
    shown = tokenizer.shown(sizes)
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
