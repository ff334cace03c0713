"""A look at the `<unk>` tokens of what is to be scored, before it is scored.

The probability of a sequence of mostly unknown tokens says nothing. A sample of the intervals is encoded, which costs
well under a second; a dataset counts its `<unk>` tokens while it is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.config import TokenizerConfig
from pipelines.genome import sequence
from pipelines.genome.labelled import Sequences
from pipelines.progress import Progress
from pipelines.tokens import unknown_share
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import UNK

INTERVALS, BASES = 1_000, 1 << 23
Place = tuple[str, int, int, str]
"""Chromosome, start, end and strand."""


def check(source: str, places: Sequence[Place], genome: Sequences, tokenizer: Tokenizer, progress: Progress) -> None:
    """Warn of intervals of which many tokens are `<unk>`, and refuse them where most are.

    Up to `INTERVALS` of them, evenly spaced, and their first bases, `BASES` in all, are looked at.

    Args:
        source: what is scored, for messages.
        places: the intervals.
        genome: gives the bases.
        tokenizer: of the model.
        progress: shows the warning.

    Raises:
        InputError: a larger share than the default of `tokenizer.max_unknown`.
    """
    chosen = np.unique(np.linspace(0, len(places) - 1, min(INTERVALS, len(places))).astype(np.int64))
    longest = max(BASES // max(len(chosen), 1), tokenizer.k)
    pieces = []
    for chromosome, start, end, strand in (places[index] for index in chosen.tolist()):
        letters = genome.sequence(chromosome, start, min(end, start + longest))
        pieces.append(sequence.base_codes(sequence.reverse_complement(letters) if strand == "-" else letters))
    _check(source, pieces, tokenizer, progress)


def check_windows(
    source: str,
    lengths: Mapping[str, int],
    window: int,
    max_unknown_letters: float,
    genome: Sequences,
    tokenizer: Tokenizer,
    progress: Progress,
) -> None:
    """As `check`, for windows spread evenly over sequences, without those that are left unscored.

    Args:
        source: what is scored, for messages.
        lengths: bases of each sequence, at least 1; one shorter than a window is looked at as a whole.
        window: bases.
        max_unknown_letters: share of other letters than A, C, G and T above which a window has no score.
        genome: gives the bases.
        tokenizer: of the model.
        progress: shows the warning.

    Raises:
        InputError: as for `check`.
    """
    names, sizes = list(lengths), np.array(list(lengths.values()), np.int64)
    ends = np.cumsum(sizes)
    positions = np.unique(np.linspace(0, int(sizes.sum()) - 1, min(INTERVALS, int(sizes.sum()))).astype(np.int64))
    pieces = []
    for position, number in zip(positions.tolist(), np.searchsorted(ends, positions, "right").tolist(), strict=True):
        start = max(min(position - int(ends[number] - sizes[number]), int(sizes[number]) - window), 0)
        pieces.append(sequence.base_codes(genome.sequence(names[number], start, start + window)))
    scored = [codes for codes in pieces if (codes == sequence.OTHER).mean() <= max_unknown_letters]
    if not scored:
        progress.warn(f"{source}: no window that was looked at has a score: most of its letters are unknown")
    _check(source, scored, tokenizer, progress)


def _check(source: str, pieces: list[sequence.Bytes], tokenizer: Tokenizer, progress: Progress) -> None:
    pieces = [piece for piece in pieces if len(piece)]
    if not pieces:
        return
    lengths = np.array([len(piece) for piece in pieces], np.int64)
    tokens, _ = tokenizer.encode_many(np.concatenate(pieces), lengths)
    limits = TokenizerConfig()
    unknown_share.check(source, float((tokens == UNK).mean()), limits.warn_unknown, limits.max_unknown, None, progress)
