from __future__ import annotations

import numpy as np
import pytest

from pipelines.config import TokenizerConfig
from pipelines.errors import InputError
from pipelines.genome.sequence import Bytes
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer
from training.inference import unknown_tokens

TOKENIZER = Tokenizer.from_config(TokenizerConfig(k=3, stride=1))


class Letters:
    def __init__(self, **sequences: str) -> None:
        self.sequences = sequences

    def sequence(self, chromosome: str, start: int, end: int) -> Bytes:
        return np.frombuffer(self.sequences[chromosome].encode(), np.uint8)[start:end]

    @property
    def lengths(self) -> dict[str, int]:
        return {name: len(letters) for name, letters in self.sequences.items()}


class Warnings(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, text: str) -> None:
        self.texts.append(text)


def warnings(genome: Letters, tokenizer: Tokenizer = TOKENIZER, count: int = 1) -> list[str]:
    progress = Warnings()
    places = [(name, 0, length, "-") for name, length in genome.lengths.items()] * count
    unknown_tokens.check("x.fa", places, genome, tokenizer, progress)
    return progress.texts


def test_known_sequences_and_rna_pass_without_a_word() -> None:
    assert warnings(Letters(a="ACGTTGCATT", b="acguacgu", c="A" * 100), count=2_000) == []


def test_a_tenth_of_unknown_tokens_is_told() -> None:
    assert "x.fa: 15% of its tokens" in warnings(Letters(a="A" * 14 + "N" + "A" * 7))[0]


@pytest.mark.parametrize("letters", ["N" * 30, "ACRYACRYACRY", "X" * 10 + "ACGT", "AC"])
def test_mostly_unknown_sequences_are_refused(letters: str) -> None:
    with pytest.raises(InputError, match=r"x\.fa: \d+% of its tokens are <unk>"):
        warnings(Letters(a=letters))


def test_a_vocabulary_without_the_sequences_k_mers_is_refused() -> None:
    counts = np.zeros(TOKENIZER.vocabulary_size, np.int64)
    counts[TOKENIZER.encode("AAA")] = 9
    with pytest.raises(InputError, match="not in the vocabulary"):
        warnings(Letters(a="CCCCCCCCGT"), TOKENIZER.restrict_to_observed(counts, 1))


def test_windows_that_are_left_unscored_do_not_count() -> None:
    progress, genome = Warnings(), Letters(a="N" * 500 + "ACGT" * 25, b="ACGT" * 10)
    unknown_tokens.check_windows("x.fa", genome.lengths, 20, 0.5, genome, TOKENIZER, progress)
    assert progress.texts == []


def test_a_genome_without_a_window_to_score_is_told() -> None:
    progress, genome = Warnings(), Letters(a="N" * 500, b="n" * 40)
    unknown_tokens.check_windows("x.fa", genome.lengths, 20, 0.5, genome, TOKENIZER, progress)
    assert progress.texts == ["x.fa: no window that was looked at has a score: most of its letters are unknown"]
