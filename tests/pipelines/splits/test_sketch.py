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
    table = sketch._sampled(one_in)
    found = []
    for row, text in enumerate(sequences):
        for start in range(len(text) - sketch.K + 1):
            kmer = text[start : start + sketch.K]
            if "N" not in kmer and table[number(kmer[6:15])]:
                found.append((min(number(kmer), number(reverse(kmer))), row))
    return found


@given(texts)
def test_a_sketch_equals_a_loop_over_the_k_mers(sequences: list[str]) -> None:
    found = sketched(sequences)
    assert list(zip(found.hashes.tolist(), found.rows.tolist(), strict=True)) == expected(sequences)


@given(st.text("ACGT", min_size=30, max_size=90))
def test_both_strands_have_the_same_sketch(text: str) -> None:
    assert sorted(sketched([text]).hashes.tolist()) == sorted(sketched([reverse(text)]).hashes.tolist())


def random_text(seed: int, bases: int = 300) -> str:
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), bases))


def mutated(text: str, every: int) -> str:
    return "".join("ACGT"[("ACGT".index(base) + 1) % 4] if at % every == 0 else base for at, base in enumerate(text, 1))


def judged(found: sketch.Sketches, others: sketch.Sketches, genomes: int = 1) -> sketch.Leakage:
    return sketch.leakage(found, others, sketch.repeats(others, genomes))


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
def test_near_duplicates_are_told_from_others(copy: object, near: int) -> None:
    others = sketched([random_text(5), copy(random_text(1)), random_text(6)])  # type: ignore[operator]
    assert judged(sketched([random_text(1)]), others) == sketch.Leakage(1, near)


def test_pieces_in_several_intervals_are_no_near_duplicate() -> None:
    text = random_text(1)
    pieces = [text[at : at + 100] for at in range(0, 300, 100)]
    assert judged(sketched([text]), sketched(pieces)).near == 0


def test_repeats_count_as_not_shared() -> None:
    text = random_text(1, 60)
    assert judged(sketched([text]), sketched([text] * (sketch.REPEATED + 1))).near == 0


def test_a_gene_in_each_of_many_genomes_is_no_repeat() -> None:
    text = random_text(1, 60)
    assert judged(sketched([text]), sketched([text] * (sketch.REPEATED + 1)), genomes=2).near == 1


def test_couples_are_the_same_however_much_is_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [random_text(seed % 7, 90) for seed in range(40)]
    found = sketched(letters)

    def couples() -> set[tuple[int, int]]:
        parts = sketch.couples(found, found, sketch.repeats(found, 1), 0.5)
        return {couple for some, others in parts for couple in zip(some.tolist(), others.tolist(), strict=True)}

    at_once = couples()
    monkeypatch.setattr(sketch, "MOST_HITS", 10)
    assert couples() == at_once == {(a, b) for a in range(40) for b in range(40) if a % 7 == b % 7}


def test_intervals_without_a_sample_are_not_judged() -> None:
    assert judged(sketched(["ACGT"]), sketched([random_text(1)])) == sketch.Leakage(0, 0)


def test_samples_are_bounded() -> None:
    assert sketch.density(10_000) == 2
    assert sketch.density(10 * sketch.MOST_HASHES) == 10
