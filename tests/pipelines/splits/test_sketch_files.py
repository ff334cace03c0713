from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import StorageError
from pipelines.splits import sketch, sketch_files
from tests.pipelines.splits import sketched

TEXTS = [sketched.random_text(seed % 5, 100) for seed in range(12)] + ["ACGT"]


@pytest.mark.parametrize("parts", [1, 3])
def test_the_parts_hold_every_sample_once_in_order(tmp_path: Path, parts: int) -> None:
    sketches = sketched.of_texts(TEXTS)
    files = sketched.write_sketches(tmp_path, sketches, tasks=4)
    samples = np.concatenate([files.part(number, parts) for number in range(parts)])
    expected = zip(sketch.mixed(sketches.hashes).tolist(), sketches.rows.tolist(), strict=True)
    assert samples.tolist() == sorted(expected)
    assert files.samples() == len(samples)


@pytest.mark.parametrize("parts", [1, 3])
def test_the_samples_with_hashes_of_some_intervals_are_all_there_in_order(tmp_path: Path, parts: int) -> None:
    texts = [*TEXTS, *(sketched.random_text(100 + seed, 100) for seed in range(12))]
    files = sketched.write_sketches(tmp_path, sketched.of_texts(texts), tasks=4)
    wanted = np.arange(len(texts)) < 3
    for number in range(parts):
        samples = files.part(number, parts)
        of_wanted = np.isin(samples["hash"], samples["hash"][wanted[samples["row"]]])
        assert files.part(number, parts, wanted).tolist() == samples[of_wanted].tolist()
        assert not of_wanted.all()


def test_sizes_count_different_k_mers(tmp_path: Path) -> None:
    texts = ["A" * 80, *TEXTS]
    sketches = sketched.of_texts(texts)
    pairs = set(zip(sketches.hashes.tolist(), sketches.rows.tolist(), strict=True))
    counts = Counter(row for _, row in pairs)
    sizes = sketched.write_sketches(tmp_path, sketches, tasks=3).sizes(len(texts))
    assert sizes.tolist() == [counts[row] for row in range(len(texts))]


def test_a_task_without_a_sample_writes_empty_files(tmp_path: Path) -> None:
    assert not sketch_files.is_written(tmp_path, 0)
    sketch_files.write(tmp_path, 0, sketch.EMPTY)
    assert sketch_files.is_written(tmp_path, 0)
    files = sketch_files.SketchFiles(tmp_path, 1)
    assert files.samples() == len(files.part(0, 1)) == 0
    assert files.sizes(2).tolist() == [0, 0]


DAMAGE: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("empty", lambda whole: b""),
    ("cut within the description", lambda whole: whole[:40]),
    ("cut between two samples", lambda whole: whole[:-12]),
    ("cut within a sample", lambda whole: whole[:-5]),
    ("longer by a sample", lambda whole: whole + bytes(12)),
    ("longer by some bytes", lambda whole: whole + bytes(5)),
    ("of another version", lambda whole: whole[:6] + b"\2" + whole[7:]),
    ("of another type", lambda whole: whole.replace(b"<u4", b"<i4")),
    ("not an array", lambda whole: b"x" * len(whole)),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGE, ids=[name for name, _ in DAMAGE])
def test_a_damaged_file_is_refused_by_its_name(tmp_path: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    files = sketched.write_sketches(tmp_path, sketched.of_texts(TEXTS))
    path = next(tmp_path.glob("*.samples.npy"))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StorageError, match=re.escape(f"{path}: damaged")):
        files.samples()


def test_mixing_keeps_numbers_apart_and_spreads_them() -> None:
    mixed = sketch.mixed(np.arange(10_000, dtype=np.uint64))
    assert len(set(mixed.tolist())) == 10_000
    assert np.histogram(mixed >> np.uint64(62), 4)[0] == pytest.approx(2_500, rel=0.1)


HASHES = st.one_of(st.integers(0, 6), st.integers((1 << 64) - 70, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))


@given(samples=st.lists(st.tuples(HASHES, st.integers(0, 5)), max_size=60))
def test_samples_are_in_the_order_of_both_keys(samples: list[tuple[int, int]]) -> None:
    hashes, rows = (np.array([sample[key] for sample in samples], np.uint64) for key in (0, 1))
    order = sketch_files.by_hash_and_row(hashes, rows)
    assert [samples[place] for place in order] == sorted(samples)


@given(st.text("ACGT", min_size=sketch.K, max_size=sketch.K))
def test_the_reverse_complement_of_a_number_is_that_of_its_k_mer(kmer: str) -> None:
    forward, reverse = (
        int("".join(str("ACGT".index(base)) for base in text), 4)
        for text in (kmer, kmer[::-1].translate(str.maketrans("ACGT", "TGCA")))
    )
    assert sketch.reverse_complements(np.array([forward], np.uint64)).tolist() == [reverse]
