from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import InputError
from pipelines.gene_models.model import Gene, Transcript
from training.scan.grid import Grid
from training.scan.orfs import fit, models
from training.scan.orfs.settings import FrameSettings

GRID = Grid(240, 60)
GENES = 80
STOPS = "TTAATTAATTAA"


def made_up() -> tuple[np.ndarray, np.ndarray, list[Gene]]:
    """A random sequence with genes of 600 bases on both strands that the scores know, half as many without a score."""
    generator = np.random.default_rng(5)
    letters = generator.choice(np.frombuffer(b"ACGT", np.uint8), GENES * 1_200)
    scores = generator.integers(0, 1_500, (2, GRID.bins(len(letters)))).astype(np.uint16)
    codons = [first + second + third for first in "CG" for second in "ACG" for third in "ACGT"]
    complement = str.maketrans("ACGT", "TGCA")
    genes = []
    for number in range(GENES):
        start, strand = 1_200 * number + 300, number % 2
        text = "ATG" + "".join(generator.choice(codons, 198)) + "TAA"
        text = text[::-1].translate(complement) if strand else text
        # Stop codons in every frame on either side, so that no frame of chance is part of the gene's.
        letters[start - 12 : start + 612] = np.frombuffer(f"{STOPS}{text}{STOPS}".encode(), np.uint8)
        if number % 3:
            scores[strand, start // 60 : (start + 600) // 60] = 9_000
            span = ((start, start + 600),)
            genes.append(Gene(f"g{number}", "c", start, start + 600, "+-"[strand], (Transcript("t", span, span),)))
    return letters, scores, genes


def test_weights_fitted_to_genes_find_them_again() -> None:
    letters, scores, genes = made_up()
    result = fit.fit([("c", letters, scores)], genes, GRID, FrameSettings())
    assert result.genes == len(genes)
    assert min(result.exact_f1, result.base_f1) > 0.9
    assert result.weights.own > 0
    found, _ = models.find(letters, scores, GRID, FrameSettings(weights=result.weights))
    exact = {(gene.start, gene.end) for gene in genes} & set(
        zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    )
    assert len(exact) / (len(genes) + len(found.starts)) * 2 == pytest.approx(result.exact_f1)


def test_the_same_sequences_give_the_same_weights() -> None:
    letters, scores, genes = made_up()
    results = [fit.fit([("c", letters, scores)], genes, GRID, FrameSettings()) for _ in range(2)]
    assert results[0] == results[1]


def test_an_annotation_with_few_coding_genes_there_is_refused() -> None:
    letters, scores, genes = made_up()
    with pytest.raises(InputError, match=r"9 coding sequences are annotated on c: too few to fit weights"):
        fit.fit([("c", letters, scores)], genes[:9], GRID, FrameSettings())


def test_genes_with_introns_are_counted_among_those_that_code() -> None:
    spliced = Transcript("t", ((0, 9), (20, 30)), ((0, 9), (20, 30)))
    untranslated = Transcript("t", ((0, 9), (20, 30)), ((0, 9),))
    rna = Transcript("t", ((0, 9), (20, 30)))
    genes = [Gene("g", "c", 0, 30, "+", (one,)) for one in (spliced, untranslated, rna)]
    assert fit.count_introns(genes) == fit.IntronCount(2, 1)
