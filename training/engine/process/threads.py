"""How many threads the operations of a model use on a CPU: as many as make them faster.

A recurrent layer is thousands of small operations in sequence. Handing each to a second thread costs more than it
saves: one LSTM step over 1,000 positions took 0.07 s on one thread, 0.06 s on two that spin and 0.32 s on two that
sleep in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from training.models.ensemble import members_of


@contextmanager
def limited_for(model: nn.Module) -> Iterator[None]:
    """Use at most as many threads as speed the model up (its body's `most_threads`; absent: all there are).

    The members of an ensemble have bodies of one kind.
    """
    with limited_to(getattr(getattr(members_of(model)[0], "body", None), "most_threads", None)):
        yield


@contextmanager
def limited_to(most: int | None) -> Iterator[None]:
    """Use at most this number of threads while the context lasts; None: all there are."""
    available = torch.get_num_threads()
    torch.set_num_threads(min(available, most or available))
    try:
        yield
    finally:
        torch.set_num_threads(available)
