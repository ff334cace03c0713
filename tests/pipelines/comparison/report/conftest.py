from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.comparison.analysis import Analysis, analyse
from pipelines.comparison.bootstrap import Resampling
from pipelines.comparison.compare import compare
from pipelines.gene_models.model import Gene, Transcript
from pipelines.genome import fasta
from pipelines.progress import Silent

Make = Callable[..., Analysis]


def gene(name: str, *exons: tuple[int, int], strand: str = "+", chromosome: str = "a") -> Gene:
    """A coding gene: all bases of its exons are CDS."""
    transcript = Transcript(f"{name}.t", exons, exons)
    return Gene(name, chromosome, exons[0][0], exons[-1][1], strand, (transcript,), "protein_coding")


def annotated_genes() -> list[Gene]:
    """Forty genes on two sequences: every fourth has two introns, the last are on the reverse strand."""
    genes = []
    for number in range(40):
        start = 1000 * (number // 2) + 100
        exons = [(start, start + 300 + 10 * number)]
        if number % 4 == 0:
            exons = [(start, start + 60), (start + 120, start + 210), (start + 300, start + 390)]
        genes.append(gene(f"g{number}", *exons, strand="+-"[number >= 24], chromosome="ab"[number % 2]))
    return genes


def with_mistakes(genes: list[Gene]) -> list[Gene]:
    """Calls of which one fuses, two split, one is on the wrong strand, one invented, and some genes are missed."""
    exons_of = {one.gene_id: one.transcripts[0].exons for one in genes}
    kept = [one for number, one in enumerate(genes) if number not in (1, 3, 5, 7, 12, 16) and number % 5]
    (first, last), (split_start, split_end) = exons_of["g1"][0], exons_of["g7"][0]
    return [
        *kept,
        gene("fuses", (first, last), exons_of["g3"][0], chromosome="b"),
        gene("left", (split_start, split_start + 90), chromosome="b"),
        gene("right", (split_end - 90, split_end), chromosome="b"),
        gene("wrong", exons_of["g16"][0], strand="-", chromosome="a"),
        gene("invents", (900, 990), chromosome="b"),
    ]


@pytest.fixture(scope="session")
def make_analysis(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes an analysis of call sets on two sequences of which a half is soft-masked."""
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    letters = ("ACGT" * 125 + "acgt" * 125) * 22
    path.write_text(f">a\n{letters}\n>b\n{letters}\n")
    genome = fasta.open_genome("genome", Path(path), Silent())

    def make(call_sets: dict[str, list[Gene]], genes: list[Gene] | None = None, samples: int = 20) -> Analysis:
        annotated = annotated_genes() if genes is None else genes
        return analyse(compare(annotated, call_sets, genome.lengths), genome, Resampling(samples=samples))

    return make


@pytest.fixture(scope="session")
def two(make_analysis: Make) -> Analysis:
    """A call set with mistakes, and one that is the annotation."""
    return make_analysis({"caller": with_mistakes(annotated_genes()), "perfect": annotated_genes()})
