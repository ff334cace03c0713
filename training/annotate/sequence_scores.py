"""Where the scores of whole sequences lie among the files of tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.annotate import scores
from training.annotate.score_tasks import score_path
from training.annotate.tiles import Piece, Tiling


@dataclass(frozen=True)
class SequenceScores:
    """Where the scores of a whole sequence lie.

    Attributes:
        chromosome: its name.
        length: number of its bases.
        places: task, number in that task, start and end of every piece, in their order.
    """

    chromosome: str
    length: int
    places: tuple[tuple[int, int, int, int], ...]

    def paths(self, folder: Path) -> list[Path]:
        """The files of its scores, in the order of its pieces.

        Args:
            folder: directory of the scores.
        """
        return [score_path(folder, task) for task, *_ in self.places]

    def read(self, folder: Path) -> Iterator[tuple[int, int, scores.Packed]]:
        """Start, end and scores of every piece, of shape (2, 12, end - start).

        Args:
            folder: directory of the scores.
        """
        for task, number, start, end in self.places:
            yield start, end, scores.read(score_path(folder, task), number, end - start)


def locate(tasks: Sequence[Sequence[Piece]], tiling: Tiling) -> list[SequenceScores]:
    """Every sequence of a plan, in its order."""
    places: dict[tuple[str, int], list[tuple[int, int, int, int]]] = {}
    for task, pieces in enumerate(tasks):
        for number, piece in enumerate(pieces):
            where = places.setdefault((piece.chromosome, piece.length), [])
            where.append((task, number, *piece.counted(tiling)))
    return [SequenceScores(name, length, tuple(where)) for (name, length), where in places.items()]
