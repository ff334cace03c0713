"""A model that is not part of the project: one class, one registration. Workers import this module by its name."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.functional import avg_pool1d

from training.config import ModelConfig
from training.cost.shape import FLOAT, Shape
from training.cost.stage import Stage
from training.model_registry import ModelKind, register
from training.models.body import Body
from training.models.positions import Positions


class Smoothing(Body):
    """The mean of neighbouring positions, and a linear layer."""

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__(config, width)
        self.reach = config.window
        self.project = nn.Linear(width, config.hidden)

    def forward(self, positions: Positions) -> Positions:
        real = (positions.states * positions.mask[..., None]).transpose(1, 2)
        means = avg_pool1d(real, 2 * self.reach + 1, stride=1, padding=self.reach).transpose(1, 2)
        return positions.with_states(torch.relu(self.project(means)))

    @classmethod
    def memory_stages(cls, config: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
        inputs, outputs = shape.states(width), shape.states(config.hidden)
        yield Stage(
            "smoothing",
            weights=FLOAT * (width + 1) * config.hidden,
            saved=inputs * 2 + outputs,
            forward=inputs + outputs,
            backward=inputs * 2 + outputs,
        )


def has_reach(config: ModelConfig) -> None:
    if config.window == 0:
        raise ValueError("a smoothing model needs a window of at least 1")


register(ModelKind("smoothing", Smoothing, options=frozenset({"window"}), check=has_reach))
