"""A page with gene models of all kinds, for tests."""

from __future__ import annotations

from pathlib import Path

from pipelines.gene_models.model import Gene
from pipelines.structure import states
from tests.training.annotate.page.genes import gene, spliced
from training.annotate import scores
from training.annotate.outputs import Counts
from training.annotate.page import page
from training.annotate.page.page import PageContents
from training.annotate.score_tasks import score_path
from training.annotate.sequence_scores import SequenceScores

LENGTHS = {"chr1": 40_000, "chr<2>": 20_000}


def genes() -> list[Gene]:
    made = [
        spliced(
            1500 * number,
            number % 4,
            chromosome=name,
            strand="+-"[number % 2],
            score=number % 11 / 10,
            name=f"g{number}",
        )
        for name, count in (("chr1", 25), ("chr<2>", 12))
        for number in range(count)
    ]
    made.insert(25, gene((38_000, 38_200), (38_900, 39_000), name="long intron"))
    return [*made, gene((18_500, 20_000), chromosome="chr<2>", partial=True, name="cut")]


def write(folder: Path, found: list[Gene], counts: Counts | None = None) -> str:
    """The page of genes whose CDS the network is sure of."""
    located = []
    for task, (name, length) in enumerate(LENGTHS.items()):
        packed = scores.certainly_intergenic(length)
        for one in found:
            if one.chromosome == name:
                for start, end in one.transcripts[0].cds:
                    strand = "+-".index(one.strand)
                    packed[strand, states.INTERGENIC, start:end] = 255
                    packed[strand, states.CDS_0, start:end] = 0
        scores.write([packed], score_path(folder, task))
        located.append(SequenceScores(name, length, ((task, 0, 0, length),)))
    contents = PageContents(LENGTHS)
    for one in found:
        contents.add(one)
    provenance = [("model", "m<b>"), ("genome", "g.fa"), ("raygene", "0")]
    path = folder / "page.html"
    page.write(path, contents, counts or Counts(), lambda: found, located, folder, provenance, [("utr", "False")])
    return path.read_text(encoding="utf-8")
