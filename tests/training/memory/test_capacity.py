from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import ResourceError, UsageError
from training.memory import capacity


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("24GiB", 24 * 2**30),
        ("16 GB", 16 * 10**9),
        ("512mib", 512 * 2**20),
        ("1.5TiB", 3 * 2**39),
        ("8000000000", 8 * 10**9),
    ],
)
def test_sizes_are_read_with_their_units(text: str, size: int) -> None:
    assert capacity.parse(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1GB", "12 apples", "0", "1e9", "24GiB."])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="24GiB"):
        capacity.parse(text)


def test_sizes_are_shown_in_the_unit_that_suits_them() -> None:
    assert [capacity.shown(size) for size in (2048, 3 * 2**20, 2.5 * 2**30)] == ["2 KiB", "3 MiB", "2.5 GiB"]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "meminfo").write_text("MemTotal: 4000 kB\nMemAvailable: 3000 kB\n")
    (tmp_path / "cgroup").write_text("0::/jobs/mine\n")
    monkeypatch.setattr(capacity, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(capacity, "CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(capacity, "CGROUPS", tmp_path / "groups")
    return tmp_path


def test_what_is_free_is_shared_by_the_workers(machine: Path) -> None:
    assert capacity.available("cpu") == 3000 * 1024
    assert capacity.available("cpu", workers=3) == 1000 * 1024


def test_a_limit_of_any_group_above_counts(machine: Path) -> None:
    mine = machine / "groups" / "jobs" / "mine"
    mine.mkdir(parents=True)
    (mine / "memory.max").write_text("max\n")
    (mine / "memory.current").write_text("7\n")
    (mine.parent / "memory.max").write_text("1000000\n")
    (mine.parent / "memory.current").write_text("400000\n")
    assert capacity.available("cpu") == 600_000


def test_a_limit_of_the_older_kind_counts(machine: Path) -> None:
    (machine / "cgroup").write_text("5:cpu:/a\n4:memory:/b\n")
    group = machine / "groups" / "memory" / "b"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text("500\n")
    (group / "memory.usage_in_bytes").write_text("100\n")
    assert capacity.available("cpu") == 400


@pytest.mark.parametrize("older", [False, True])
def test_files_that_a_group_holds_are_no_memory_in_use(machine: Path, older: bool) -> None:
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if older else ("memory.max", "memory.current")
    (machine / "cgroup").write_text("4:memory:/b\n" if older else "0::/b\n")
    group = machine / "groups" / ("memory/b" if older else "b")
    group.mkdir(parents=True)
    (group / names[0]).write_text("1000\n")
    (group / names[1]).write_text("900\n")
    prefix = "total_" if older else ""
    (group / "memory.stat").write_text(f"anon 100\n{prefix}inactive_file 500\n{prefix}active_file 200\n")
    assert capacity.available("cpu") == 800


def test_a_machine_that_does_not_tell_is_an_error(machine: Path) -> None:
    (machine / "meminfo").unlink()
    with pytest.raises(ResourceError, match="--device-memory"):
        capacity.available("cpu")
