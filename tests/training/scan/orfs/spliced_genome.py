"""A made-up genome whose genes have one intron, with motifs that only its annotation tells."""

from __future__ import annotations

import numpy as np

from pipelines.gene_models.model import Gene, Transcript
from pipelines.genome import sequence
from pipelines.genome.sequence import Bytes
from training.scan.grid import Grid
from training.scan.scores import Scores

GRID = Grid(240, 60)
# Not those of any living thing.
DONOR, BRANCH, ACCEPTOR = "CTCGA", "GACATTC", "CTCA"
CODONS = [first + second + third for first in "CG" for second in "ACG" for third in "ACGT"]
STOPS = "TTAATTAATTAA"


def make(genes: int = 60, seed: int = 3) -> tuple[Bytes, Scores, list[Gene]]:
    """Letters, scores of shape (2, bins) and genes on both strands: exons of 90 + `number % 3` and about 700 bases."""
    generator = np.random.default_rng(seed)
    every, found = 2_400, []
    letters = generator.choice(np.frombuffer(b"ACGT", np.uint8), genes * every)
    scores = generator.integers(0, 1_500, (2, GRID.bins(len(letters)))).astype(np.uint16)
    for number in range(genes):
        cut = number % 3
        coding = "ATG" + "".join(generator.choice(CODONS, 264)) + "TAA"
        filling = "".join(generator.choice(list("ACGT"), 60 + number))
        near = "".join(generator.choice(list("ACGT"), 20))
        intron = DONOR + filling + "TAATTAATTAA" + BRANCH + near + ACCEPTOR
        text = STOPS + coding[: 90 + cut] + intron + coding[90 + cut :] + STOPS
        start, is_reverse = every * number + 300, bool(number // 3 % 2)
        read = np.frombuffer(text.encode(), np.uint8)
        letters[start : start + len(read)] = sequence.reverse_complement(read) if is_reverse else read
        first, last = start + len(STOPS), start + len(text) - len(STOPS)
        cds = ((first, first + 90 + cut), (first + 90 + cut + len(intron), last))
        if is_reverse:
            cds = tuple((2 * start + len(text) - end, 2 * start + len(text) - begin) for begin, end in cds[::-1])
        for begin, end in cds:
            scores[int(is_reverse), begin // 60 : -(-end // 60)] = 9_000
        found.append(Gene(f"g{number}", "c", first, last, "+-"[is_reverse], (Transcript("t", cds, cds),)))
    return letters, scores, found
