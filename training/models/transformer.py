"""A pre-norm transformer with rotary positions (Su et al. 2021, arXiv:2104.09864), over padded or packed sequences."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.cost.amount import NOTHING, Amount
from training.cost.shape import FLOAT, Shape
from training.cost.stage import Stage
from training.models.attention import Layout, Packed, Padded
from training.models.body import Body
from training.models.dropout import Dropout
from training.models.positions import Positions

BASE = 10_000.0
EXPANSION = 4
"""Width of the feed-forward network in widths of the transformer."""


class Transformer(Body):
    """Attention layers.

    Args:
        config: `hidden` is the width, `heads` and `layers` are their numbers, and `window` limits how far a position
            looks (0: everywhere).
        width: of a position's vector that comes in.

    Attributes:
        width: of a position's vector that goes out.
        directions: 1: every position has seen both sides.
    """

    rates: Tensor

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__(config, width)
        self.window = config.window
        self.enter = nn.Linear(width, config.hidden)
        self.layers = nn.ModuleList(Layer(config.hidden, config.heads, config.dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.hidden)
        self.size = config.hidden // config.heads
        self.register_buffer("rates", BASE ** -(torch.arange(0, self.size, 2) / self.size), persistent=False)

    def forward(self, positions: Positions) -> Positions:
        """Shape (rows, positions, width)."""
        states = self.enter(positions.states)
        layout: Layout = (
            Packed(positions, self.window) if Packed.is_available(states, self.size) else Padded(positions, self.window)
        )
        states = layout.into(states)
        rotation = layout.indices[..., None] * self.rates
        keys = positions.dropout_keys
        if keys is not None:
            keys = layout.into(keys[..., None]).squeeze(-1)
        for layer in self.layers:
            states = layer(states, layout, rotation, keys)
        return positions.with_states(layout.back(self.norm(states)))

    @classmethod
    def memory_stages(cls, config: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
        """The input projection, two stages a layer, and the last norm.

        Attention runs in torch's flash kernels, which save no scores. Within a window it runs in the plain kernel,
        block by block, and saves every score of neighbouring blocks. On GPUs in half precision positions are packed,
        and no score is saved.
        """
        hidden, unit = config.hidden, shape.states(config.hidden)
        inputs = shape.states(width)
        statistics = shape.tensor(2 * FLOAT * shape.padded_positions)
        noise = unit if config.dropout else NOTHING
        packed = shape.device == "cuda" and shape.item < FLOAT
        windowed = bool(config.window) and config.window < shape.positions and not packed
        yield Stage(
            "input projection",
            weights=FLOAT * (width + 1) * hidden,
            saved=inputs if config.stem else NOTHING,
            backward=unit + inputs,
        )
        for layer in range(config.layers):
            saved, forward, backward = (
                _windowed_attention(config, shape) if windowed else _full_attention(config, shape)
            )
            yield Stage(
                f"attention {layer + 1}",
                weights=FLOAT * (4 * hidden * hidden + 6 * hidden),
                saved=saved + unit * 3 + statistics + noise,
                forward=max(forward - unit - noise, unit * 2),
                backward=backward,
            )
            yield Stage(
                f"feed-forward {layer + 1}",
                weights=FLOAT * (2 * EXPANSION * hidden * hidden + (EXPANSION + 3) * hidden),
                saved=unit * 2 + shape.states(EXPANSION * hidden) * 2 + statistics + noise,
                # Queries, keys and values as they were before they were cut into blocks live until the layer's end.
                forward=unit * 2 + (shape.states(3 * hidden) if windowed else NOTHING),
                backward=unit + shape.states(EXPANSION * hidden),
            )
        yield Stage("norm", weights=2 * FLOAT * hidden, saved=unit + statistics, forward=unit, backward=unit * 2)


class Layer(nn.Module):
    """Attention and a feed-forward network, each added to its input."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, EXPANSION * width), nn.GELU(), nn.Linear(EXPANSION * width, width))
        self.dropout, self.feed_dropout = Dropout(dropout), Dropout(dropout)

    def forward(self, states: Tensor, layout: Layout, rotation: Tensor, keys: Tensor | None) -> Tensor:
        """States of the layout's shape, width at the end.

        Args:
            states: of the layout's shape, width at the end.
            layout: of the positions.
            rotation: angles, shape (..., size of a head / 2).
            keys: as in `Dropout`, of the layout's shape.
        """
        parts = self.project(self.attention_norm(states)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.unbind(-3)
        attended = layout.attend(rotate(query, rotation), rotate(key, rotation), value).flatten(-2)
        states = states + self.dropout(self.join(attended), keys)
        return states + self.feed_dropout(self.feed(self.feed_norm(states)), keys)


def rotate(values: Tensor, rotation: Tensor) -> Tensor:
    """Turn each pair of values by its angle: (..., heads, size) by (..., size / 2)."""
    cos, sin = rotation.cos()[..., None, :].to(values.dtype), rotation.sin()[..., None, :].to(values.dtype)
    first, second = values.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def _full_attention(config: ModelConfig, shape: Shape) -> tuple[Amount, Amount, Amount]:
    """What attention to all positions saves, needs forward and needs backward."""
    unit = shape.states(config.hidden)
    projected = shape.states(3 * config.hidden)
    return unit * 2 + projected + shape.tensor(FLOAT * shape.padded_positions * config.heads), NOTHING, unit * 5


def _windowed_attention(config: ModelConfig, shape: Shape) -> tuple[Amount, Amount, Amount]:
    """The same for attention within a window, from the blocks that `attention.windowed` makes."""
    unit = shape.states(config.hidden)
    blocks = -(-shape.positions // config.window)
    queries_count = shape.rows * blocks * config.window
    pairs = queries_count * 3 * config.window
    # The plain kernel computes in float32, whatever the precision of its input.
    queries, neighbours = (shape.tensor(FLOAT * queries_count * times * config.hidden) for times in (1, 3))
    scores = shape.tensor(FLOAT * pairs * config.heads)
    masks = shape.tensor(pairs) + shape.tensor(FLOAT * pairs) + shape.tensor(pairs * config.heads)
    saved = scores + queries + neighbours * 2
    forward = shape.states(3 * config.hidden) + unit * 2 + queries + neighbours + scores + masks
    return saved, forward, unit + max(queries + neighbours + scores, scores * 2)
