from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipelines import storage
from pipelines.errors import UsageError
from pipelines.stores import cache_room


def entry(folder: Path, name: str, *, size: int = 10, days: float = 2.0) -> Path:
    """An entry of so many bytes that was last used so many days ago."""
    path = folder / name
    path.mkdir(parents=True)
    (path / "file").write_bytes(bytes(size))
    used = time.time() - days * cache_room.DAY_S
    os.utime(path, (used, used))
    return path


def test_the_entries_that_were_used_longest_ago_go_first(tmp_path: Path) -> None:
    older, old, newer = (entry(tmp_path, name, days=days) for name, days in (("c", 4), ("a", 3), ("b", 2)))
    assert cache_room.make_room(tmp_path, 5, limit=25) == 5
    assert [path.exists() for path in (older, old, newer)] == [False, True, True]
    assert cache_room.make_room(tmp_path, 25, keep=old, limit=25) == 15
    assert [path.exists() for path in (old, newer)] == [True, False]


def test_what_was_used_within_a_day_or_is_being_written_stays(tmp_path: Path) -> None:
    recent, used, locked = (entry(tmp_path, name, days=days) for name, days in (("a", 0.5), ("b", 2), ("c", 2)))
    cache_room.use(used)
    with storage.only_writer(locked):
        assert cache_room.make_room(tmp_path, limit=0) == -30
    assert all(path.exists() for path in (recent, used, locked))


def test_nothing_goes_within_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = entry(tmp_path, "a")
    monkeypatch.setenv(cache_room.LIMIT, "1")
    cache_room.make_room(tmp_path)
    assert kept.exists()
    assert cache_room.make_room(tmp_path / "none") > 0


@pytest.mark.parametrize("value", ["much", "nan", "-1", "-inf"])
def test_a_limit_that_bounds_nothing_is_an_error(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache_room.LIMIT, value)
    with pytest.raises(UsageError, match=f"^{cache_room.LIMIT}={value}: not a number of at least 0: set it to"):
        cache_room.limit_bytes()
