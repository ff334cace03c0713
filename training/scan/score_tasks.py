"""What an actor of a scan does: score the pieces of a task and write the scores to a file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.genome.fasta import Genome
from pipelines.stores.worker_folder import WorkerFolder
from training.inference.scorer import Scorer, to_assigned_gpu
from training.scan import scores, windows
from training.scan.grid import Grid
from training.scan.pieces import Piece


def score_path(staging: Path, task: int) -> Path:
    """The file of a task's scores until the tracks are written."""
    return staging / f"{task:06d}.npy"


class ScoreTasks:
    """Maps a table of task numbers to itself, once the scores of those tasks are on disk.

    Args:
        scorer: gives the probability of a window.
        genome: gives the bases; its file is readable from the actor's node.
        grid: window and stride.
        tasks: pieces of every task.
        staging: directory of the scores.
        use_gpu: whether this actor was assigned a GPU.
    """

    def __init__(
        self,
        scorer: Scorer,
        genome: Genome,
        grid: Grid,
        tasks: list[list[Piece]],
        staging: WorkerFolder,
        use_gpu: bool,
    ) -> None:
        self._scorer, self._genome = to_assigned_gpu(scorer, use_gpu=use_gpu), genome
        self._grid, self._tasks, self._staging = grid, tasks, staging

    def __call__(self, table: pa.Table) -> pa.Table:
        for task in table["task"].to_pylist():
            pieces = [windows.score_piece(piece, self._genome, self._grid, self._scorer) for piece in self._tasks[task]]
            with self._staging.opened() as folder:
                scores.write(np.concatenate(pieces, axis=1), score_path(folder.path, task))
        return table
