"""The kinds of body with weights shared between the strands, as `training.models.paired.layers` describes.

Recurrent layers read the other strand with the same cell, on the turned sequence; convolutions are paired. Any other
kind, registered ones included, reads the sequence and its reverse complement as two rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from training.config import ModelConfig
from training.cost.shape import Shape
from training.cost.stage import Stage
from training.models.body import Body
from training.models.cnn import Cnn
from training.models.paired.cnn import PairedCnn
from training.models.paired.recurrent import PairedRecurrent
from training.models.paired.two_rows import TwoRows, memory_of_two_rows
from training.models.recurrent import Recurrent


def paired(body: type[Body], config: ModelConfig, width: int) -> Body:
    """A body of a kind that reads both strands alike.

    Args:
        body: class of the kind.
        config: every size.
        width: of a position's vector that comes in; even.
    """
    if body is Recurrent:
        return PairedRecurrent(config, width)
    return PairedCnn(config, width) if body is Cnn else TwoRows(body, config, width)


def paired_size(body: type[Body], config: ModelConfig) -> int:
    """Width of a position's vector that comes out of `paired`."""
    if body is Recurrent:
        return PairedRecurrent.output_size(config)[0]
    width, _ = body.output_size(config)
    return width if body is Cnn else 2 * width


def memory_stages(body: type[Body], config: ModelConfig, shape: Shape, width: int) -> Iterable[Stage]:
    """What `paired` saves and needs, in forward order; arguments as of `Body.memory_stages`."""
    if body is Recurrent:
        return PairedRecurrent.memory_stages(config, shape, width)
    if body is Cnn:
        return PairedCnn.memory_stages(config, shape, width)
    return memory_of_two_rows(body, config, shape, width)
