"""The interface through which the training loop is observed: callbacks for phases, steps, epochs and checkpoints.

The methods of the base class do nothing, so that the loop runs without an observer.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from training.engine.state import Record, State

Phase = Literal["data", "copy", "forward", "backward", "reduce", "optimizer"]
PHASES: tuple[Phase, ...] = ("data", "copy", "forward", "backward", "reduce", "optimizer")


@dataclass(frozen=True)
class StepFigures:
    """One optimizer step over all workers, as the host knows it.

    Attributes:
        epoch: from 1.
        step: from 1, within the epoch.
        loss: mean over the step's rows.
        gradient_norm: before clipping; infinite in a step that fp16 skips.
        learning_rate: of the step.
        tokens: without padding.
        padded: tokens with their padding.
    """

    epoch: int
    step: int
    loss: float
    gradient_norm: float
    learning_rate: float
    tokens: int
    padded: int


class Observer:
    """Watches `loop.fit` on one worker."""

    def phase(self, name: Phase) -> AbstractContextManager[Any]:
        """The context of a part of a step: waiting for data, copy, forward, backward, sum over workers, optimizer."""
        return nullcontext()

    def step_ended(self, state: State, figures: StepFigures) -> None:
        """A step has ended; on a GPU this is called some steps later, so that the host never waits for it."""

    def checkpoint_due(self, state: State) -> bool:
        """Whether to save a checkpoint within the epoch; called after every step but the last of an epoch."""
        return False

    def checkpoint(self, state: State) -> None:
        """Save the state, which is complete; called after `checkpoint_due` returned True."""

    def epoch_ended(self, record: Record, state: State) -> None:
        """An epoch has ended and is validated; the state is the one before the next epoch."""

    def should_stop(self) -> bool:
        """Whether to stop; called in every step. If it is True on any worker, all stop after the same step."""
        return False
