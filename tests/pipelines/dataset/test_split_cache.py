from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines import fingerprint, storage
from pipelines.dataset import columns, row_groups, split_cache
from pipelines.dataset.parts import Part
from pipelines.errors import DatasetError, ResourceError
from tests.pipelines.dataset.split_files import files, part, same

SPAWN = multiprocessing.get_context("spawn")


def test_a_cached_split_has_the_rows_of_its_files(cache: Path, parts: list[Part]) -> None:
    expected = columns.read_columns(parts, "train")
    written, mapped = (split_cache.open_columns("d", parts, "train") for _ in range(2))
    assert same(written, expected)
    assert same(mapped, expected)
    assert [path.name for path in files(cache)] == [
        "labels.arrow",
        "offsets.arrow",
        "record.json",
        "table.arrow",
        "tokens.arrow",
    ]


def test_the_parquet_files_are_decoded_once(cache: Path, parts: list[Part]) -> None:
    expected = split_cache.open_columns("d", parts, "train")
    for part_file in parts:
        part_file.path.write_bytes(b"")
    assert same(split_cache.open_columns("d", parts, "train"), expected)


def test_a_copy_of_a_dataset_shares_its_entry(cache: Path, parts: list[Part], tmp_path: Path) -> None:
    split_cache.open_columns("d", parts, "train")
    before = files(cache)
    (tmp_path / "data").rename(tmp_path / "moved")
    split_cache.open_columns("d", [Part(tmp_path / "moved" / file.path.name, file.sha256) for file in parts], "train")
    assert files(cache) == before


def test_other_content_or_another_split_gets_an_entry_of_its_own(cache: Path, parts: list[Part]) -> None:
    whole, fewer = split_cache.open_columns("d", parts, "train"), split_cache.open_columns("d", parts[:2], "train")
    test = split_cache.open_columns("d", parts, "test")
    assert len(whole.labels) > len(fewer.labels)
    assert set(test.table["split"].to_pylist()) == {"test"}


@pytest.mark.parametrize("name", ["tokens.arrow", "offsets.arrow", "labels.arrow", "table.arrow"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, path.stat().st_size // 2)])
def test_a_damaged_entry_is_written_again(
    cache: Path, parts: list[Part], name: str, damage: Callable[[Path], None]
) -> None:
    expected = columns.read_columns(parts, "train")
    split_cache.open_columns("d", parts, "train")
    damage(next(path for path in files(cache) if path.name == name))
    assert same(split_cache.open_columns("d", parts, "train"), expected)
    assert len(files(cache)) == 5


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def restore_times(path: Path) -> None:
    """An edit that puts the time of modification back: the time of status change tells it."""
    status = path.stat()
    flip_a_bit(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("name", ["tokens.arrow", "offsets.arrow", "labels.arrow", "table.arrow"])
@pytest.mark.parametrize("edit", [flip_a_bit, restore_times])
def test_an_edited_entry_is_written_again_with_a_note(
    cache: Path, parts: list[Part], name: str, edit: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    expected = columns.read_columns(parts, "train")
    split_cache.open_columns("d", parts, "train")
    edit(next(path for path in files(cache) if path.name == name))
    assert same(split_cache.open_columns("d", parts, "train"), expected)
    assert "damaged or changed since it was written; it is written again" in caplog.text
    caplog.clear()
    assert same(split_cache.open_columns("d", parts, "train"), expected)
    assert caplog.text == ""


@pytest.mark.parametrize("text", [None, "", "{}", "[]", "null", '{"tokens.arrow": 3}', "[" * 100_000, "\x00"])
def test_an_entry_without_a_proper_record_is_written_again(cache: Path, parts: list[Part], text: str | None) -> None:
    expected = columns.read_columns(parts, "train")
    split_cache.open_columns("d", parts, "train")
    record = next(path for path in files(cache) if path.name == "record.json")
    if text is None:
        record.unlink()
    else:
        record.write_text(text)
    assert same(split_cache.open_columns("d", parts, "train"), expected)
    assert len(files(cache)) == 5


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/full", "fifo"])
def test_a_record_that_is_no_regular_file_is_written_again(cache: Path, parts: list[Part], target: str) -> None:
    expected = columns.read_columns(parts, "train")
    split_cache.open_columns("d", parts, "train")
    record = next(path for path in files(cache) if path.name == "record.json")
    record.unlink()
    if target == "fifo":
        os.mkfifo(record)
    else:
        record.symlink_to(target)
    assert same(split_cache.open_columns("d", parts, "train"), expected)
    assert record.is_file()
    assert not record.is_symlink()


def test_a_copied_cache_is_used_after_its_files_were_hashed_once(
    cache: Path, parts: list[Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = split_cache.open_columns("d", parts, "train")
    shutil.copytree(tmp_path / "cache", tmp_path / "copy")
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "copy"))
    hashed: list[Path] = []
    of_file = fingerprint.of_file
    monkeypatch.setattr(fingerprint, "of_file", lambda path: hashed.append(path) or of_file(path))
    for _ in range(2):
        assert same(split_cache.open_columns("d", parts, "train"), expected)
    assert sorted(path.name for path in hashed) == ["labels.arrow", "offsets.arrow", "table.arrow", "tokens.arrow"]
    assert caplog.text == ""


def test_opening_an_entry_again_reads_no_file_as_a_whole(
    cache: Path, parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = split_cache.open_columns("d", parts, "train")
    monkeypatch.setattr(fingerprint, "of_file", lambda path: pytest.fail(f"reads {path}"))
    assert same(split_cache.open_columns("d", parts, "train"), expected)


def test_an_entry_checked_against_a_larger_vocabulary_is_checked_again(cache: Path, parts: list[Part]) -> None:
    split_cache.open_columns("d", parts, "train", 67)
    with pytest.raises(DatasetError, match=r"token id \d+ is not one of the vocabulary's 10"):
        split_cache.open_columns("d", parts, "train", 10)


def test_files_that_do_not_fit_together_are_written_again(cache: Path, parts: list[Part]) -> None:
    expected = split_cache.open_columns("d", parts, "train")
    split_cache.open_columns("d", parts[:1], "test")
    train, test = (next(cache.glob(f"d/{split}-*")) for split in ("train", "test"))
    (test / "offsets.arrow").replace(train / "offsets.arrow")
    assert same(split_cache.open_columns("d", parts, "train"), expected)


def test_a_part_that_is_not_the_manifests_is_refused(cache: Path, parts: list[Part]) -> None:
    with parts[1].path.open("r+b") as stream:
        stream.seek(20)
        stream.write(b"\0\1\2\3")
    with pytest.raises(DatasetError, match=r"part-1.parquet: SHA-256 \w+ is not the manifest's"):
        split_cache.open_columns("d", parts, "train")
    assert files(cache) == []


def test_counts_that_do_not_match_the_tokens_are_refused(cache: Path, parts: list[Part]) -> None:
    path = parts[0].path
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.schema.get_field_index("token_count"), "token_count", table["label"]), path)
    with pytest.raises(DatasetError, match="token_count does not match the tokens"):
        split_cache.open_columns("d", [Part(path, fingerprint.of_file(path))], "train")
    assert files(cache) == []


@pytest.mark.parametrize("threads", [2, 5])
def test_files_are_the_same_bytes_whatever_the_number_of_threads(
    cache: Path, parts: list[Part], monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    contents = []
    for name, count in (("one", 1), ("several", threads)):
        monkeypatch.setattr(row_groups, "thread_count", lambda count=count: count)
        split_cache.open_columns(name, parts, "train")
        contents.append({path.name: path.read_bytes() for path in files(cache / name) if path.suffix == ".arrow"})
    assert contents[0] == contents[1]


def open_together(parts: list[Part], barrier: object, results: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    split = split_cache.open_columns("d", parts, "train")
    results.put((int(split.tokens.sum()), int(split.offsets[-1])))  # type: ignore[attr-defined]


def test_processes_that_open_a_split_at_once_write_it_once_and_agree(cache: Path, parts: list[Part]) -> None:
    barrier, queue = SPAWN.Barrier(2), SPAWN.Queue()
    processes = [SPAWN.Process(target=open_together, args=(parts, barrier, queue)) for _ in range(2)]
    for process in processes:
        process.start()
    results = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    expected = columns.read_columns(parts, "train")
    assert results == [(int(expected.tokens.sum()), int(expected.offsets[-1]))] * 2
    assert len(files(cache)) == 5


def write_half(entry: Path, is_writing: object) -> None:
    with storage.only_writer(entry, wait=True):
        staging = storage.staging_directory(entry, "")
        staging.mkdir()
        (staging / "tokens.arrow").write_bytes(b"half")
        is_writing.set()  # type: ignore[attr-defined]
        time.sleep(60)


def test_a_writer_that_is_killed_does_not_block_others(cache: Path, parts: list[Part]) -> None:
    expected = split_cache.open_columns("d", parts, "train")
    entry = next(cache.glob("d/train-*"))
    (entry / "tokens.arrow").unlink()
    is_writing = SPAWN.Event()
    writer = SPAWN.Process(target=write_half, args=(entry, is_writing))
    writer.start()
    assert is_writing.wait(60)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    assert same(split_cache.open_columns("d", parts, "train"), expected)
    writer.join()
    assert sorted(path.name for path in entry.parent.iterdir()) == [entry.name]


FULL = """
import resource, signal, sys
from pathlib import Path
from pipelines.dataset import split_cache
from pipelines.errors import ResourceError
from pipelines.dataset.parts import Part
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    split_cache.open_columns("d", [Part(Path(sys.argv[1]), sys.argv[2])], "train")
except ResourceError as error:
    print(error)
"""


def test_a_full_file_system_is_an_error_that_leaves_nothing(cache: Path, tmp_path: Path) -> None:
    long = part(tmp_path / "long.parquet", rows=40, longest=1000)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    process = subprocess.run(
        [sys.executable, "-c", FULL, str(long.path), long.sha256], capture_output=True, text=True, check=True
    )
    assert "cannot be written (File too large): raise the limit of file sizes" in process.stdout
    assert files(cache) == []


def test_a_cache_that_cannot_be_written_is_an_error(parts: list[Part], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(parts[0].path))
    with pytest.raises(ResourceError, match="cannot be written"):
        split_cache.open_columns("d", parts, "train")


def test_mapped_columns_outlive_their_entry(cache: Path, parts: list[Part]) -> None:
    mapped, expected = split_cache.open_columns("a", parts, "train"), columns.read_columns(parts, "train")
    shutil.rmtree(cache / "a")
    assert same(mapped, expected)
