"""Memory of a model's two ends: token vectors and stem before the body, pooling and logit after it."""

from __future__ import annotations

from training.config import ModelConfig
from training.cost.amount import NOTHING
from training.cost.shape import FLOAT, ID, Shape
from training.cost.stage import Stage

LANES = 16


def embedding(model: ModelConfig, vocabulary_size: int, shape: Shape) -> Stage:
    """Ids, token vectors and dropout's noise; vectors in half precision are a copy of their own."""
    vectors = shape.tensor(FLOAT * shape.padded * model.embedding)
    table = FLOAT * vocabulary_size * model.embedding
    half = shape.item < FLOAT
    noise = vectors if model.dropout and shape.trained else NOTHING
    read = shape.tensor(shape.item * shape.padded * model.embedding) if half else vectors
    # Recurrent layers without a stem read a copy in the order of time, which is counted there.
    copied = not model.stem and model.kind != "transformer" and shape.rows > 1
    return Stage(
        "token vectors",
        weights=table if shape.trained else 0,
        frozen=0 if shape.trained else table,
        kept=shape.tensor(ID * shape.padded) + shape.tensor(shape.padded) + noise + (NOTHING if copied else read),
        held=vectors if half or copied else NOTHING,
        forward=vectors if model.dropout else NOTHING,
        backward=vectors * (2 if half or copied else 1) if shape.trained else NOTHING,
    )


def stem(model: ModelConfig, shape: Shape) -> Stage:
    """The convolution: its kernels copy what comes in and goes out into blocks of 16 channels."""
    taps = 2 * (model.stem_width // 2) - model.stem_width
    wide = shape.rows * ((shape.tokens + taps) // model.stem_stride + 1)
    come = shape.tensor(shape.item * shape.padded * model.embedding)
    gone = shape.tensor(shape.item * wide * model.stem)
    blocked = shape.tensor(shape.item * shape.padded * _whole(model.embedding))
    blocked += shape.tensor(shape.item * wide * _whole(model.stem))
    masked = shape.tensor(shape.item * shape.places * model.stem)
    return Stage(
        "stem",
        weights=FLOAT * (model.embedding * model.stem * model.stem_width + model.stem),
        kept=gone + shape.tensor(2 * shape.places),
        held=masked,
        forward=max(come + blocked - gone - masked, NOTHING),
        backward=max(gone * 2, come * (4 if shape.trained else 3), come * 2 + blocked),
    )


def pooling(model: ModelConfig, shape: Shape, width: int, directions: int) -> Stage:
    """From positions to rows; of `max` the search for the highest needs whole numbers of eight bytes."""
    places = shape.places * width
    states = shape.states(width)
    weights = FLOAT * (width * (2 if model.pooling == "mean+max" else 1) + 1)
    # The output of a recurrent layer in one direction is kept by the layer already.
    held = NOTHING if model.kind != "transformer" and directions == 1 else states
    kept, forward, backward = shape.tensor(shape.places), NOTHING, states
    if model.pooling == "attention":
        weights += FLOAT * (width + 1)
        kept = kept + states * 2 + shape.tensor(3 * FLOAT * shape.places)
        held = NOTHING if model.kind == "transformer" else held
        forward, backward = states, states * 2
    elif model.pooling == "last":
        backward = states * directions
    elif "max" in model.pooling:
        kept = kept + states
        backward = shape.tensor(places) + max(shape.tensor(ID * places), states * 2)
    else:
        forward = states
    return Stage("pooling", weights=weights, kept=kept, held=held, forward=forward, backward=backward)


def _whole(channels: int) -> int:
    return -(-channels // LANES) * LANES
