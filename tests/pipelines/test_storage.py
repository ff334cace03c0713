from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import storage
from pipelines.errors import ResourceError


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    storage.write_text(path, "old")

    def interrupted() -> None:
        with storage.replacing(path) as temporary:
            temporary.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unwritable_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written"):
        storage.write_text(tmp_path / "file" / "below.json", "x")


def test_two_writers_of_one_directory_never_meet(tmp_path: Path) -> None:
    with storage.only_writer(tmp_path / "data"):
        with storage.only_writer(tmp_path / "other"):
            pass
        with (
            pytest.raises(ResourceError, match="data: another process is writing it"),
            storage.only_writer(tmp_path / "data"),
        ):
            pass
    with storage.only_writer(tmp_path / "data"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "split=train").mkdir()
    leftovers = [tmp_path / ".a.json.123.partial", tmp_path / "split=train" / ".part.9.partial"]
    for path in [*leftovers, tmp_path / "a.json"]:
        path.write_text("")
    storage.remove_partial(tmp_path, "a.json")
    assert [path.exists() for path in leftovers] == [False, True]
    storage.remove_partial(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.json", "split=train"]


def test_a_directory_is_swapped_in_whole(tmp_path: Path) -> None:
    old, staging = tmp_path / "data", tmp_path / ".data.building-abc"
    for folder, text in ((old, "old"), (staging, "new")):
        folder.mkdir()
        (folder / "a").write_text(text)
    storage.swap_in(staging, old)
    assert (old / "a").read_text() == "new"
    assert list(tmp_path.iterdir()) == [old]


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.rename(tmp_path / ".data.replaced")
    storage.recover(data)
    assert data.exists()


def test_a_relative_cache_stays_where_it_was_first_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", "cache")
    (tmp_path / "elsewhere").mkdir()
    for folder in (tmp_path, tmp_path / "elsewhere"):
        monkeypatch.chdir(folder)
        assert storage.cache_directory() == tmp_path / "cache"
