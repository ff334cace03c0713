"""raygene from Python: datasets, models and gene calls under one name.

`load(path)` opens a trained model, whose `score(sequences)` gives probabilities; `annotate`, `scan` and `predict` write
what the commands of these names write; `loader(TokenDataset.open(path, "train"))` gives batches to any PyTorch loop.
Importing it takes milliseconds: what a name needs, such as PyTorch, is imported when the name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from raygene import own_packages

own_packages.prefer()

if TYPE_CHECKING:
    from pipelines import __version__
    from pipelines.dataset.token_dataset import TokenDataset
    from pipelines.errors import RaygeneError
    from raygene.commands import annotate, build, predict, run, scan, train
    from training.bundle.bundle import Bundle, load
    from training.data.batch import TokenBatch
    from training.data.loading import Loader, collate_rows, loader

__all__ = [
    "Bundle",
    "Loader",
    "RaygeneError",
    "TokenBatch",
    "TokenDataset",
    "__version__",
    "annotate",
    "build",
    "collate_rows",
    "load",
    "loader",
    "predict",
    "run",
    "scan",
    "train",
]
_MODULES = {
    "Bundle": "training.bundle.bundle",
    "Loader": "training.data.loading",
    "RaygeneError": "pipelines.errors",
    "TokenBatch": "training.data.batch",
    "TokenDataset": "pipelines.dataset.token_dataset",
    "__version__": "pipelines",
    "collate_rows": "training.data.loading",
    "load": "training.bundle.bundle",
    "loader": "training.data.loading",
} | dict.fromkeys(("annotate", "build", "predict", "run", "scan", "train"), "raygene.commands")


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
