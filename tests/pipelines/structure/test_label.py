from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.gene_models.model import Gene, Transcript
from pipelines.genome.sequence import base_codes
from pipelines.structure import states
from pipelines.structure.label import BASE_REASONS, label
from pipelines.structure.rules import LabelRules
from tests.hypothesis_profiles import examples
from tests.pipelines.structure.random_annotation import annotation

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


def test_two_genes_that_touch_at_the_end_of_a_piece_are_masked_there_as_anywhere() -> None:
    letters = "ATGGCTTAA" * 2
    genes = [_gene(((0, 9),)), _gene(((9, 18),))]
    for border in (8, 9, 10):
        pieces = [
            label(genes, _codes(letters), *ends, LabelRules(), stretch=(0, 18)) for ends in ((0, border), (border, 18))
        ]
        forward = [*states.unpack(pieces[0].packed)[0], *states.unpack(pieces[1].packed)[0]]
        assert [base for base, state in enumerate(forward) if state == states.MASKED] == [8, 9]


def _reason(gene: Gene, letters: str, stretch: tuple[int, int]) -> str:
    """Why a gene is masked, or `labelled`."""
    transcript = gene.transcripts[0]
    if not transcript.cds:
        return {"ncrna_gene": "noncoding", "pseudogene": "pseudogene", "gene": "no_cds"}[gene.kind]
    low, high = min(gene.start, transcript.start), max(gene.end, transcript.end)
    if low < stretch[0] or high > stretch[1]:
        return "crosses_a_border"
    if gene.strand == ".":
        return "no_strand"
    for remark in ("trans_splicing", "ribosomal_slippage", "exception"):
        if remark in gene.remarks:
            return remark
    if transcript.is_partial_start or transcript.is_partial_stop:
        return "partial"
    positions = _positions(gene)
    if len(set(positions)) < len(positions):
        return "overlapping_cds_parts"
    in_exons = {base for start, end in transcript.exons for base in range(start, end)}
    if not set(positions) <= in_exons:
        return "cds_outside_of_exons"
    steps = [abs(after - before) for before, after in pairwise(positions)]
    if any(1 < step <= 10 for step in steps):
        return "short_intron"
    coding = _read(gene, letters, positions)
    codons = [coding[at : at + 3] for at in range(0, len(coding), 3)]
    stops = ("TAA", "TAG", "TGA")
    if len(coding) % 3:
        return "cds_not_multiple_of_three"
    if any(codon in stops for codon in codons[:-1]):
        return "inner_stop"
    if codons[0] not in ("ATG", "CTG", "TTG"):
        return "no_start_codon"
    return "labelled" if codons[-1] in stops else "no_stop_codon"


def _positions(gene: Gene) -> list[int]:
    """The coding bases in reading direction."""
    bases = [base for start, end in gene.transcripts[0].cds for base in range(start, end)]
    return bases[::-1] if gene.strand == "-" else bases


def _read(gene: Gene, letters: str, positions: list[int]) -> str:
    text = "".join(letters[base] for base in positions)
    return text.translate(str.maketrans("ACGT", "TGCA")) if gene.strand == "-" else text


def _claims(gene: Gene, letters: str) -> tuple[dict[int, int], set[int]]:
    """The state of every base of a labelled gene from its first coding one to its last, and ends of unusual introns."""
    positions = _positions(gene)
    claims = {base: states.CDS_0 + number % 3 for number, base in enumerate(positions)}
    unusual: set[int] = set()
    for number, (before, after) in enumerate(pairwise(positions)):
        step = 1 if after > before else -1
        intron = list(range(before + step, after, step))
        claims |= dict.fromkeys(intron, states.INTRON_0 + (number + 1) % 3)
        if intron:
            text = _read(gene, letters, intron)
            if text[:2] + text[-2:] not in ("GTAG", "GCAG", "ATAC"):
                unusual |= {*intron[:2], *intron[-2:]}
    return claims, unusual


def _slow_labels(
    genes: list[Gene], letters: str, start: int, end: int, rules: LabelRules, excluded: tuple[int, int]
) -> tuple[list[int], dict]:
    """States of both strands, one after the other, and why bases are masked, looked at base by base."""
    reasons = [(gene, _reason(gene, letters, (start, end))) for gene in genes]
    masking = {"noncoding": rules.noncoding == "mask", "pseudogene": rules.pseudogenes == "mask"}
    result: list[int] = []
    counts: dict[str, int] = {}
    for strand in "+-":
        labelled = [gene for gene, reason in reasons if reason == "labelled" and gene.strand == strand]
        claims = [_claims(gene, letters) for gene in labelled]
        borders = [(min(of_gene), max(of_gene) + 1) for of_gene, _ in claims]
        for base in range(start, end):
            own = {of_gene[base] for of_gene, _ in claims if base in of_gene}
            utr = {_utr(gene, base) for gene in labelled} - {None} if rules.utr == "keep" else set()
            why = []
            if letters[base] == "N":
                why.append("not_acgt")
            if excluded[0] <= base < excluded[1]:
                why.append("excluded")
            if len(own) > 1 or (utr and own & {states.INTRON_0, states.INTRON_1, states.INTRON_2}):
                why.append("overlapping_genes")
            lows, highs = {low for low, _ in borders}, {high for _, high in borders}
            if base in lows & highs or base + 1 in lows & highs:
                why.append("touching_genes")
            if any(base in unusual for _, unusual in claims):
                why.append("unusual_splice_pair")
            if not own and "utr_intron" in utr:
                why.append("utr_intron")
            elif not own and not utr:
                why += sorted(
                    {
                        reason
                        for gene, reason in reasons
                        if reason != "labelled"
                        and masking.get(reason, True)
                        and gene.strand in (strand, ".")
                        and min(gene.start, gene.transcripts[0].start) <= base
                        and base < max(gene.end, gene.transcripts[0].end)
                    },
                    key=BASE_REASONS.index,
                )
            if why:
                counts[why[0]] = counts.get(why[0], 0) + 1
            result.append(states.MASKED if why else next(iter(own), states.UTR if utr else states.INTERGENIC))
    return result, counts


def _utr(gene: Gene, base: int) -> str | None:
    transcript = gene.transcripts[0]
    if transcript.cds[0][0] <= base < transcript.cds[-1][1] or not transcript.start <= base < transcript.end:
        return None
    return "utr" if any(start <= base < end for start, end in transcript.exons) else "utr_intron"


@examples(150)
@given(
    seed=st.integers(0, 1 << 32),
    utr=st.sampled_from(["intergenic", "keep"]),
    mask=st.sampled_from(["mask", "intergenic"]),
    border=st.integers(150, 300),
    excluded=st.tuples(st.integers(0, 300), st.integers(0, 120)).map(lambda span: (span[0], span[0] + span[1])),
)
def test_labels_equal_those_found_base_by_base(
    seed: int, utr: str, mask: str, border: int, excluded: tuple[int, int]
) -> None:
    letters, genes = annotation(seed)
    rules = LabelRules(utr=utr, pseudogenes=mask, noncoding=mask)  # type: ignore[arg-type]
    labelled = label(genes, _codes(letters), 0, border, rules, excluded=np.array([excluded]))
    expected, counts = _slow_labels(genes, letters, 0, border, rules, excluded)
    assert [*states.unpack(labelled.packed)[0], *states.unpack(labelled.packed)[1]] == expected
    assert labelled.bases == counts
    reasons = [_reason(gene, letters, (0, border)) for gene in genes if gene.start < border]
    spans = [gene.extent for gene in genes if gene.start < border]
    for number, (low, high) in enumerate(spans):
        if reasons[number] == "labelled" and excluded[0] <= low and high <= excluded[1]:
            reasons[number] = "excluded"
    assert labelled.genes == {reason: reasons.count(reason) for reason in set(reasons)}


@examples(50)
@given(seed=st.integers(0, 1 << 32), borders=st.lists(st.integers(20, 280), min_size=1, max_size=4, unique=True))
def test_pieces_of_a_stretch_have_the_labels_of_the_whole(seed: int, borders: list[int]) -> None:
    letters, genes = annotation(seed)
    codes, rules = _codes(letters), LabelRules(utr="keep", noncoding="mask")
    whole = label(genes, codes, 0, 300, rules)
    ends = [0, *sorted(borders), 300]
    pieces = [label(genes, codes, low, high, rules, stretch=(0, 300)) for low, high in pairwise(ends)]
    assert np.concatenate([piece.packed for piece in pieces]).tolist() == whole.packed.tolist()
    assert sum((piece.bases for piece in pieces), Counter()) == whole.bases
    assert sum((piece.genes for piece in pieces), Counter()) == whole.genes
