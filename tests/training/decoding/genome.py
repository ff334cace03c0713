"""A small genome with genes that are valid by construction, and its labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.sequence import base_codes, reverse_complement
from pipelines.structure import states
from pipelines.structure.states import CDS_0, INTRON_0, States

_SENSE = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in ("TAA", "TAG", "TGA")]


def genome(seed: int, genes: int) -> tuple[States, NDArray[np.uint8]]:
    """Packed states and base codes of a sequence with genes of both strands, most of them with introns."""
    draw = np.random.default_rng(seed)
    letters: list[NDArray[np.uint8]] = []
    labels: list[tuple[States, States]] = []
    for _ in range(genes):
        space = _random(draw, int(draw.integers(40, 200)))
        letters.append(space)
        labels.append((np.zeros(len(space), np.uint8), np.zeros(len(space), np.uint8)))
        gene, own = _gene(draw)
        other = np.zeros(len(own), np.uint8)
        if draw.random() < 0.5:
            letters.append(gene)
            labels.append((own, other))
        else:
            letters.append(reverse_complement(gene))
            labels.append((other, own[::-1]))
    space = _random(draw, 100)
    letters.append(space)
    labels.append((np.zeros(len(space), np.uint8), np.zeros(len(space), np.uint8)))
    packed = states.pack(*(np.concatenate(strand) for strand in zip(*labels, strict=True)))
    return packed, base_codes(np.concatenate(letters))


def overlapping(copies: int) -> tuple[States, NDArray[np.uint8]]:
    """Packed states and base codes of pairs of genes of opposite strands that share 66 bases."""
    space, left, shared, right = "C" * 99, "TTA" + "GCA" * 30, "ATG" + "GCA" * 20 + "CAT", "GCA" * 30 + "TAA"
    text = "".join([space, left, shared, right] * copies)
    first, middle, last = len(space), len(space) + len(left), len(space + left + shared)
    own = np.zeros((2, len(text) // copies), np.uint8)
    own[0, middle:] = CDS_0 + np.arange(len(shared + right)) % 3
    own[1, first:last] = CDS_0 + np.arange(len(left + shared))[::-1] % 3
    forward, reverse = np.tile(own, copies)
    return states.pack(forward, reverse), base_codes(np.frombuffer(text.encode(), np.uint8))


def _gene(draw: np.random.Generator) -> tuple[NDArray[np.uint8], States]:
    coding = "ATG" + "".join(draw.choice(_SENSE, int(draw.integers(20, 120))).tolist()) + "TAA"
    cuts = sorted(set(draw.integers(10, len(coding) - 10, int(draw.integers(0, 4))).tolist()))
    cuts = [cut for before, cut in zip([0, *cuts], cuts, strict=False) if cut - before >= 10]
    letters, own, start = [], [], 0
    for cut in [*cuts, len(coding)]:
        letters.append(np.frombuffer(coding[start:cut].encode(), np.uint8))
        own.append(CDS_0 + np.arange(start, cut) % 3)
        start = cut
        if cut < len(coding):
            intron = _random(draw, int(draw.integers(30, 90)))
            intron[:2], intron[-2:] = np.frombuffer(b"GT", np.uint8), np.frombuffer(b"AG", np.uint8)
            letters.append(intron)
            own.append(np.full(len(intron), INTRON_0 + cut % 3))
    return np.concatenate(letters), np.concatenate(own).astype(np.uint8)


def _random(draw: np.random.Generator, length: int) -> NDArray[np.uint8]:
    return draw.choice(np.frombuffer(b"ACGT", np.uint8), length)
