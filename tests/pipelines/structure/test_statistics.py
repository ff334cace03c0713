import json
from collections import Counter
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.genome.sequence import base_codes, reverse_complement
from pipelines.structure import genes, states, statistics
from pipelines.structure.label import label
from pipelines.structure.rules import LabelRules
from tests.hypothesis_profiles import examples
from tests.pipelines.structure.random_annotation import annotation


def _random(seed: int) -> tuple[np.ndarray, np.ndarray, str]:
    letters, annotated = annotation(seed)
    codes = base_codes(np.frombuffer(letters.encode(), np.uint8))
    return label(annotated, codes, 0, len(codes), LabelRules()).packed, codes, letters


@examples(100)
@given(st.integers(0, 1 << 32))
def test_statistics_equal_those_of_the_genes_one_by_one(seed: int) -> None:
    packed, codes, letters = _random(seed)
    found = statistics.of_stretch(packed, codes)
    whole = genes.whole_genes(packed, "I")
    coding = [_letters(letters, gene.strand, gene.transcripts[0].cds) for gene in whole]
    assert found.genes == Counter(len(gene.transcripts[0].cds) for gene in whole)
    assert found.coding == Counter(map(len, coding))
    assert found.starts == Counter(text[:3] for text in coding)
    assert found.stops == Counter(text[-3:] for text in coding)
    assert found.states.total() == 2 * found.bases == 2 * len(packed)
    # Whole exons and introns may also lie in genes that are cut.
    introns = [_letters(letters, gene.strand, (part,)) for gene in whole for part in gene.transcripts[0].introns]
    assert Counter(map(len, introns)) <= found.introns
    assert Counter(f"{text[:2]}-{text[-2:]}" for text in introns) <= found.splice_pairs
    assert Counter(end - start for gene in whole for start, end in gene.transcripts[0].cds) <= found.exons
    assert found.introns.total() == found.splice_pairs.total()


@examples(100)
@given(st.integers(0, 1 << 32), st.integers(1, 80))
def test_statistics_are_the_same_in_pieces_of_any_length_and_in_the_same_order(seed: int, bases: int) -> None:
    packed, codes, _ = _random(seed)
    whole = statistics.of_stretch(packed, codes)
    in_pieces = statistics.of_pieces(packed, lambda start, end: codes[start:end], bases)
    assert in_pieces == whole
    assert json.dumps(in_pieces.document()) == json.dumps(whole.document())
    for name in ("splice_pairs", "starts", "stops", "genes"):
        assert list(getattr(in_pieces, name)) == list(getattr(whole, name))


@examples(50)
@given(st.integers(0, 1 << 32), st.integers(1, 80))
def test_pieces_cover_a_stretch_and_are_cut_where_no_gene_is(seed: int, bases: int) -> None:
    packed, _, _ = _random(seed)
    cut = list(statistics.pieces(packed, bases))
    assert [start for start, _ in cut] == [0, *(end for _, end in cut[:-1])]
    assert cut[-1][1] == len(packed)
    for start, end in cut[:-1]:
        assert end - start >= bases
        assert not packed[end - 1 : end + 1].any()
        later = packed[start + bases - 1 : end]
        assert not any((later[1:] == 0) & (later[:-1] == 0)), "the first place where it may be cut"


def _letters(letters: str, strand: str, parts: tuple[tuple[int, int], ...]) -> str:
    text = "".join(letters[start:end] for start, end in parts).encode()
    return bytes(reverse_complement(np.frombuffer(text, np.uint8)) if strand == "-" else text).decode()


@given(st.lists(st.sampled_from([0, 0, 0, 2, 8]), max_size=30))
def test_intergenic_lengths_are_of_runs_between_known_bases(forward: list[int]) -> None:
    runs = [(state, len(list(run))) for state, run in groupby(forward)]
    expected = [
        length
        for at, (state, length) in enumerate(runs)
        if state == 0 and 0 < at < len(runs) - 1 and 8 not in (runs[at - 1][0], runs[at + 1][0])
    ]
    strand = np.array(forward, np.uint8)
    for packed in (states.pack(strand, strand * 0), states.pack(strand * 0, strand)):
        assert statistics.of_stretch(packed, strand * 0).intergenic == Counter(expected)


def test_the_statistics_of_stretches_add_up() -> None:
    both = [statistics.of_stretch(*_random(seed)[:2], Counter(partial=2)) for seed in (1, 2)]
    total = sum(both, statistics.Statistics())
    assert total.bases == 600
    assert total.exons == both[0].exons + both[1].exons
    assert total.masked == {"partial": 4}


@given(st.lists(st.integers(1, 50), min_size=1))
def test_quantiles_are_the_least_lengths_that_reach_their_share(lengths: list[int]) -> None:
    found = statistics.summary(Counter(lengths))
    assert found["count"] == len(lengths)
    assert found["mean"] == pytest.approx(np.mean(lengths))
    assert [found["min"], found["max"]] == [min(lengths), max(lengths)]
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert found[str(share)] == np.quantile(lengths, share, method="inverted_cdf")


def test_a_document_gives_shares_of_states_and_reasons() -> None:
    packed = np.array([0, 0, 8, 8], np.uint8)
    document = statistics.of_stretch(packed, packed * 0, Counter(partial=2)).document()
    assert document["states"] == {"intergenic": 0.75, "masked": 0.25}
    assert document["masked"] == {"partial": 0.25}
    assert document["exons"] == {"count": 0}
