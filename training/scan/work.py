"""What an actor of a scan does: score a task's pieces and keep them in a file that appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.genome.fasta import Genome
from training.inference.scorer import Scorer, in_actor
from training.scan import scores, windows
from training.scan.grid import Grid
from training.scan.plan import Piece


def score_path(staging: Path, task: int) -> Path:
    """Where the scores of a task lie until the tracks are written."""
    return staging / f"{task:06d}.npy"


class ScoreTasks:
    """Maps tables of one row, the number of a task, to tables with that number, when its scores are on disk.

    Args:
        scorer: gives windows their probability.
        genome: where the bases are; its file is readable where the actor runs.
        grid: window and stride.
        plan: pieces of every task.
        staging: where scores go.
        use_gpu: whether this actor was given a GPU.
    """

    def __init__(
        self, scorer: Scorer, genome: Genome, grid: Grid, plan: list[list[Piece]], staging: Path, use_gpu: bool
    ) -> None:
        self._scorer, self._genome = in_actor(scorer, use_gpu=use_gpu), genome
        self._grid, self._plan, self._staging = grid, plan, staging

    def __call__(self, table: pa.Table) -> pa.Table:
        for task in table["task"].to_pylist():
            found = [windows.score(piece, self._genome, self._grid, self._scorer) for piece in self._plan[task]]
            scores.write(np.concatenate(found, axis=1), score_path(self._staging, task))
        return table
