"""Token datasets to models, evaluations and predictions. Importing it starts nothing and needs no Ray.

`load(path)` gives a trained bundle back; `loader(TokenDataset.open(path, "train"))` gives batches to any PyTorch loop. PyTorch is imported
at the first use, so that `raygene --help` need not wait.

Who calls whom in a run: `run` (the driver) plans memory (`memory`), places and launches workers (`placement`, `launch`), and shows
what they tell over their `wire` (`follow`). A `worker` goes on from the `checkpoints` (`resume`) and calls `loop.fit`, which draws steps
from the `feed` and keeps its `books`; a `reporter` watches it, writes the logs (`runlog`) and hears a `notice` to stop. The loop knows
nothing of Ray.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.dataset.token_dataset import TokenDataset
    from training.bundle.bundle import Bundle, load
    from training.data.batch import TokenBatch
    from training.data.loading import Loader, collate_rows, loader

__all__ = ["Bundle", "Loader", "TokenBatch", "TokenDataset", "collate_rows", "load", "loader"]
_MODULES = {
    "Bundle": "training.bundle.bundle",
    "Loader": "training.data.loading",
    "TokenBatch": "training.data.batch",
    "TokenDataset": "pipelines.dataset.token_dataset",
    "collate_rows": "training.data.loading",
    "load": "training.bundle.bundle",
    "loader": "training.data.loading",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
