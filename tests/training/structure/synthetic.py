"""Windows of random tokens and states, as an open dataset has them."""

from __future__ import annotations

import numpy as np
import torch

from pipelines.structure.states import CDS_0, MASKED, pack
from pipelines.tokens.tokenizer import Tokenizer
from training.config import ModelConfig
from training.structure.batch import StructureBatch
from training.structure.windows import Windows

TOKENIZER = Tokenizer(3, 1, "anchor")


def windows(stretches: list[list[int]], seed: int = 0) -> Windows:
    """Windows of the given lengths, stretch by stretch."""
    generator = np.random.default_rng(seed)
    lengths = np.array([length for stretch in stretches for length in stretch])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ends = np.cumsum([sum(stretch) for stretch in stretches])
    bounds = [(end - sum(stretch), end) for stretch, end in zip(stretches, ends, strict=True) for _ in stretch]
    bases = int(offsets[-1])
    return Windows(
        generator.integers(1, TOKENIZER.vocabulary_size, bases).astype(np.uint16),
        pack(*generator.integers(0, MASKED + 1, (2, bases)).astype(np.uint8)),
        offsets,
        np.array(bounds, np.int64),
        (np.arange(len(lengths)) % 2).astype(np.int8),
        TOKENIZER.reverse_complements,
    )


def batch(lengths: list[int], seed: int = 0) -> StructureBatch:
    """Rows of the given lengths."""
    source = windows([[length] for length in lengths], seed)
    counts = np.diff(source.offsets)
    return StructureBatch(
        torch.from_numpy(source.tokens.astype(np.int64)),
        torch.from_numpy(counts),
        torch.from_numpy(source.labels.astype(np.float32)),
        counts,
        torch.from_numpy(source.states),
    )


def row_of(whole: StructureBatch, row: int) -> StructureBatch:
    """One row of a batch alone."""
    end = int(whole.counts[: row + 1].sum())
    bases = slice(end - int(whole.counts[row]), end)
    return StructureBatch(
        whole.tokens[bases],
        whole.lengths[row : row + 1],
        whole.labels[row : row + 1],
        whole.counts[row : row + 1],
        whole.states[bases],
    )


def realistic_states(bases: int, seed: int = 0) -> np.ndarray:
    """States of one strand that follow each other often as they may: genes, introns and masked bases of random size."""
    generator = np.random.default_rng(seed)
    states: list[int] = []
    while len(states) < bases:
        states += [0] * int(generator.integers(1, 5))
        states += [1] * int(generator.integers(0, 3))
        codons = int(generator.integers(1, 5))
        coding = [CDS_0 + number % 3 for number in range(3 * codons)]
        cut = int(generator.integers(1, len(coding)))
        intron = [5 + cut % 3] * int(generator.integers(1, 4))
        states += [*coding[:cut], *intron, *coding[cut:]]
        states += [MASKED] * int(generator.integers(0, 2))
    return np.array(states[:bases], np.uint8)


SMALL = ModelConfig(kind="lstm", embedding=8, hidden=8, stem=12, stem_stride=9, base_channels=8, dropout=0.0)
