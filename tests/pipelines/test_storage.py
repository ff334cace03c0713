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
