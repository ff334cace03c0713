"""Every complete model that is written starts, stops and translates."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.gene_models import coding, validity
from tests.hypothesis_profiles import examples
from training.scan.grid import Grid
from training.scan.orfs import models
from training.scan.orfs.settings import FrameSettings
from training.scan.orfs.writing import ModelFiles, as_gene

GRID = Grid(240, 60)
YEAST = Path(os.environ.get("RAYGENE_DATA", "")) / "saccharomyces_cerevisiae"
FASTA = YEAST / "Saccharomyces_cerevisiae.R64-1-1.dna.toplevel.fa.gz"


def count_defects(letters: np.ndarray, scores: np.ndarray, chosen: FrameSettings) -> tuple[int, int, set[str]]:
    """Numbers of complete and of partial models and of those with a defect, and the strands."""
    found, _ = models.find(letters, scores, GRID, chosen)
    complete = defective = 0
    strands = set()
    for index in range(len(found.starts)):
        gene = as_gene("c", "g", found, index)
        read = coding.coding_letters(gene, gene.transcripts[0], lambda _, start, end: letters[start:end])
        complete += not (gene.transcripts[0].is_partial_start or gene.transcripts[0].is_partial_stop)
        defective += bool(validity.defects(gene.transcripts[0], read, chosen.code()))
        strands.add(gene.strand)
    return complete, defective, strands


def random_scores(generator: np.random.Generator, length: int) -> np.ndarray:
    return generator.integers(3_000, 10_001, (2, GRID.bins(length))).astype(np.uint16)


@examples(40)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4_000),
    st.sampled_from([1, 4, 12]),
    st.sampled_from([("ATG",), ()]),
    st.sampled_from(["ACGT", "ACGTNNNN", "acgtACGTRYSWKM"]),
)
def test_models_of_random_sequences_have_no_defect(
    seed: int, length: int, number: int, starts: tuple[str, ...], alphabet: str
) -> None:
    generator = np.random.default_rng(seed)
    letters = generator.choice(np.frombuffer(alphabet.encode(), np.uint8), length)
    letters[length // 3 : length // 3 + int(generator.integers(0, 30))] = ord("N")
    _, defective, _ = count_defects(
        letters, random_scores(generator, length), FrameSettings(number, starts, shortest=30)
    )
    assert defective == 0


@pytest.mark.skipif(not FASTA.exists(), reason="RAYGENE_DATA has no S. cerevisiae")
@pytest.mark.parametrize("number", [1, *(pytest.param(number, marks=pytest.mark.full) for number in (4, 12))])
def test_models_of_a_chromosome_of_yeast_have_no_defect_on_either_strand(number: int) -> None:
    with gzip.open(FASTA, "rt") as stream:
        text = stream.read().split(">")[1]
    letters = np.frombuffer(text.split("\n", 1)[1].replace("\n", "").encode(), np.uint8)
    scores = random_scores(np.random.default_rng(number), len(letters))
    complete, defective, strands = count_defects(letters, scores, FrameSettings(number))
    assert complete > 50
    assert (defective, strands) == (0, {"+", "-"})


def test_models_are_written_with_proteins_and_coding_sequences_under_their_ids() -> None:
    letters = np.frombuffer(b"TTAATTAATTAA" + b"ATG" + b"GCT" * 299 + b"TAA" + b"TTAATTAATTAA", np.uint8)
    scores = np.full((2, GRID.bins(len(letters))), 9_000, np.uint16)
    chosen = FrameSettings(shortest=60)
    found, values = models.find(letters, scores, GRID, chosen)
    texts = [io.StringIO() for _ in range(5)]
    files = ModelFiles(texts[0], texts[1], texts[2:], chosen.code())
    (gene,) = files.write("chr 1", letters, found, values, [])
    gff3, bed, proteins, cds, gtf = (text.getvalue() for text in texts)
    assert (gene.start, gene.end, files.counts.complete) == (12, 915, 1)
    assert [row.split("\t")[2] for row in gff3.splitlines()] == ["gene", "mRNA", "exon", "CDS"]
    assert bed == "chr 1\t12\t915\traygene_000001\t900\t+\n"
    header, *lines = proteins.splitlines()
    assert header == ">raygene_000001.t1 gene=raygene_000001 chr 1:13-915(+)"
    assert "".join(lines) == "M" + "A" * 299
    assert cds.splitlines()[1].startswith("ATGGCT")
    assert gtf.count("stop_codon") == 1
