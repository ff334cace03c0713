"""The best path against all parses and against a plain Viterbi."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.structure.states import STATES
from tests.hypothesis_profiles import examples
from tests.training.decoding import oracle
from training.decoding.best_path import BestPath
from training.decoding.grammar import grammar
from training.decoding.scores import Scores
from training.decoding.settings import Minimum, Settings, Weights

FREE = Weights(state=1.0, stop=0.9, donor=1.1, length=0.3, gene=4.0, intron=4.0)
SMALL = Settings(minimum=Minimum(intron=4, exon=3, coding=0), weights=FREE)
MOTIFS = [
    "ATG",
    "CAT",
    "TAA",
    "TTA",
    "TGA",
    "TCA",
    "GT",
    "AG",
    "CT",
    "AC",
    "GC",
    "AT",
    "A",
    "C",
    "G",
    "T",
    "T",
    "G",
    "N",
]


def problem(seed: int, letters: str, settings: Settings, spread: float = 1.5) -> oracle.Problem:
    """A sequence with random scores."""
    draw = np.random.default_rng(seed)
    log_states = draw.normal(0, spread, (len(letters), 2, STATES)).astype(np.float32)
    return oracle.Problem(
        letters, Scores(log_states, draw.normal(0, 2, (len(letters), 2, 4)).astype(np.float32)), settings
    )


def sequence(seed: int, length: int, gaps: bool = True) -> str:
    """Letters in which codons and sites are frequent."""
    draw = np.random.default_rng(seed)
    return "".join(draw.choice(MOTIFS[: None if gaps else -1], length).tolist())[:length]


def decoded(problem: oracle.Problem, pieces: list[int] | None = None) -> tuple[float, list[tuple[int, oracle.Spans]]]:
    """Score and genes of the best path, in pieces that end at some bases."""
    path = BestPath(grammar(problem.settings))
    structures = []
    ends = [*(pieces or []), problem.length]
    for start, end in zip([0, *ends], ends, strict=False):
        structures += path.push(problem.scores.part(start, end), problem.codes[start:end])
    structures += path.finish()
    return path.score, [(structure.strand, structure.exons) for structure in structures]


@given(st.integers(0, 10**9), st.booleans(), st.sampled_from([3, 4, 5, 6]))
@examples(20)
def test_the_best_path_is_the_best_of_all_parses(seed: int, partial: bool, exon: int) -> None:
    minimum = Minimum(intron=4, exon=exon, coding=0)
    case = problem(seed, sequence(seed, 14), SMALL.model_copy(update={"partial": partial, "minimum": minimum}))
    parses = oracle.all_parses(case)
    score, genes = max(parses, key=lambda parse: parse[0])
    found, called = decoded(case)
    assert found == pytest.approx(score)
    assert called == [(gene.strand, gene.exons) for gene in genes]


@given(
    st.integers(0, 10**9),
    st.booleans(),
    st.booleans(),
    st.sampled_from([(4, 3), (5, 4), (7, 9), (20, 14), (4, 21)]),
    st.sampled_from([1, 2, 6, 27]),
)
@examples(20)
def test_the_best_path_is_a_plain_viterbis(
    seed: int, partial: bool, utr: bool, shortest: tuple[int, int], code: int
) -> None:
    changed = SMALL.model_copy(
        update={
            "partial": partial,
            "utr": utr,
            "minimum": Minimum(intron=shortest[0], exon=shortest[1], coding=0),
            "genetic_code": code,
            "starts": ("ATG", "CTG") if code != 6 else ("ATG",),
        }
    )
    case = problem(seed, sequence(seed, 100), changed)
    score, genes = oracle.best_path(case)
    found, called = decoded(case)
    assert found == pytest.approx(score)
    assert called == genes


@given(st.integers(0, 10**9), st.lists(st.integers(1, 399), max_size=6))
@examples(12)
def test_pieces_give_the_genes_of_the_whole_to_the_last_bit(seed: int, ends: list[int]) -> None:
    case = problem(seed, sequence(seed, 400), SMALL)
    assert decoded(case, sorted(ends)) == decoded(case)
