"""Builds of labelled windows under Ray, against one in this process that nothing disturbs."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from pipelines.build import task_plan
from pipelines.build.pipeline import build
from pipelines.progress import Silent
from tests.pipelines.build.builds import bytes_of, connects_never
from tests.pipelines.build.gene_genomes import make_gene_genome, structure_config, write_dataset
from tests.pipelines.build.test_pipeline_resume import _wait_for_records, start_build

pytestmark = pytest.mark.ray


def test_a_build_on_ray_writes_the_bytes_of_one_in_this_process_and_then_has_nothing_to_do(
    tmp_path: Path, ray_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = structure_config(make_gene_genome(tmp_path / "genes"))
    monkeypatch.setattr(task_plan, "TASK_BASES", 2_000)
    monkeypatch.setattr(task_plan, "MAX_TASK_BASES", 2_000)
    write_dataset(config, tmp_path / "alone")
    build(config, tmp_path / "ray", ray_session, Silent())
    assert bytes_of(tmp_path / "ray") == bytes_of(tmp_path / "alone")
    assert len([name for name in bytes_of(tmp_path / "ray") if name.endswith(".parquet")]) == 9
    progress = Silent()
    build(config, tmp_path / "ray", connects_never, progress)
    assert any("is up to date" in note for note in progress.notes)


@pytest.mark.full
def test_the_bytes_do_not_depend_on_the_number_of_cpus(tmp_path: Path) -> None:
    config = structure_config(make_gene_genome(tmp_path / "genes", bases=20_000))
    for cpus in (1, 2):
        assert start_build(config, tmp_path / str(cpus), cpus).wait(300) == 0
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")


@pytest.mark.full
def test_a_killed_build_resumes_from_its_parts_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = structure_config(make_gene_genome(tmp_path / "genes", bases=400_000))
    with monkeypatch.context() as patch:
        patch.setattr(task_plan, "TASK_BASES", 5_000)
        write_dataset(config, tmp_path / "whole")
    killed = start_build(config, tmp_path / "out", 2)
    records = _wait_for_records(tmp_path, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "out").exists()
    finished = {path.stem for path in records.parent.glob("*.json")}
    modified = {
        path: path.stat().st_mtime_ns
        for path in records.parent.parent.rglob("part-*.parquet")
        if path.stem.removeprefix("part-") in finished
    }
    assert modified
    assert start_build(config, tmp_path / "out", 2).wait(300) == 0
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
    for path, time in modified.items():
        assert (tmp_path / "out" / path.parent.name / path.name).stat().st_mtime_ns == time
