"""How many threads a model's operations share on a CPU: as many as pay.

A recurrent layer is thousands of small operations in a row. Handing each to a second thread costs more than it saves:
one LSTM step over 1,000 positions took 0.07 s on one thread, 0.06 on two that spin and 0.32 on two that sleep between.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def suited(model: nn.Module) -> Iterator[None]:
    """Use no more threads than the model's body asks for (`most_threads`; absent: as many as there are)."""
    given = torch.get_num_threads()
    most = getattr(getattr(model, "body", None), "most_threads", None)
    torch.set_num_threads(min(given, most or given))
    try:
        yield
    finally:
        torch.set_num_threads(given)
