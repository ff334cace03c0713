"""The keys that the JSON of every evaluation has; they are described in `docs/evaluate.md`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines import metrics
from pipelines.dataset.token_dataset import TokenDataset
from training.evaluation.bootstrap import Resampling

Json = dict[str, Any]


def split_keys(models: Sequence[Json], dataset: TokenDataset, **more: Any) -> Json:
    """The first model's figures, flat, `more`, and the split with its rows."""
    first = {key: value for key, value in models[0].items() if key != "name"}
    return first | more | {"split": dataset.split, "rows": len(dataset)}


def provenance_keys(
    models: Sequence[Json], dataset: TokenDataset, resampling: Resampling, unit: str, warnings: Sequence[str]
) -> Json:
    """How intervals were drawn, what was evaluated, what to be careful about, and the figures of all models.

    Args:
        models: of which each has its `name`.
        dataset: the split.
        resampling: samples and seed of the bootstrap.
        unit: what is drawn.
        warnings: one sentence each.
    """
    return {
        "bootstrap": {
            "samples": resampling.samples,
            "seed": resampling.seed,
            "unit": unit,
            "level": metrics.CONFIDENCE,
        },
        "dataset_fingerprint": dataset.manifest["fingerprint"],
        "tokenizer_fingerprint": dataset.tokenizer.fingerprint,
        "warnings": list(warnings),
        "models": list(models),
    }
