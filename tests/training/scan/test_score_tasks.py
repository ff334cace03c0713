from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.genome import fasta
from pipelines.progress import Silent
from pipelines.stores import worker_folder
from tests.training.scan.purines import PurineShare
from training.scan import scores, windows
from training.scan.grid import Grid
from training.scan.pieces import Piece
from training.scan.score_tasks import ScoreTasks, score_path


def test_the_file_of_a_task_holds_the_scores_of_its_pieces_one_after_another(tmp_path: Path) -> None:
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 1000))
    (tmp_path / "g.fa").write_text(f">a\n{letters[:600]}\n>b\n{letters[600:]}\n")
    genome, grid = fasta.open_genome("g", tmp_path / "g.fa", Silent()), Grid(100, 25)
    tasks = [[Piece("a", 600, 0, 10)], [Piece("a", 600, 10, 24), Piece("b", 400, 0, 16)]]
    staging = tmp_path / "staging"
    staging.mkdir()
    table = pa.table({"task": [1]})
    assert ScoreTasks(PurineShare(), genome, grid, tasks, worker_folder.of(staging), False)(table) == table
    expected = [windows.score_piece(piece, genome, grid, PurineShare()) for piece in tasks[1]]
    assert (scores.read(score_path(staging, 1), 30) == np.concatenate(expected, axis=1)).all()
    assert not score_path(staging, 0).exists()
