"""The figures of a run on disk: `metrics.jsonl`, `steps.jsonl` and TensorBoard's files.

The worker that saves checkpoints writes them, and writes all steps up to a checkpoint before the checkpoint itself. So
a log holds each step once, whichever process is killed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.observability import journal
from training.observability.tensorboard import Board

if TYPE_CHECKING:
    # It imports PyTorch, which takes seconds.
    from training.engine.state import Record

METRICS, STEPS, BOARDS = "metrics.jsonl", "steps.jsonl", "tensorboard"


@dataclass(frozen=True)
class StepLine:
    """A line of `steps.jsonl`: the steps since the line before it. The names are those of the file.

    Attributes:
        epoch: of the last step, from 1.
        step: the last step, from 1, within the epoch.
        loss: mean over the steps.
        gradient_norm: of the last step, before clipping; None if it overflowed in fp16.
        learning_rate: of the last step.
        tokens_per_second: without padding, over all workers.
        padding_share: of all tokens.
        wait_share: share of the time spent waiting for batches.
        peak_memory_bytes: of the device that this worker computes on, since the process started.
    """

    epoch: int
    step: int
    loss: float
    gradient_norm: float | None
    learning_rate: float
    tokens_per_second: int
    padding_share: float
    wait_share: float
    peak_memory_bytes: int


class RunLog:
    """The log files of one run.

    Args:
        output: the run's directory.
        run: the beginning of the run's key, which every line of the step log repeats.
        board: TensorBoard's files; None: none are written.
    """

    def __init__(self, output: Path, run: str, board: Board | None) -> None:
        self._output, self._run, self._board = output, run, board
        self._epochs = 0

    def begin(self, epoch: int, step: int, records: Sequence[Record]) -> None:
        """Resume after a checkpoint: lines about later steps are removed.

        Args:
            epoch: epochs finished.
            step: steps finished of the next epoch.
            records: of the epochs finished.

        Raises:
            StorageError: the files cannot be written.
        """
        journal.truncate(self._output / STEPS, self._run, epoch, step)
        journal.write(self._output / METRICS, records)
        self._epochs = len(records)
        if self._board:
            self._board.begin(epoch, step)

    def step(self, line: StepLine) -> None:
        """Add a line about some steps."""
        values = asdict(line)
        journal.append(self._output / STEPS, [{"run": self._run, **values}])
        if self._board:
            self._board.step(values)

    def epoch(self, records: Sequence[Record]) -> None:
        """Write the records of all epochs finished."""
        journal.write(self._output / METRICS, records)
        if self._board:
            for record in records[self._epochs :]:
                self._board.epoch(record)
        self._epochs = len(records)

    def close(self) -> None:
        """Write out what is buffered."""
        if self._board:
            self._board.close()
