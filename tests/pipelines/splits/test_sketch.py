from __future__ import annotations

import numpy as np
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


def test_a_small_dataset_has_a_bounded_number_of_samples_and_a_large_one_a_bounded_spacing() -> None:
    assert sketch.sample_spacing(10_000) == 2
    assert sketch.sample_spacing(5 * sketch.SMALL) == 5
    assert sketch.sample_spacing(5 * sketch.SMALL + 1) == 6
    assert sketch.sample_spacing(8 * sketch.SMALL) == sketch.sample_spacing(10**12) == 8
