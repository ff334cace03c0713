from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.genome import sequence
from pipelines.splits import sketch

texts = st.lists(st.text("ACGTN", min_size=1, max_size=70), min_size=1, max_size=5)


def sketched(sequences: list[str], one_in: int = 2) -> sketch.Sketches:
    letters = np.frombuffer("".join(sequences).encode(), np.uint8)
    lengths = np.array([len(text) for text in sequences], np.int64)
    return sketch.sketch(sequence.base_codes(letters), lengths, np.arange(len(sequences)), one_in)


def number(kmer: str) -> int:
    return int("".join(str("ACGT".index(base)) for base in kmer), 4)


def reverse(text: str) -> str:
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


def expected(sequences: list[str], one_in: int = 2) -> list[tuple[int, int]]:
    is_sampled = sketch._sampled_centres(one_in)
    samples = []
    for row, text in enumerate(sequences):
        for start in range(len(text) - sketch.K + 1):
            kmer = text[start : start + sketch.K]
            if "N" not in kmer and is_sampled[number(kmer[6:15])]:
                samples.append((min(number(kmer), number(reverse(kmer))), row))
    return samples


@given(texts)
def test_a_sketch_equals_a_loop_over_the_k_mers(sequences: list[str]) -> None:
    sketches = sketched(sequences)
    assert list(zip(sketches.hashes.tolist(), sketches.rows.tolist(), strict=True)) == expected(sequences)


@given(st.text("ACGT", min_size=30, max_size=90))
def test_both_strands_have_the_same_sketch(text: str) -> None:
    assert sorted(sketched([text]).hashes.tolist()) == sorted(sketched([reverse(text)]).hashes.tolist())


def random_text(seed: int, bases: int = 300) -> str:
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), bases))


def mutated(text: str, every: int) -> str:
    return "".join(
        "ACGT"[("ACGT".index(base) + 1) % 4] if position % every == 0 else base for position, base in enumerate(text, 1)
    )


def leakage(sketches: sketch.Sketches, others: sketch.Sketches, genomes: int = 1) -> sketch.Leakage:
    return sketch.leakage(sketches, others, sketch.repeated_kmers(others, genomes))


@pytest.mark.parametrize(
    ("copy", "near"),
    [
        (lambda text: text, 1),
        (lambda text: reverse(text), 1),
        (lambda text: random_text(99) + text[20:] + random_text(98), 1),
        (lambda text: mutated(text, 100), 1),
        (lambda text: mutated(text, 10), 0),
        (lambda text: text[:90] + random_text(97, 210), 0),
        (lambda text: random_text(96), 0),
    ],
    ids=["itself", "other strand", "within a longer one", "99 % identical", "90 % identical", "a third", "unrelated"],
)
def test_near_duplicates_are_found_and_others_are_not(copy: object, near: int) -> None:
    others = sketched([random_text(5), copy(random_text(1)), random_text(6)])  # type: ignore[operator]
    assert leakage(sketched([random_text(1)]), others) == sketch.Leakage(1, near)


def test_pieces_in_several_intervals_make_no_near_duplicate() -> None:
    text = random_text(1)
    pieces = [text[first : first + 100] for first in range(0, 300, 100)]
    assert leakage(sketched([text]), sketched(pieces)).near == 0


@pytest.mark.parametrize(("copies", "near"), [(sketch.MAX_OCCURRENCES, 1), (sketch.MAX_OCCURRENCES + 1, 0)])
def test_kmers_that_occur_too_often_do_not_count_as_shared(copies: int, near: int) -> None:
    text = random_text(1, 60)
    assert leakage(sketched([text]), sketched([text] * copies)).near == near


def test_a_gene_that_each_of_many_genomes_has_is_no_repeat() -> None:
    text = random_text(1, 60)
    assert leakage(sketched([text]), sketched([text] * (sketch.MAX_OCCURRENCES + 1)), genomes=2).near == 1


def test_similar_pairs_do_not_depend_on_how_many_are_compared_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [random_text(seed % 7, 90) for seed in range(40)]
    sketches = sketched(letters)

    def pairs() -> set[tuple[int, int]]:
        parts = sketch.similar_pairs(sketches, sketches, sketch.repeated_kmers(sketches, 1), 0.5)
        return {pair for rows, others in parts for pair in zip(rows.tolist(), others.tolist(), strict=True)}

    at_once = pairs()
    monkeypatch.setattr(sketch, "MAX_HITS", 10)
    assert pairs() == at_once == {(a, b) for a in range(40) for b in range(40) if a % 7 == b % 7}


def test_intervals_without_a_sample_are_not_evaluated() -> None:
    assert leakage(sketched(["ACGT"]), sketched([random_text(1)])) == sketch.Leakage(0, 0)


def test_an_interval_is_similar_from_the_required_share_of_its_kmers_on_and_from_two() -> None:
    sketches = sketch.Sketches(np.array([1, 2, 3, 4, 5, 9], np.uint64), np.array([0, 0, 0, 0, 1, 2]))
    others = sketch.Sketches(np.array([1, 2, 1, 5, 9, 9], np.uint64), np.array([0, 0, 1, 1, 2, 2]))
    nothing = np.empty(0, np.uint64)

    def pairs(min_share: float) -> list[tuple[int, int]]:
        parts = sketch.similar_pairs(sketches, others, nothing, min_share)
        return [pair for rows, other_rows in parts for pair in zip(rows.tolist(), other_rows.tolist(), strict=True)]

    assert pairs(0.5) == [(0, 0), (1, 1), (2, 2)]
    assert pairs(0.51) == [(1, 1), (2, 2)]
    assert pairs(0.0) == [(0, 0), (1, 1), (2, 2)]


def test_the_number_of_samples_is_bounded() -> None:
    assert sketch.sample_spacing(10_000) == 2
    assert sketch.sample_spacing(10 * sketch.MAX_SAMPLES) == 10
    assert sketch.sample_spacing(10 * sketch.MAX_SAMPLES + 1) == 11
