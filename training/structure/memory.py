"""Memory of a network base by base and of its loss.

At every base lie the vectors of the convolutions, which dominate, then logits of both strands and what the loss saves
of them. The body reads as many times fewer positions as the stem strides.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.structure.states import SITES, STATES
from training.config import ModelConfig
from training.cost.amount import NOTHING, Amount
from training.cost.shape import FLOAT, ID, Shape
from training.cost.stage import Stage
from training.models.body import Body
from training.models.paired import bodies

STRANDS = 2
SITE_COPIES = 3
"""Tensors as large as the logits of sites that their loss holds while it is computed."""


def stages(config: ModelConfig, vocabulary_size: int, shape: Shape, body: type[Body]) -> list[Stage]:
    """One stage a part, in forward order.

    Args:
        config: every size.
        vocabulary_size: number of token ids.
        shape: of the batch: its tokens are bases, its positions those after the stem.
        body: class of the kind of body.
    """
    width = bodies.paired_size(body, config)
    return [
        _entry(config, vocabulary_size, shape),
        *(_residual(config, shape, f"base {layer + 1}") for layer in range(config.base_layers)),
        _stem(config, shape),
        *bodies.memory_stages(body, config, shape, config.stem),
        _expansion(config, shape, width),
        *(_residual(config, shape, f"output {layer + 1}") for layer in range(config.output_layers)),
        *_head_and_loss(config, shape),
    ]


def _at_bases(shape: Shape, numbers: int, item: int = FLOAT) -> Amount:
    """Memory of so many numbers at every base."""
    return shape.tensor(item * shape.padded_tokens * numbers)


def _tied(shape: Shape, weights: float) -> Amount:
    """Memory of the weights of both strands, which are made of those that are stored."""
    return shape.tensor(2 * weights)


def _entry(config: ModelConfig, vocabulary_size: int, shape: Shape) -> Stage:
    """Token vectors, and what is looked up of them for every base."""
    channels, width = config.base_channels, 2 * config.embedding
    table = FLOAT * vocabulary_size * config.embedding
    weights = FLOAT * (width + 1) * channels / 2
    products = shape.tensor(FLOAT * vocabulary_size * channels)
    return Stage(
        "entry",
        weights=weights + (table if shape.trains_embedding else 0),
        frozen=0 if shape.trains_embedding else table,
        saved=_at_bases(shape, 2, item=1) + _at_bases(shape, 1, item=ID) + shape.tensor(2 * table),
        forward=_at_bases(shape, channels) + products,
        backward=_at_bases(shape, channels) + products * 2,
    )


def _residual(config: ModelConfig, shape: Shape, name: str) -> Stage:
    """A convolution, which saves what comes in and its own rectified result."""
    channels = config.base_channels
    unit, convolved = _at_bases(shape, channels), _at_bases(shape, channels, shape.item)
    weights = FLOAT * (config.base_width * channels + 2) * channels / 2
    return Stage(
        name,
        weights=weights,
        saved=convolved * 2 + _tied(shape, weights),
        forward=unit + (convolved if shape.item < FLOAT else NOTHING),
        backward=unit * 2 + convolved,
    )


def _stem(config: ModelConfig, shape: Shape) -> Stage:
    """The strided convolution, and the vectors of bases that are held until the body's are added to them."""
    unit, convolved = _at_bases(shape, config.base_channels), _at_bases(shape, config.base_channels, shape.item)
    weights = FLOAT * (config.base_channels * config.stem_width + 1) * config.stem / 2
    pads = config.stem_width > config.stem_stride or shape.tokens % config.stem_stride > 0
    copied = pads or shape.item < FLOAT
    noise = shape.states(config.stem) if config.dropout else NOTHING
    return Stage(
        "stem",
        weights=weights,
        saved=convolved + shape.states(config.stem) + noise + _tied(shape, weights),
        held=unit if copied else NOTHING,
        forward=unit if pads and shape.item < FLOAT else NOTHING,
        backward=unit + convolved,
    )


def _expansion(config: ModelConfig, shape: Shape, width: int) -> Stage:
    """A norm and the linear map back to bases."""
    channels, stride = config.base_channels, config.stem_stride
    unit, expanded = _at_bases(shape, channels), shape.states(stride * channels)
    states = shape.tensor(FLOAT * shape.padded_positions * width)
    weights = FLOAT * (width + 1) * stride * channels / 2
    noise = states * 2 if config.dropout else NOTHING
    return Stage(
        "expansion",
        weights=weights + FLOAT * width,
        saved=states * 2 + noise + _tied(shape, weights),
        forward=expanded + unit,
        backward=unit + expanded,
    )


def _head_and_loss(config: ModelConfig, shape: Shape) -> Iterator[Stage]:
    """Norm and logits in float32, and the losses of states and sites."""
    channels = config.base_channels
    unit, logits = _at_bases(shape, channels), _at_bases(shape, STRANDS * (STATES + SITES))
    of_states, of_sites = _at_bases(shape, STRANDS * STATES), _at_bases(shape, STRANDS * SITES)
    yield Stage(
        "head",
        weights=FLOAT * (channels + 1) * (STATES + SITES) + FLOAT * channels,
        saved=unit * 2 + _at_bases(shape, 2) + logits,
        forward=NOTHING,
        backward=unit * 2 + logits,
    )
    yield Stage(
        "loss",
        saved=of_states + _at_bases(shape, STRANDS, item=ID) + of_sites * 2,
        forward=of_states + of_sites * SITE_COPIES,
        backward=of_states * 2 + logits,
    )
