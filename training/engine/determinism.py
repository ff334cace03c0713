"""Whether torch may take algorithms that give other bits each time: set once in a process, before it computes on a GPU."""

from __future__ import annotations

import os

import torch

WORKSPACE = ":16:8"
"""The one size of cuBLAS's workspace with which both its products and cuDNN's LSTM repeat their bits (PyTorch's notes on RNNs)."""


def set_deterministic(wanted: bool) -> None:
    """Have torch take only algorithms that repeat their bits on the same device, and refuse operations without one.

    Args:
        wanted: `training.deterministic`; if not, nothing is changed.
    """
    if not wanted:
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)
