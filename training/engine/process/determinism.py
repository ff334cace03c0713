"""Which algorithms PyTorch may use: set once in a process, before it computes on a GPU."""

from __future__ import annotations

import os
from typing import Any

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


def set_tf32(enabled: bool | None) -> None:
    """Let NVIDIA's GPUs from Ampere on round what products of fp32 read to 10 bits, or forbid it; sums stay in fp32.

    Args:
        enabled: `training.tf32`; None leaves PyTorch's own choice: convolutions and recurrent layers round, matrix
            products do not.
    """
    if enabled is None:
        return
    cudnn: Any = torch.backends.cudnn
    for backend in (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn):
        backend.fp32_precision = "tf32" if enabled else "ieee"
