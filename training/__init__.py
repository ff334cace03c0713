"""From token datasets to models, evaluations and predictions. Importing it starts nothing and needs no Ray.

`load(path)` opens a trained bundle; `loader(TokenDataset.open(path, "train"))` gives batches to any PyTorch loop.
PyTorch is imported at the first use, so that `raygene --help` need not wait for it.

Who calls whom in a run:

- The driver, `distributed.train.train`, plans memory (`memory_plan`), places the workers (`placement`), gives each a
  `WorkerSpec` and starts them on Ray Train (`launch`). It shows their events (`run_progress`) and writes the `bundle`.
- Each worker, `distributed.worker.run`, resumes from the latest checkpoint (`resume`) and calls `engine.loop.fit`.
- `engine.loop._train_epoch` holds the optimizer step. It takes batches from `data.feed` and adds up figures in
  `engine.epoch_metrics`. It knows nothing of Ray.
- On the first worker a `distributed.reporter` observes the loop: it writes the logs (`runlog`), saves `checkpoints`,
  sends events (`messages`) and listens for the driver's `stop_signal`.
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
