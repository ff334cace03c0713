"""A model as stages that run one after the other, each with what it keeps for its backward pass and what it uses meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.cost.amount import NOTHING, Amount


@dataclass(frozen=True)
class Stage:
    """Memory of one part of a model.

    Attributes:
        name: the part.
        weights: bytes of its parameters that are trained; their gradients appear when its backward pass runs.
        frozen: bytes of its parameters that are not.
        kept: from its forward pass to its backward pass.
        held: from its forward pass to the end of the whole forward pass.
        forward: most beside `kept` and `held` of this and the earlier stages, while it runs forward.
        backward: most beside `kept` of this and the earlier stages, while it runs backward; the gradient of what it
            gave out counts.
    """

    name: str
    weights: float = 0
    frozen: float = 0
    kept: Amount = NOTHING
    held: Amount = NOTHING
    forward: Amount = NOTHING
    backward: Amount = NOTHING


@dataclass(frozen=True)
class Moment:
    """What there is at one moment of a step beside parameters and optimizer state."""

    where: str
    gradients: Amount
    activations: Amount
    temporary: Amount

    @property
    def amount(self) -> Amount:
        """All of it."""
        return self.gradients + self.activations + self.temporary


def moments(stages: Sequence[Stage], gradients: Sequence[Amount], *, several: bool) -> list[Moment]:
    """Forward and backward pass, stage by stage.

    Args:
        stages: in forward order.
        gradients: of each stage's weights.
        several: gradients of an earlier batch of the step are there already, and new ones are added to them.
    """
    everything = sum(gradients, NOTHING)
    before = everything if several else NOTHING
    found: list[Moment] = []
    kept = held = after = NOTHING
    for stage in stages:
        kept, held = kept + stage.kept, held + stage.held
        found.append(Moment(f"{stage.name}, forward", before, kept, held + stage.forward))
    for stage, own in zip(reversed(stages), reversed(gradients), strict=True):
        after = after + own
        there, new = (everything, own) if several else (after, NOTHING)
        found.append(Moment(f"{stage.name}, backward", there, kept, stage.backward + new))
        kept = kept - stage.kept
    return found
