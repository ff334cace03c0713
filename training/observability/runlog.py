"""The figures of a run on disk: `metrics.jsonl`, `steps.jsonl` and TensorBoard's files, written where they arise.

The worker that keeps checkpoints writes them, and before a checkpoint all of its steps: so a log has each step once,
whichever process is killed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.observability import journal
from training.observability.tensorboard import Board

METRICS, STEPS, BOARDS = "metrics.jsonl", "steps.jsonl", "tensorboard"


class RunLog:
    """Files of one run.

    Args:
        output: the run's directory.
        run: the beginning of its key, in every line of the step log.
        board: TensorBoard's files, if they are wanted.
    """

    def __init__(self, output: Path, run: str, board: Board | None) -> None:
        self._output, self._run, self._board = output, run, board
        self._epochs = 0

    def begin(self, epoch: int, step: int, records: list[dict[str, Any]]) -> None:
        """Go on after a checkpoint: steps written after it are taken out.

        Args:
            epoch: epochs finished.
            step: steps finished of the next.
            records: of the epochs finished.

        Raises:
            ResourceError: the place cannot be written.
        """
        journal.cut(self._output / STEPS, self._run, epoch, step)
        journal.write(self._output / METRICS, records)
        self._epochs = len(records)
        if self._board:
            self._board.begin(epoch, step)

    def step(self, line: dict[str, Any]) -> None:
        """Add a line about some steps."""
        journal.append(self._output / STEPS, [{"run": self._run, **line}])
        if self._board:
            self._board.step(line)

    def epoch(self, records: list[dict[str, Any]]) -> None:
        """Write the records of all epochs finished."""
        journal.write(self._output / METRICS, records)
        if self._board:
            for record in records[self._epochs :]:
                self._board.epoch(record)
        self._epochs = len(records)

    def close(self) -> None:
        """Write out what is waiting."""
        if self._board:
            self._board.close()
