import numpy as np

from pipelines.gene_models.model import Gene, Transcript
from pipelines.genome.sequence import base_codes
from pipelines.structure import states
from pipelines.structure.label import label
from pipelines.structure.rules import LabelRules

# ATG GCT [GTAAGTTTTTCAG] AAA TAA with three bases on either side.
GENE = "CCCATGGCGTAAGTTTTTCAGTAAATAACCC"
CDS = ((3, 8), (21, 28))
STATES = [0] * 3 + [2, 3, 4, 2, 3] + [7] * 13 + [4, 2, 3, 4, 2, 3, 4] + [0] * 3


def _gene(cds: tuple[tuple[int, int], ...] = CDS, strand: str = "+", **changed) -> Gene:
    transcript = Transcript("t", cds, cds, kind="mrna", **changed)
    return Gene("g", "I", cds[0][0], cds[-1][1], strand, (transcript,), kind="gene")


def _codes(letters: str) -> np.ndarray:
    return base_codes(np.frombuffer(letters.encode(), np.uint8))


def test_a_gene_gives_its_bases_their_place_in_codons_and_its_introns_their_phase() -> None:
    labelled = label([_gene()], _codes(GENE), 0, 31, LabelRules())
    forward, reverse = states.unpack(labelled.packed)
    assert forward.tolist() == STATES
    assert not reverse.any()
    assert labelled.genes == {"labelled": 1}
    assert not labelled.bases


def test_a_gene_of_the_reverse_strand_reads_backwards() -> None:
    letters = GENE[::-1].translate(str.maketrans("ACGT", "TGCA"))
    cds = tuple((31 - end, 31 - start) for start, end in reversed(CDS))
    labelled = label([_gene(cds, "-")], _codes(letters), 0, 31, LabelRules())
    forward, reverse = states.unpack(labelled.packed)
    assert reverse[::-1].tolist() == STATES
    assert not forward.any()


def test_a_gene_across_the_border_of_a_stretch_is_masked_inside_it() -> None:
    labelled = label([_gene()], _codes(GENE), 0, 20, LabelRules())
    assert states.unpack(labelled.packed)[0].tolist() == [0] * 3 + [states.MASKED] * 17
    assert labelled.genes == {"crosses_a_border": 1}
    assert labelled.bases == {"crosses_a_border": 17}


def test_a_gene_across_the_end_of_a_piece_within_a_stretch_is_labelled_and_counted_once() -> None:
    pieces = [label([_gene()], _codes(GENE), *ends, LabelRules(), stretch=(0, 31)) for ends in ((0, 20), (20, 31))]
    assert [*pieces[0].packed, *pieces[1].packed] == STATES
    assert [piece.genes for piece in pieces] == [{"labelled": 1}, {}]
