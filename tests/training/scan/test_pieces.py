from __future__ import annotations

from training.scan import pieces
from training.scan.grid import Grid

GRID = Grid(240, 60)
LENGTHS = {"chr2": 700_000, "chr10": 500_001, "short": 239, "a": 240, "Z": 1_000}


def test_every_bin_is_in_one_piece() -> None:
    bins_by_name = {name: [] for name in LENGTHS}
    for piece in pieces.split_sequences(LENGTHS, GRID):
        bins_by_name[piece.chromosome] += range(piece.first, piece.last)
    assert {name: len(bins) for name, bins in bins_by_name.items()} == {
        name: GRID.bins(length) if length >= 240 else 0 for name, length in LENGTHS.items()
    }
    assert all(bins == list(range(len(bins))) for bins in bins_by_name.values())


def test_sequences_are_sorted_byte_by_byte() -> None:
    assert pieces.scanned_sequences(LENGTHS, GRID) == ["Z", "a", "chr10", "chr2"]


def test_small_sequences_share_a_task_and_no_task_is_too_large() -> None:
    many = {f"contig{number:04d}": 900 for number in range(1000)}
    assert len(pieces.plan_tasks(many, GRID)) == 4
    for task in pieces.plan_tasks(LENGTHS, GRID):
        assert sum(piece.bases(GRID) for piece in task) <= pieces.TASK_BASES


def test_the_bases_of_all_pieces_are_those_of_the_sequences() -> None:
    total = sum(piece.bases(GRID) for piece in pieces.split_sequences(LENGTHS, GRID))
    assert total == sum(length for length in LENGTHS.values() if length >= 240)
