"""Token datasets to models, evaluations and predictions. Importing it starts nothing and needs no Ray.

`load(path)` gives a trained bundle back. PyTorch is imported at the first use, so that `raygene --help` need not wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.bundle import Bundle, load

__all__ = ["Bundle", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from training import bundle

        return getattr(bundle, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
