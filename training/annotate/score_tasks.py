"""What an actor does: score the tiles of a task and write their scores to a file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from pipelines.genome import sequence
from pipelines.genome.fasta import Genome
from pipelines.stores.worker_folder import WorkerFolder
from pipelines.tokens import centred
from training.annotate import scores
from training.annotate.scorer import StructureScorer
from training.annotate.scores import Packed
from training.annotate.tiles import Piece, Tiling
from training.inference.scorer import to_assigned_gpu


def score_path(folder: Path, task: int) -> Path:
    """The file of a task's scores."""
    return folder / f"{task:06d}.arrow"


class ScoreTasks:
    """Maps a table of task numbers to itself, once the scores of those tasks are on disk.

    Args:
        scorer: gives the scores of tiles.
        genome: gives the bases; its file is readable from the actor's node.
        tiling: of the genome.
        tasks: pieces of every task.
        folder: directory of the scores.
        use_gpu: whether this actor was assigned a GPU.
    """

    def __init__(
        self,
        scorer: StructureScorer,
        genome: Genome,
        tiling: Tiling,
        tasks: list[list[Piece]],
        folder: WorkerFolder,
        use_gpu: bool,
    ) -> None:
        self._scorer, self._genome = to_assigned_gpu(scorer, use_gpu=use_gpu), genome
        self._tiling, self._tasks, self._folder = tiling, tasks, folder

    def __call__(self, table: pa.Table) -> pa.Table:
        for task in table["task"].to_pylist():
            pieces = score_pieces(self._tasks[task], self._genome, self._tiling, self._scorer)
            with self._folder.opened() as folder:
                scores.write(pieces, score_path(folder.path, task))
        return table


def score_pieces(pieces: list[Piece], genome: Genome, tiling: Tiling, scorer: StructureScorer) -> list[Packed]:
    """The scores of pieces, each of shape (2, 12, bases).

    Tiles without a known base are not computed: no gene can be there.

    Args:
        pieces: of any sequences.
        genome: gives the bases.
        tiling: of the genome.
        scorer: gives the scores of tiles.
    """
    spans = [piece.counted(tiling) for piece in pieces]
    packed = [scores.certainly_intergenic(end - start) for start, end in spans]
    tiles, within, places = [], [], []
    for number, piece in enumerate(pieces):
        first = tiling.read(piece.length, piece.first)[0]
        last = tiling.read(piece.length, piece.last - 1)[1]
        flank = scorer.tokenizer.k // 2
        low, high = max(first - flank, 0), min(last + flank, piece.length)
        codes = sequence.base_codes(genome.sequence(piece.chromosome, low, high))
        tokens = centred.encode(scorer.tokenizer, codes)
        for tile in range(piece.first, piece.last):
            start, end = tiling.read(piece.length, tile)
            if (codes[start - low : end - low] == sequence.OTHER).all():
                continue
            tiles.append(tokens[start - low : end - low])
            first, last = tiling.counted(piece.length, tile)
            within.append((first - start, last - start))
            places.append((number, first - spans[number][0], last - spans[number][0]))
    if tiles:
        for index, of_tile in scorer(tiles, within):
            number, first, last = places[index]
            packed[number][..., first:last] = of_tile
    return packed
