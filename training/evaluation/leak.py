"""From which AUROC on a trivial rule gives the answer away."""

from __future__ import annotations

from collections.abc import Mapping

LEAK_AUROC = 0.95


def gives_away(metrics: Mapping[str, float]) -> bool:
    """Whether a rule with these metrics tells the answer, so that those of a model on the same rows say little."""
    return metrics["auroc"] >= LEAK_AUROC
