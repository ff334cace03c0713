"""A genome with genes at known places, and a scorer that knows them by their letters."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.genome import sequence
from pipelines.structure import states
from pipelines.structure.states import CDS_0, INTRON_0
from pipelines.tokens.tokenizer import Tokenizer
from training.annotate import scores
from training.annotate.scorer import Span, StructureScorer, Tokens

TOKENIZER = Tokenizer(3, 1, "anchor")
STOPS = ("TAA", "TAG", "TGA")
INTRONS = (31, 44, 60)


@dataclass(frozen=True)
class KnownGene:
    """A gene in reading direction: its letters, and the state of each of them."""

    letters: str
    states: NDArray[np.uint8]


def make_gene(generator: np.random.Generator) -> KnownGene:
    """A gene of up to three exons, with introns in any phase."""

    def codon() -> str:
        while (drawn := "".join(generator.choice(list("ACGT"), 3))) in STOPS:
            pass
        return drawn

    coding = "ATG" + "".join(codon() for _ in range(int(generator.integers(40, 90)))) + "TAA"
    cuts = sorted(generator.choice(np.arange(20, len(coding) - 20), int(generator.integers(0, 3)), replace=False))
    letters, labels, first = "", list[int](), 0
    for number, cut in enumerate([*map(int, cuts), len(coding)]):
        letters += coding[first:cut]
        labels += [CDS_0 + base % 3 for base in range(first, cut)]
        if cut < len(coding):
            intron = "GTAAGT" + "".join(generator.choice(list("ACGT"), INTRONS[number] - 8)) + "AG"
            letters += intron
            labels += [INTRON_0 + cut % 3] * len(intron)
        first = cut
    return KnownGene(letters, np.array(labels, np.uint8))


def genes(count: int, seed: int = 7) -> list[KnownGene]:
    """Genes that differ from each other."""
    generator = np.random.default_rng(seed)
    return [make_gene(generator) for _ in range(count)]


def turned(letters: str) -> str:
    return sequence.reverse_complement(np.frombuffer(letters.encode(), np.uint8)).tobytes().decode()


def write_genome(path: Path, known: Sequence[KnownGene], names: Sequence[str], spacing: int = 900) -> dict[str, int]:
    """Write the genes to a FASTA file, dealt to sequences, on strands in turn; return the number on each sequence."""
    generator = np.random.default_rng(1)
    counts = dict.fromkeys(names, 0)
    with path.open("w") as stream:
        for number, name in enumerate(names):
            parts = []
            for index, gene in enumerate(known[number :: len(names)]):
                parts += [
                    "".join(generator.choice(list("ACGT"), spacing)),
                    gene.letters if index % 2 else turned(gene.letters),
                ]
                counts[name] += 1
            stream.write(f">{name} of {len(known)}\n{''.join(parts)}{'ACCT' * 100}\n")
    return counts


@dataclass(frozen=True)
class KnownGenes(StructureScorer):
    """Scores bases of known genes with certainty, and all others as intergenic.

    Attributes:
        known: the genes.
        seconds: it waits for each tile, to be slow enough for a test.
    """

    known: Sequence[KnownGene] = field(default=())
    seconds: float = 0.0

    @classmethod
    def of(cls, known: Sequence[KnownGene], seconds: float = 0.0) -> KnownGenes:
        return cls(torch.nn.Identity(), TOKENIZER, known=known, seconds=seconds)

    def __call__(
        self, tiles: Sequence[Tokens], spans: Sequence[Span] | None = None
    ) -> Iterator[tuple[int, scores.Packed]]:
        letters = np.array(list("ACGTN"))
        for number, tile in enumerate(tiles):
            time.sleep(self.seconds)
            text = "".join(letters[self.tokenizer.letters[tile][:, 1]])
            first, last = spans[number] if spans else (0, len(tile))
            yield number, scores.pack(torch.from_numpy(self._scores(text)[..., first:last]))

    def _scores(self, text: str) -> NDArray[np.float32]:
        certain = np.full((2, scores.PLANES, len(text)), np.log(0.01 / 7), np.float32)
        certain[:, 8:] = -6
        on_strand = [np.zeros(len(text), np.uint8) for _ in range(2)]
        for gene in self.known:
            for strand, wanted in enumerate((gene.letters, turned(gene.letters))):
                at = text.find(wanted)
                if at < 0:
                    continue
                labels = gene.states if strand == 0 else gene.states[::-1]
                on_strand[strand][at : at + len(labels)] = labels
                is_intron = np.concatenate([[False], gene.states >= INTRON_0, [False]]).astype(int)
                donors, acceptors = (
                    np.flatnonzero(np.diff(is_intron) == 1),
                    np.flatnonzero(np.diff(is_intron) == -1) - 1,
                )
                sites = {states.START: [0], states.STOP: [len(labels) - 1]}
                sites |= {states.DONOR: donors.tolist(), states.ACCEPTOR: acceptors.tolist()}
                for site, places in sites.items():
                    for place in places:
                        base = at + (place if strand == 0 else len(labels) - 1 - place)
                        certain[strand, 8 + site, base] = 6
        for strand, labels in enumerate(on_strand):
            certain[strand, labels, np.arange(len(text))] = np.log(0.99)
        return certain
