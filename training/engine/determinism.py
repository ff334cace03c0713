"""Deterministic algorithms in PyTorch: set once in a process, before it computes on a GPU."""

from __future__ import annotations

import os

import torch

WORKSPACE = ":16:8"
"""The one size of cuBLAS's workspace with which its products and cuDNN's LSTM both repeat their bits.

See the notes of PyTorch on `torch.nn.RNN`.
"""


def set_deterministic(enabled: bool) -> None:
    """Allow only algorithms that repeat their bits on the same device; operations without one raise an error.

    Args:
        enabled: `training.deterministic`; if false, nothing is changed.
    """
    if not enabled:
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)
