"""A model as stages that run in turn: what each saves for its backward pass, and what it needs while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.cost.amount import NOTHING, Amount


@dataclass(frozen=True)
class Stage:
    """Memory of one part of a model.

    Attributes:
        name: of the part.
        weights: bytes of its trained parameters; their gradients appear when its backward pass runs.
        frozen: bytes of its parameters that are not trained.
        saved: what lives from its forward pass to its backward pass.
        held: what lives from its forward pass to the end of the whole forward pass.
        forward: the most that its forward pass needs in addition to what this and the earlier stages save and hold.
        backward: the most that its backward pass needs in addition to what this and the earlier stages have saved; the
            gradient of its output counts.
    """

    name: str
    weights: float = 0
    frozen: float = 0
    saved: Amount = NOTHING
    held: Amount = NOTHING
    forward: Amount = NOTHING
    backward: Amount = NOTHING


def frozen_below_head(stages: Sequence[Stage], count: int) -> list[Stage]:
    """A model of whose stages only the last are trained: the others have no backward pass, and save nothing for it.

    What a stage would have saved exists while it runs, and what the one before it saved is taken to exist still, since
    that may be what it reads.

    Args:
        stages: in forward order.
        count: of those that are trained.
    """
    below = len(stages) - count
    before = [NOTHING, *(stage.saved for stage in stages)]
    frozen = [
        replace(
            stage,
            weights=0,
            frozen=stage.weights + stage.frozen,
            saved=NOTHING,
            forward=stage.saved + previous + stage.forward,
            backward=NOTHING,
        )
        for stage, previous in zip(stages[:below], before, strict=False)
    ]
    return [*frozen, *stages[below:]]


@dataclass(frozen=True)
class Moment:
    """Memory in use at one moment of a step, apart from parameters and optimizer state.

    Attributes:
        name: of the moment, such as `layer 1, backward`.
        gradients: of parameters.
        activations: saved for the backward pass.
        temporary: in use by the operation that runs.
    """

    name: str
    gradients: Amount
    activations: Amount
    temporary: Amount

    @property
    def amount(self) -> Amount:
        """Everything together."""
        return self.gradients + self.activations + self.temporary


def moments(stages: Sequence[Stage], gradients: Sequence[Amount], *, accumulates: bool) -> list[Moment]:
    """The moments of a forward and a backward pass, stage by stage.

    Args:
        stages: in forward order.
        gradients: of each stage's weights.
        accumulates: gradients of an earlier batch of the step exist already, and new ones are added to them.
    """
    all_gradients = sum(gradients, NOTHING)
    during_forward = all_gradients if accumulates else NOTHING
    timeline: list[Moment] = []
    saved = held = computed = NOTHING
    for stage in stages:
        saved, held = saved + stage.saved, held + stage.held
        timeline.append(Moment(f"{stage.name}, forward", during_forward, saved, held + stage.forward))
    for stage, own in zip(reversed(stages), reversed(gradients), strict=True):
        computed = computed + own
        present, extra = (all_gradients, own) if accumulates else (computed, NOTHING)
        timeline.append(Moment(f"{stage.name}, backward", present, saved, stage.backward + extra))
        saved = saved - stage.saved
    return timeline
