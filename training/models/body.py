"""The part of a recogniser that reads along the sequence."""

from __future__ import annotations

from torch import nn


class Body(nn.Module):
    """What tells one kind of model from another: new vectors at the same positions, a row's independent of other rows.

    Attributes:
        width: of a position's vector that goes out.
        directions: 2 if the second half of that vector was read from the end of the sequence.
        most_threads: CPU threads that one operation pays for; None: all there are.
    """

    width: int
    directions: int
    most_threads: int | None = None
