"""Memory of a transformer's layers: attention by torch's flash kernels, or block by block within a window.

A window goes through the plain kernel, which keeps every score of neighbouring blocks. On GPUs in half precision the
positions are packed, and no score is kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from training.config import ModelConfig
from training.cost.amount import NOTHING, Amount
from training.cost.shape import FLOAT, Shape
from training.cost.stage import Stage
from training.models.transformer import WIDER


def layers(model: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
    """The way in, two stages a layer, and the last norm, for vectors of `width` that come in."""
    hidden, unit = model.hidden, shape.states(model.hidden)
    come = shape.states(width)
    statistics = shape.tensor(2 * FLOAT * shape.places)
    noise = unit if model.dropout else NOTHING
    packed = shape.device == "cuda" and shape.item < FLOAT
    windowed = bool(model.window) and model.window < shape.positions and not packed
    yield Stage(
        "way in",
        weights=FLOAT * (width + 1) * hidden,
        kept=come if model.stem else NOTHING,
        backward=unit + come,
    )
    for layer in range(model.layers):
        kept, forward, backward = _windowed(model, shape) if windowed else _whole(model, shape)
        yield Stage(
            f"attention {layer + 1}",
            weights=FLOAT * (4 * hidden * hidden + 6 * hidden),
            kept=kept + unit * 3 + statistics + noise,
            forward=max(forward - unit - noise, unit * 2),
            backward=backward,
        )
        yield Stage(
            f"feed-forward {layer + 1}",
            weights=FLOAT * (2 * WIDER * hidden * hidden + (WIDER + 3) * hidden),
            kept=unit * 2 + shape.states(WIDER * hidden) * 2 + statistics + noise,
            # Queries, keys and values before they were cut into blocks live until the layer's end.
            forward=unit * 2 + (shape.states(3 * hidden) if windowed else NOTHING),
            backward=unit + shape.states(WIDER * hidden),
        )
    yield Stage("norm", weights=2 * FLOAT * hidden, kept=unit + statistics, forward=unit, backward=unit * 2)


def _whole(model: ModelConfig, shape: Shape) -> tuple[Amount, Amount, Amount]:
    """Bytes kept, used forward and used backward by attention to all positions."""
    unit = shape.states(model.hidden)
    projected = shape.states(3 * model.hidden)
    return unit * 2 + projected + shape.tensor(FLOAT * shape.places * model.heads), NOTHING, unit * 5


def _windowed(model: ModelConfig, shape: Shape) -> tuple[Amount, Amount, Amount]:
    """The same of attention within a window, from the blocks that `models.attention.windowed` makes."""
    unit = shape.states(model.hidden)
    blocks = -(-shape.positions // model.window)
    places = shape.rows * blocks * model.window
    couples = places * 3 * model.window
    # The plain kernel computes in float32 whatever comes in.
    mine, beside = (shape.tensor(FLOAT * places * times * model.hidden) for times in (1, 3))
    scores = shape.tensor(FLOAT * couples * model.heads)
    masks = shape.tensor(couples) + shape.tensor(FLOAT * couples) + shape.tensor(couples * model.heads)
    kept = scores + mine + beside * 2
    forward = shape.states(3 * model.hidden) + unit * 2 + mine + beside + scores + masks
    return kept, forward, unit + max(mine + beside + scores, scores * 2)
