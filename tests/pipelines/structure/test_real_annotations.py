import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipelines.gene_models import reader
from pipelines.gene_models.coding import coding_letters
from pipelines.gene_models.genetic_code import genetic_code
from pipelines.gene_models.validity import defects
from pipelines.genome.fasta import Genome, open_genome
from pipelines.genome.sequence import base_codes
from pipelines.progress import Silent
from pipelines.structure import genes, states
from pipelines.structure.label import SELECTION, label
from pipelines.structure.rules import LabelRules

DATA = os.environ.get("RAYGENE_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="RAYGENE_DATA is not set: it names the folder of real genomes")


@pytest.mark.parametrize(
    ("name", "labelled", "whole"), [("at1pct", 343, 342), ("ce1pct", 154, 153), ("dm1pct", 76, 75)]
)
def test_whole_genes_of_real_annotations_come_back_and_translate(name: str, labelled: int, whole: int) -> None:
    folder = Path(str(DATA)) / "one_percent_builds"
    genome: Genome = open_genome(name, folder / f"{name}.fa.gz", Silent())
    found = reader.read(folder / f"{name}.gff3.gz", genome.lengths, SELECTION)
    counts: Counter[str] = Counter()
    for chromosome, length in genome.lengths.items():
        own = [gene for gene in found.genes if gene.chromosome == chromosome]
        codes = base_codes(genome.sequence(chromosome, 0, length))
        result = label(own, codes, 0, length, LabelRules())
        counts += result.genes
        masked = sum(int((strand == states.MASKED).sum()) for strand in states.unpack(result.packed))
        assert masked == result.bases.total()
        annotated = {(gene.strand, one.cds) for gene in own for one in gene.transcripts if one.cds}
        for gene in genes.whole_genes(result.packed, chromosome):
            transcript = gene.transcripts[0]
            counts["whole"] += 1
            assert (gene.strand, transcript.cds) in annotated
            assert not defects(transcript, coding_letters(gene, transcript, genome.sequence), genetic_code(1))
    assert counts["labelled"] == labelled
    assert counts["whole"] == whole
    assert counts.total() - whole == len(found.genes)


def test_no_base_is_labelled_without_genes() -> None:
    assert not label([], np.zeros(9, np.uint8), 0, 9, LabelRules()).packed.any()
