from __future__ import annotations

import numpy as np
import torch

from pipelines.genome.sequence import Bytes
from pipelines.tokens.tokenizer import Tokenizer
from tests.training.scan.purines import PurineShare
from training import models
from training.config import ModelConfig
from training.inference.scorer import ModelScorer
from training.scan import windows
from training.scan.grid import Grid
from training.scan.pieces import Piece
from training.scan.scores import NO_SCORE, SCALE

FLIP = str.maketrans("ACGTN", "TGCAN")


class OneSequence:
    def __init__(self, text: str) -> None:
        self.letters = np.frombuffer(text.encode(), np.uint8)

    def sequence(self, chromosome: str, start: int, end: int) -> Bytes:
        return self.letters[start:end]


def drawn(length: int, seed: int = 0, alphabet: str = "ACGT") -> str:
    return "".join(np.random.default_rng(seed).choice(list(alphabet), length))


def by_hand(text: str, grid: Grid) -> np.ndarray:
    """Every bin's score on both strands, window by window, as text."""
    size, rows = grid.window, []
    starts = grid.starts(len(text), 0, grid.bins(len(text))).tolist()
    for strand in "+-":
        row = []
        for first in range(0, len(text), grid.stride):
            middle = (first + min(first + grid.stride, len(text)) - 1) // 2
            shares = []
            for start in starts:
                window = text[start : start + size]
                if start <= middle < start + size and sum(letter not in "ACGT" for letter in window) <= size / 2:
                    read = window if strand == "+" else window.translate(FLIP)[::-1]
                    shares.append(sum(letter in "AG" for letter in read) / size)
            row.append(round(float(np.mean(shares)) * SCALE) if shares else int(NO_SCORE))
        rows.append(row)
    return np.array(rows)


def test_scores_are_those_of_windows_cut_and_reverse_complemented_as_text() -> None:
    text, grid = drawn(1013), Grid(100, 30)
    piece = Piece("a", len(text), 0, grid.bins(len(text)))
    actual = windows.score_piece(piece, OneSequence(text), grid, PurineShare())
    assert np.abs(actual.astype(int) - by_hand(text, grid)).max() <= 1


def test_windows_that_are_mostly_unknown_have_no_score() -> None:
    text, grid = drawn(300) + "N" * 400 + drawn(200, 1, "ACGTN"), Grid(100, 25)
    piece = Piece("a", len(text), 0, grid.bins(len(text)))
    actual = windows.score_piece(piece, OneSequence(text), grid, PurineShare())
    expected = by_hand(text, grid)
    assert ((actual == NO_SCORE) == (expected == int(NO_SCORE))).all()
    assert (actual == NO_SCORE).any()
    assert np.abs(actual.astype(int) - expected).max() <= 1


def test_a_sequence_of_unknown_letters_alone_has_no_score() -> None:
    grid = Grid(100, 25)
    scores = windows.score_piece(Piece("a", 500, 0, 20), OneSequence("N" * 500), grid, PurineShare())
    assert np.array_equal(scores, np.full((2, 20), NO_SCORE))


def test_a_model_that_shares_positions_gives_the_scores_of_one_that_reads_each_window() -> None:
    torch.manual_seed(0)
    tokenizer = Tokenizer(3, 1, "anchor")
    config = ModelConfig(embedding=8, hidden=8, stem=8, stem_stride=1, frames=3)
    scorer = ModelScorer(models.make(config, tokenizer.vocabulary_size).eval(), tokenizer)
    text, grid = drawn(1500) + "N" * 300 + drawn(1333, 1, "ACGTN"), Grid(100, 25)
    piece = Piece("a", len(text), 3, grid.bins(len(text)))
    assert scorer.shares_positions(grid.window)
    shared = windows.score_piece(piece, OneSequence(text), grid, scorer)

    class Alone:
        def __call__(self, codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
            return scorer(codes, lengths)

    one_by_one = windows.score_piece(piece, OneSequence(text), grid, Alone())  # type: ignore[arg-type]
    assert ((shared == NO_SCORE) == (one_by_one == NO_SCORE)).all()
    assert np.abs(shared.astype(int) - one_by_one.astype(int)).max() <= 1
