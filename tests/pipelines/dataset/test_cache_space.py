"""Which datasets leave the cache for another one, and which never do."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from pipelines import storage
from pipelines.dataset import cache_space, columns, split_cache
from pipelines.dataset.parts import Part
from pipelines.errors import UsageError
from tests.pipelines.dataset.split_files import files, same

SPAWN = multiprocessing.get_context("spawn")


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


@pytest.fixture
def three(cache: Path, parts: list[Part]) -> int:
    """Three datasets in the cache, of which b was opened least recently, then c, then a; the bytes a fourth needs."""
    for number, name in enumerate("abc"):
        split_cache.open_columns(name, parts, "train")
        os.utime(next(cache.glob(f"{name}/train-*")), (number, number))
    split = split_cache.open_columns("a", parts, "train")
    return len(split.labels) * split_cache._BYTES_PER_ROW + split.tokens.nbytes


def names(cache: Path) -> str:
    return "".join(sorted(path.name for path in cache.iterdir()))


def size_of(cache: Path, datasets: str) -> int:
    return sum(path.stat().st_size for name in datasets for path in files(cache / name))


@pytest.mark.parametrize(
    ("stay", "spare", "expected"),
    [("abc", 0, "abcd"), ("abc", -1, "acd"), ("ac", 0, "acd"), ("ac", -1, "ad"), ("", 0, "d")],
)
def test_least_recently_used_datasets_are_dropped_until_the_new_one_fits_within_the_limit(
    cache: Path,
    parts: list[Part],
    three: int,
    monkeypatch: pytest.MonkeyPatch,
    stay: str,
    spare: int,
    expected: str,
) -> None:
    limit = size_of(cache, stay) + three + spare
    monkeypatch.setenv("RAYGENE_CACHE_GIB", str(limit / 2**30))
    split_cache.open_columns("d", parts, "train")
    assert names(cache) == expected


@pytest.mark.parametrize(("spare", "expected"), [(0, "abcd"), (-1, "d")])
def test_datasets_are_dropped_until_the_new_one_fits_on_the_disk(
    cache: Path, parts: list[Part], three: int, monkeypatch: pytest.MonkeyPatch, spare: int, expected: str
) -> None:
    # A disk whose free space does not grow: everything has to go.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, three + spare))
    split_cache.open_columns("d", parts, "train")
    assert names(cache) == expected


def limit_to(size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYGENE_CACHE_GIB", str(size / 2**30))


@pytest.mark.parametrize("limit", [0, -1])
def test_a_split_larger_than_the_limit_is_refused_and_nothing_is_removed_for_it(
    cache: Path, parts: list[Part], three: int, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE_GIB", "0" if limit == 0 else str((three - 1) / 2**30))
    with pytest.raises(UsageError) as refused:
        split_cache.open_columns("d", parts, "train")
    assert re.search(
        r": split train takes [1-9]\S* KiB of this machine's cache, whose limit is \S+ (bytes|KiB): "
        "set RAYGENE_CACHE_GIB to 1 or more$",
        str(refused.value),
    )
    assert (refused.value.code, refused.value.key) == ("cache_limit", "RAYGENE_CACHE_GIB")
    assert {path.parts[-3] for path in files(cache)} == {"a", "b", "c"}


def map_until_told(parts: list[Part], is_mapped: object, may_end: object) -> None:
    split = split_cache.open_columns("a", parts, "train")
    is_mapped.set()  # type: ignore[attr-defined]
    may_end.wait(60)  # type: ignore[attr-defined]
    assert len(split.labels)


def test_what_another_process_uses_stays_until_it_ends(
    cache: Path, parts: list[Part], three: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least recently used entry is in use, so that the next one is removed instead of it."""
    is_mapped, may_end = SPAWN.Event(), SPAWN.Event()
    user = SPAWN.Process(target=map_until_told, args=(parts, is_mapped, may_end))
    user.start()
    assert is_mapped.wait(60)
    os.utime(next(cache.glob("a/train-*")), (0, 0))
    os.utime(next(cache.glob("b/train-*")), (1, 1))
    limit_to(size_of(cache, "ac") + three, monkeypatch)
    split_cache.open_columns("d", parts, "train")
    assert names(cache) == "acd"
    limit_to(size_of(cache, "a") + three - 1, monkeypatch)
    with pytest.raises(UsageError, match=r"KiB are in use: .* or wait for the processes that use it"):
        split_cache.open_columns("e", parts, "train")
    may_end.set()
    user.join(60)
    split_cache.open_columns("e", parts, "train")
    assert names(cache) == "e"


def test_a_slice_of_a_split_keeps_its_entry_and_the_last_one_frees_it(
    cache: Path, parts: list[Part], three: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_to(three, monkeypatch)
    part_of_tokens = split_cache.open_columns("a", parts, "train").tokens[3:9]
    with pytest.raises(UsageError, match="in use"):
        split_cache.open_columns("d", parts, "train")
    del part_of_tokens
    split_cache.open_columns("d", parts, "train")
    assert names(cache) == "d"


def test_leftovers_of_killed_processes_in_other_datasets_are_removed(cache: Path, parts: list[Part]) -> None:
    split_cache.open_columns("a", parts, "train")
    entry = next(cache.glob("a/train-*"))
    for name in ("building-", "replaced", "dropped"):
        (cache / "a" / f".{entry.name}.{name}").mkdir()
    (cache / "a" / f".{entry.name}.lock").touch()
    (cache / "gone").mkdir()
    (cache / "gone" / f".{entry.name}.lock").touch()
    split_cache.open_columns("b", parts, "train")
    assert [path.name for path in (cache / "a").iterdir()] == [entry.name]
    assert sorted(path.name for path in cache.iterdir()) == ["a", "b"]


def test_an_entry_that_another_process_is_writing_is_not_dropped(
    cache: Path, parts: list[Part], three: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = next(cache.glob("b/train-*"))
    staging = storage.staging_directory(entry, "")
    limit_to(size_of(cache, "a") + three, monkeypatch)
    with storage.only_writer(entry):
        staging.mkdir()
        (staging / "reserved").touch()
        os.truncate(staging / "reserved", 1)
        # Room has to be made for what it will need, too.
        with pytest.raises(UsageError, match="in use"):
            split_cache.open_columns("d", parts, "train")
        assert files(staging)
        assert entry.exists()
    split_cache.open_columns("d", parts, "train")
    assert names(cache) == "bd"
    assert not files(staging)


def test_a_refusal_compares_what_is_needed_with_what_is_left_to_the_digit_that_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = tmp_path / "datasets"
    entries = [datasets / name / f"train-{'0' * 16}" for name in "ab"]
    stagings = [storage.staging_directory(entry, "") for entry in entries]
    for staging in stagings:
        staging.mkdir(parents=True)
    monkeypatch.setenv("RAYGENE_CACHE_GIB", "100")
    with storage.only_writer(entries[0]), storage.only_writer(entries[1]):
        cache_space.reserve(datasets, stagings[0], 80 << 30, "split train")
        with pytest.raises(UsageError) as refused:
            cache_space.reserve(datasets, stagings[1], round(20.04 * 2**30), "split train")
    assert str(refused.value) == (
        "split train takes 20.04 GiB of this machine's cache, which has 20 GiB left of 100 GiB: 80 GiB are in use: "
        "set RAYGENE_CACHE_GIB to 101 or more, or wait for the processes that use it"
    )


def test_directories_that_are_no_entries_are_left_alone(
    cache: Path, parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train-notes", ".hidden-one", f"train-{'0' * 16}.old"):
        (cache / "user" / name).mkdir(parents=True)
    limit_to(20_000, monkeypatch)
    split_cache.open_columns("a", parts, "train")
    assert len(list((cache / "user").iterdir())) == 3


def test_writers_that_drop_each_others_datasets_all_get_theirs(
    cache: Path, parts: list[Part], three: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = columns.read_columns(parts, "train")
    limit_to(5 * three, monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        names = (f"d{number % 9}" for number in range(36))
        results = list(pool.map(lambda name: same(split_cache.open_columns(name, parts, "train"), expected), names))
    assert all(results)


def test_a_limit_that_is_not_a_number_is_an_error(
    cache: Path, parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE_GIB", "much")
    with pytest.raises(UsageError, match="RAYGENE_CACHE_GIB=much: not a number"):
        split_cache.open_columns("d", parts, "train")
