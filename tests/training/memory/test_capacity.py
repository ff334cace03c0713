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
    assert capacity.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1GB", "12 apples", "0", "1e9", "24GiB."])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="24GiB"):
        capacity.parse_size(text)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "meminfo").write_text("MemTotal: 4000 kB\nMemAvailable: 3000 kB\n")
    (tmp_path / "cgroup").write_text("0::/jobs/this\n")
    monkeypatch.setattr(capacity, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(capacity, "CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(capacity, "CGROUPS", tmp_path / "groups")
    return tmp_path


def test_workers_share_the_free_memory(machine: Path) -> None:
    assert capacity.available_memory("cpu") == 3000 * 1024
    assert capacity.available_memory("cpu", workers=3) == 1000 * 1024


def test_a_limit_of_any_parent_group_counts(machine: Path) -> None:
    group = machine / "groups" / "jobs" / "this"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("7\n")
    (group.parent / "memory.max").write_text("1000000\n")
    (group.parent / "memory.current").write_text("400000\n")
    assert capacity.available_memory("cpu") == 600_000


def test_a_limit_of_cgroup_version_1_counts(machine: Path) -> None:
    (machine / "cgroup").write_text("5:cpu:/a\n4:memory:/b\n")
    group = machine / "groups" / "memory" / "b"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text("500\n")
    (group / "memory.usage_in_bytes").write_text("100\n")
    assert capacity.available_memory("cpu") == 400


@pytest.mark.parametrize("version_1", [False, True])
def test_cached_files_of_a_group_do_not_count_as_used(machine: Path, version_1: bool) -> None:
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if version_1 else ("memory.max", "memory.current")
    (machine / "cgroup").write_text("4:memory:/b\n" if version_1 else "0::/b\n")
    group = machine / "groups" / ("memory/b" if version_1 else "b")
    group.mkdir(parents=True)
    (group / names[0]).write_text("1000\n")
    (group / names[1]).write_text("900\n")
    prefix = "total_" if version_1 else ""
    (group / "memory.stat").write_text(f"anon 100\n{prefix}inactive_file 500\n{prefix}active_file 200\n")
    assert capacity.available_memory("cpu") == 800


def test_a_machine_that_does_not_report_its_memory_is_an_error(machine: Path) -> None:
    (machine / "meminfo").unlink()
    with pytest.raises(ResourceError, match="--device-memory"):
        capacity.available_memory("cpu")
