from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stores import worker_folder
from pipelines.stores.worker_folder import WorkerFolder
from tuning.trials.machines import cpus_per_memory, inspect_machine
from tuning.trials.memory_check import Machine, resource_share

SIZES = st.lists(st.tuples(st.integers(1, 128), st.integers(10**9, 10**12)), min_size=1, max_size=5)


@given(SIZES, st.integers(1, 10**12))
def test_no_machine_of_an_unequal_cluster_gets_more_trials_than_fit_its_memory(
    sizes: list[tuple[int, int]], predicted: int
) -> None:
    cpus, memories = [size[0] for size in sizes], [size[1] for size in sizes]
    least = min(memories)
    predicted = min(predicted, least)
    taken, _ = resource_share(
        predicted, least, Machine("cpu", least, cpus_per_memory(cpus, memories), 0, is_local=False)
    )
    for number, memory in sizes:
        assert int(number // taken) * predicted <= memory * (1 + 1e-9)
    assert taken <= max(cpus)


def test_equal_machines_have_their_own_number_of_cpus() -> None:
    assert cpus_per_memory([8, 8], [10**10, 10**10]) == 8


def test_a_machine_reports_its_memory_and_sees_the_files(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    report = inspect_machine("cpu", WorkerFolder(tmp_path), [file])
    assert report.problem == ""
    assert (report.memory or 0) > 10**8
    assert inspect_machine(None, WorkerFolder(tmp_path), [file]).memory is None
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_a_machine_does_not_see_is_named(tmp_path: Path) -> None:
    assert (
        inspect_machine("cpu", WorkerFolder(tmp_path), [tmp_path / "away"], timeout_s=0.0).problem
        == f"{tmp_path / 'away'}: does not exist"
    )


@pytest.mark.ray
def test_another_machine_sees_a_study_that_is_served(tmp_path: Path, ray_session: Any) -> None:
    (tmp_path / "study.json").touch()
    with worker_folder.served(tmp_path):
        output = replace(worker_folder.of(tmp_path), node="another")
        assert inspect_machine(None, output, [tmp_path / "study.json"]).problem == ""
        problem = inspect_machine(None, output, [tmp_path / "away"], timeout_s=0.0).problem
    assert problem == f"{tmp_path / 'away'}: does not exist"
    assert [path.name for path in tmp_path.iterdir()] == ["study.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_that_a_machine_cannot_write_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "cannot be written" in inspect_machine("cpu", WorkerFolder(tmp_path), []).problem


def test_a_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert "cannot be written" in inspect_machine("cpu", WorkerFolder(tmp_path / "away"), []).problem
