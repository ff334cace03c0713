"""A pre-norm transformer with rotary positions (Su et al. 2021, arXiv:2104.09864), over padded or packed sequences."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.models.attention import Layout, Packed, Padded
from training.models.body import Body
from training.models.positions import Positions

BASE = 10_000.0
WIDER = 4


class Transformer(Body):
    """Attention layers.

    Args:
        config: `hidden` is the width, `heads` and `layers` their numbers, `window` how far a position looks (0: everywhere).
        width: of a position's vector that comes in.

    Attributes:
        width: of a position's vector that goes out.
        directions: 1: every position has seen both sides.
    """

    rates: Tensor

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__()
        self.width, self.directions, self.window = config.hidden, 1, config.window
        self.enter = nn.Linear(width, config.hidden)
        self.layers = nn.ModuleList(Layer(config.hidden, config.heads, config.dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.hidden)
        self.size = config.hidden // config.heads
        self.register_buffer("rates", BASE ** -(torch.arange(0, self.size, 2) / self.size), persistent=False)

    def forward(self, found: Positions) -> Positions:
        """Shape (rows, positions, width)."""
        states = self.enter(found.states)
        layout: Layout = Packed(found, self.window) if Packed.can(states, self.size) else Padded(found, self.window)
        states = layout.into(states)
        rotation = layout.places[..., None] * self.rates
        for layer in self.layers:
            states = layer(states, layout, rotation)
        return found.with_states(layout.back(self.norm(states)))


class Layer(nn.Module):
    """Attention and a feed-forward network, each added to what came in."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, WIDER * width), nn.GELU(), nn.Linear(WIDER * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, layout: Layout, rotation: Tensor) -> Tensor:
        """States of the layout's shape, width at the end; rotation: angles, shape (..., size of a head / 2)."""
        parts = self.project(self.attention_norm(states)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.unbind(-3)
        attended = layout.attend(rotated(query, rotation), rotated(key, rotation), value).flatten(-2)
        states = states + self.dropout(self.join(attended))
        return states + self.dropout(self.feed(self.feed_norm(states)))


def rotated(values: Tensor, rotation: Tensor) -> Tensor:
    """Turn each pair of values by its angle: (..., heads, size) by (..., size / 2)."""
    cos, sin = rotation.cos()[..., None, :].to(values.dtype), rotation.sin()[..., None, :].to(values.dtype)
    one, other = values.chunk(2, dim=-1)
    return torch.cat([one * cos - other * sin, other * cos + one * sin], dim=-1)
