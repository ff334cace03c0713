"""Memory of a network base by base and of its loss.

At every base lie the vectors of the convolutions, which dominate, then logits of both strands and what the loss saves
of them. The body reads as many times fewer positions as the stem strides.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.structure.states import SITES, STATES
from training.config import ModelConfig
from training.cost.amount import NOTHING
from training.cost.shape import FLOAT, ID, Shape
from training.cost.stage import Stage
from training.models.body import Body
from training.structure.token_convolution import uses_table

STRANDS = 2
INDEX = 4
"""Bytes of a token id in a table's index, and of a place in it."""
SITE_COPIES = 3
"""Tensors as large as the logits of sites that their loss holds while it is computed."""


def stages(config: ModelConfig, vocabulary_size: int, shape: Shape, body: type[Body]) -> list[Stage]:
    """One stage a part, in forward order.

    Args:
        config: every size.
        vocabulary_size: number of token ids.
        shape: of the batch: its tokens are bases, its positions those after the stem.
        body: class of the part that reads along the sequence.
    """
    width, _ = body.output_size(config)
    return [
        _token_convolution(config, vocabulary_size, shape),
        *(_residual(config, shape, f"base {layer + 1}") for layer in range(config.base_layers)),
        _stem(config, shape),
        *body.memory_stages(config, shape, config.stem),
        _expansion(config, shape, width),
        *(_residual(config, shape, f"output {layer + 1}") for layer in range(config.output_layers)),
        *_head_and_loss(config, shape),
    ]


def _token_convolution(config: ModelConfig, vocabulary_size: int, shape: Shape) -> Stage:
    """Token vectors and the first convolution."""
    channels, kernel, bases = config.base_channels, config.base_width, shape.padded_tokens
    unit = shape.tensor(FLOAT * bases * channels)
    table = FLOAT * vocabulary_size * config.embedding
    weights = FLOAT * (config.embedding * kernel * channels + channels)
    masks = shape.tensor(bases) * 2
    if uses_table(shape.device, vocabulary_size):
        return Stage(
            "token convolution",
            weights=weights + (table if shape.trains_embedding else 0),
            frozen=0 if shape.trains_embedding else table,
            saved=masks + shape.tensor(INDEX * bases),
            forward=shape.tensor(ID * bases) + shape.tensor(INDEX * bases * kernel) * 2 + unit,
            backward=unit * 2,
        )
    vectors = shape.tensor(FLOAT * bases * config.embedding)
    half = shape.tensor(shape.item * bases * config.embedding) if shape.item < FLOAT else NOTHING
    return Stage(
        "token convolution",
        weights=weights + (table if shape.trains_embedding else 0),
        frozen=0 if shape.trains_embedding else table,
        saved=masks + shape.tensor(ID * bases) + (half if shape.item < FLOAT else vectors),
        forward=vectors + unit,
        backward=unit + vectors,
    )


def _residual(config: ModelConfig, shape: Shape, name: str) -> Stage:
    """A convolution of normalised vectors, which saves what comes in and what is convolved."""
    channels, bases = config.base_channels, shape.padded_tokens
    unit, convolved = shape.tensor(FLOAT * bases * channels), shape.tensor(shape.item * bases * channels)
    half = convolved if shape.item < FLOAT else NOTHING
    return Stage(
        name,
        weights=FLOAT * (config.base_width * channels * channels + 3 * channels),
        saved=unit * 2 + half + shape.tensor(FLOAT * bases) * 2,
        forward=unit + convolved,
        backward=unit * 3 + half,
    )


def _stem(config: ModelConfig, shape: Shape) -> Stage:
    """The strided convolution, and the vectors of bases that are held until the body's are added to them."""
    channels, bases = config.base_channels, shape.padded_tokens
    unit = shape.tensor(FLOAT * bases * channels)
    half = shape.tensor(shape.item * bases * channels)
    return Stage(
        "stem",
        weights=FLOAT * (channels * config.stem * config.stem_width + config.stem),
        saved=half + shape.states(config.stem),
        held=unit,
        forward=unit,
        backward=unit * 2,
    )


def _expansion(config: ModelConfig, shape: Shape, width: int) -> Stage:
    """The linear map back to bases."""
    channels, stride = config.base_channels, config.stem_stride
    unit = shape.tensor(FLOAT * shape.padded_tokens * channels)
    expanded = shape.states(stride * channels)
    noise = shape.states(width) if config.dropout else NOTHING
    return Stage(
        "expansion",
        weights=FLOAT * (width + 1) * stride * channels,
        saved=shape.states(width) + noise,
        forward=expanded,
        backward=unit + expanded,
    )


def _head_and_loss(config: ModelConfig, shape: Shape) -> Iterator[Stage]:
    """Norm and logits in float32, and the losses of states and sites."""
    channels, bases = config.base_channels, shape.padded_tokens
    unit = shape.tensor(FLOAT * bases * channels)
    of_states, of_sites = (shape.tensor(FLOAT * bases * STRANDS * count) for count in (STATES, SITES))
    logits = shape.tensor(FLOAT * bases * STRANDS * (STATES + SITES))
    yield Stage(
        "head",
        weights=FLOAT * (channels + 1) * STRANDS * (STATES + SITES) + 2 * FLOAT * channels,
        saved=unit * 2 + shape.tensor(FLOAT * bases) * 2 + logits,
        forward=unit,
        backward=unit * 2 + logits,
    )
    targets = shape.tensor(ID * bases * STRANDS)
    yield Stage(
        "loss",
        saved=of_states + targets + of_sites * 2,
        forward=of_states + of_sites * SITE_COPIES,
        backward=of_states * 2 + logits,
    )
