"""PyTorch's allocator of GPU memory, set once in a process, before it takes memory of a GPU.

Batches differ in length from step to step. In segments of fixed size what one batch frees is too small for the next,
and memory that is neither used nor free grows until a batch is refused. Segments that grow leave no such gaps.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

import torch

VARIABLES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")
"""The variables by which a user decides, in which case nothing is set."""
SETTING = "expandable_segments:True"
MIN_ROCM = 7
"""The first ROCm with segments that grow; earlier ones only warn."""


def let_segments_grow(
    environment: MutableMapping[str, str] | None = None, rocm: str | None = torch.version.hip
) -> bool:
    """Use segments that grow, in this process and in those that it starts; return whether that was set.

    Args:
        environment: of the process (default: its own).
        rocm: version of ROCm that torch was built for; None: for NVIDIA or CPUs.
    """
    environment = os.environ if environment is None else environment
    if any(name in environment for name in VARIABLES) or (rocm and int(rocm.split(".")[0]) < MIN_ROCM):
        return False
    environment[VARIABLES[0]] = SETTING
    # The variable is read once, which may have been when torch was imported.
    if set_settings := getattr(torch._C, "_accelerator_setAllocatorSettings", None):
        set_settings(SETTING)
    return True
