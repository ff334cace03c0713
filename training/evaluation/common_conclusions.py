"""What the conclusions and warnings of every evaluation say alike."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.dataset.token_dataset import TokenDataset

LEAK_AUROC = 0.95
"""The AUROC of a trivial rule from which on the rows give the answer away, and a model's figures on them say little."""


def by_model(names: Sequence[str], texts: Sequence[str]) -> list[str]:
    """The text about each model; where there are several, each opens with the model's name."""
    if len(names) == 1:
        return list(texts)
    return [f"{name}: {text}" for name, text in zip(names, texts, strict=True)]


def in_sentence(name: str, models: int) -> str:
    """How a sentence calls one of a number of models."""
    return "the model" if models == 1 else f"model {name}"


def of_another_dataset(model: str, trained_on: str, dataset: TokenDataset, rows: str) -> str:
    """The warning that a model may have seen rows that it is evaluated on.

    Args:
        model: as `in_sentence` calls it.
        trained_on: the fingerprint of its dataset.
        dataset: the rows that it is evaluated on.
        rows: what they are.
    """
    evaluated_on = dataset.manifest["fingerprint"]
    return (
        f"{model} was trained on dataset {trained_on[:12]} and is evaluated on dataset {evaluated_on[:12]}: split "
        f"{dataset.split} may hold {rows} it was trained on"
    )
