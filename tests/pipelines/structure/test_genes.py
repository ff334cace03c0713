import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.genome.sequence import base_codes
from pipelines.structure import genes, states
from pipelines.structure.label import label
from pipelines.structure.rules import LabelRules
from tests.hypothesis_profiles import examples
from tests.pipelines.structure.random_annotation import annotation


def _slow_genes(strand: list[int]) -> list[list[int]]:
    """The coding bases of every whole gene of one strand in reading direction, base by base."""
    found, coding = [], []
    before = states.MASKED
    for base, state in enumerate(strand):
        in_gene = bool(coding)
        last = strand[coding[-1]] if coding else None
        if state in (states.CDS_0, states.CDS_1, states.CDS_2):
            if state == states.CDS_0 and before in (states.INTERGENIC, states.UTR):
                coding = [base]
            elif in_gene and (state - states.CDS_0) == (last - states.CDS_0 + 1) % 3:
                coding.append(base)
            else:
                coding = []
        elif state in (states.INTRON_0, states.INTRON_1, states.INTRON_2):
            if not in_gene or state - states.INTRON_0 != (last - states.CDS_0 + 1) % 3:
                coding = []
        else:
            if in_gene and before == states.CDS_2 and state != states.MASKED:
                found.append(coding)
            coding = []
        before = state
    return found


_GENE = [states.CDS_0, states.CDS_1, states.CDS_2]
_PIECES = st.sampled_from(
    [[0], [1], [8], _GENE, [*_GENE, *_GENE], [2, 6, 6, 3, 7, 4], [2, 3, 4, 5, 2, 3, 4], [5], [6], [7], [2], [3], [4]]
)


@examples(300)
@given(st.lists(_PIECES, max_size=12).map(lambda pieces: [state for piece in pieces for state in piece]))
def test_whole_genes_are_those_read_base_by_base(forward: list[int]) -> None:
    strand = np.array(forward, np.uint8)
    packed = states.pack(strand, strand[::-1])
    found = genes.whole_genes(packed, "I", 100)
    for sign in "+-":
        own = [gene.transcripts[0].cds for gene in found if gene.strand == sign]
        bases = [[base - 100 for low, high in cds for base in range(low, high)] for cds in own]
        expected = _slow_genes(forward)
        if sign == "-":
            expected = sorted([len(forward) - 1 - base for base in reversed(gene)] for gene in expected)
        assert bases == expected


@examples(50)
@given(st.integers(0, 1 << 32))
def test_exons_and_introns_of_whole_genes_are_whole(seed: int) -> None:
    letters, annotated = annotation(seed)
    codes = base_codes(np.frombuffer(letters.encode(), np.uint8))
    packed = label(annotated, codes, 0, len(codes), LabelRules()).packed
    runs = genes.runs(states.unpack(packed)[0])
    assert runs.starts[1:].tolist() == runs.ends[:-1].tolist()
    for first, last in runs.genes():
        assert runs.whole_exons[first : last + 1 : 2].all()
        assert runs.whole_introns[first + 1 : last : 2].all()


def test_an_empty_stretch_has_no_genes() -> None:
    assert genes.whole_genes(np.empty(0, np.uint8), "I") == []
