"""What may watch a training loop: told of phases, steps and epochs, asked for checkpoints and whether to stop.

The base class does nothing, so that the loop runs without anybody watching.
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
        learning_rate: that the step took.
        tokens: useful ones.
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
    """Watches a run of `loop.fit` on one worker."""

    def phase(self, name: Phase) -> AbstractContextManager[Any]:
        """Entered around a part of a step: waiting for data, copy, forward, backward, reduce over workers, optimizer."""
        return nullcontext()

    def step_ended(self, state: State, figures: StepFigures) -> None:
        """A step is done; on a GPU it is told some steps later, so that nobody waits for the device."""

    def checkpoint_due(self, state: State) -> bool:
        """Asked after each step but an epoch's last; `checkpoint` follows a yes."""
        return False

    def checkpoint(self, state: State) -> None:
        """Everything told so far is in the state, which may be kept."""

    def epoch_ended(self, record: Record, state: State) -> None:
        """An epoch is done and validated; the state is that before the next."""

    def should_stop(self) -> bool:
        """Asked once a step; a yes of any worker ends the loop on all of them after the same step."""
        return False
