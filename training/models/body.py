"""The part of a recogniser that reads along the sequence, with what it needs in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from torch import nn

from training.config import ModelConfig
from training.cost.shape import Shape
from training.cost.stage import Stage


class Body(nn.Module):
    """The base of all kinds of model: new vectors at the same positions, those of a row independent of other rows.

    A subclass has a `forward` from `Positions` to `Positions`, and `memory_stages`. It reads its sizes from the
    configuration and sets `width` and `directions` by `output_size`.

    Args:
        config: the model section.
        width: of a position's vector that comes in.

    Attributes:
        width: of a position's vector that goes out.
        directions: 2 if the second half of that vector was read from the end of the sequence, else 1.
        most_threads: CPU threads that speed one operation up; None: all there are.
        time_major: whether it copies its input to (positions, rows, width) and returns a transposed view of such a
            tensor.
        library_bytes: resident memory of the libraries that its kernels load on a CPU.
    """

    width: int
    directions: int
    most_threads: int | None = None
    time_major: ClassVar[bool] = False
    library_bytes: ClassVar[float] = 36e6

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__()
        self.width, self.directions = self.output_size(config)

    @classmethod
    def output_size(cls, config: ModelConfig) -> tuple[int, int]:
        """Width and directions of what goes out."""
        return config.hidden, 1

    @classmethod
    def memory_stages(cls, config: ModelConfig, shape: Shape, width: int) -> Iterable[Stage]:
        """What the body saves and needs, as stages in forward order.

        Args:
            config: the model section.
            shape: of the batch that the body reads.
            width: of a position's vector that comes in.
        """
        raise NotImplementedError
