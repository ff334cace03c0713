from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.build import encode_tokens, place_negatives, task_plan
from pipelines.build.pipeline import build
from pipelines.errors import ResourceError
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from tests.conftest import GenomeFiles, make_genome
from tests.pipelines.build.builds import EXACT_CROP, bytes_of, dataset_config, mutated_genome, start_build

pytestmark = pytest.mark.ray


def test_the_bytes_do_not_depend_on_the_number_of_cpus(genome: GenomeFiles, tmp_path: Path) -> None:
    experiment = dataset_config(genome, crop=EXACT_CROP)
    for cpus in (1, 2):
        assert start_build(experiment, tmp_path / str(cpus), cpus).wait(120) == 0
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")
    parts = [name for name in bytes_of(tmp_path / "1") if name.endswith(".parquet")]
    assert len([name for name in parts if name.startswith("split=")]) > 6
    assert len([name for name in parts if name.startswith("_left_out/")]) > 2


def test_a_family_split_does_not_depend_on_the_number_of_cpus(genome: GenomeFiles, tmp_path: Path) -> None:
    twin = mutated_genome(genome, tmp_path / "twin", every=50)
    experiment = dataset_config(genome, twin, split={"by": "family", "validation": 0.2, "test": 0.2})
    for cpus in (1, 2):
        assert start_build(experiment, tmp_path / str(cpus), cpus).wait(120) == 0
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")


def test_a_killed_build_resumes_from_its_parts_to_the_same_bytes(tmp_path: Path) -> None:
    genome = make_genome(tmp_path / "large", chromosomes=6, bases=150_000)
    experiment = dataset_config(genome, crop=EXACT_CROP)
    assert start_build(experiment, tmp_path / "whole", 2).wait(120) == 0
    killed = start_build(experiment, tmp_path / "out", 2)
    records = _wait_for_records(tmp_path, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "out").exists()
    modified = {path: path.stat().st_mtime_ns for path in records.parent.parent.rglob("*.parquet")}
    finished = [
        path
        for path in modified
        if f"{path.stem.removeprefix('part-')}.json" in {r.name for r in records.parent.iterdir()}
    ]
    assert finished
    assert start_build(experiment, tmp_path / "out", 2).wait(120) == 0
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
    moved = {tmp_path / "out" / path.relative_to(records.parent.parent): modified[path] for path in finished}
    assert all(path.stat().st_mtime_ns == when for path, when in moved.items())
    assert not list(tmp_path.glob(".out.building-*"))


def test_negatives_that_are_placed_are_not_placed_again(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_plan, "TASK_BASES", 1)
    experiment = dataset_config(genome, crop=EXACT_CROP)
    build(experiment, tmp_path / "whole", in_this_process, Silent())
    original, placed = place_negatives.PlaceNegatives, []

    def failing(*arguments: Any) -> Callable[[pa.Table], pa.Table]:
        def place(table: pa.Table) -> pa.Table:
            if len(placed) == 2:
                placed.append("failed")
                raise ResourceError("the disk is full", "free some space")
            placed.append(table["chromosome"][0].as_py())
            return original(*arguments)(table)

        return place

    monkeypatch.setattr(place_negatives, "PlaceNegatives", failing)
    with pytest.raises(ResourceError):
        build(experiment, tmp_path / "out", in_this_process, Silent())
    build(experiment, tmp_path / "out", in_this_process, Silent())
    assert placed == ["chr1", "chr2", "failed", "chr3", "chr4"]
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


def _wait_for_records(folder: Path, process: subprocess.Popen[bytes]) -> Path:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        records = list(folder.glob(f".out.building-*/{encode_tokens.RECORDS}/*.json"))
        if len(records) >= 3:
            return records[0]
        time.sleep(0.002)
    raise AssertionError("the build ended before it could be killed")
