from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.trials.machines import crowd, look
from tuning.trials.memory_check import Machine, share

SIZES = st.lists(st.tuples(st.integers(1, 128), st.integers(10**9, 10**12)), min_size=1, max_size=5)


@given(SIZES, st.integers(1, 10**12))
def test_no_machine_of_unequal_ones_is_given_more_trials_than_it_has_memory_for(
    sizes: list[tuple[int, int]], predicted: int
) -> None:
    cpus, memories = [size[0] for size in sizes], [size[1] for size in sizes]
    least = min(memories)
    predicted = min(predicted, least)
    taken, _ = share(predicted, least, Machine("cpu", least, crowd(cpus, memories), 0, here=False))
    for number, memory in sizes:
        assert int(number // taken) * predicted <= memory * (1 + 1e-9)
    assert taken <= max(cpus)


def test_equal_machines_count_with_their_cpus() -> None:
    assert crowd([8, 8], [10**10, 10**10]) == 8


def test_a_machine_tells_its_memory_and_sees_the_files(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    view = look("cpu", tmp_path, [there])
    assert view.trouble == ""
    assert (view.memory or 0) > 10**8
    assert look(None, tmp_path, [there]).memory is None
    assert list(tmp_path.iterdir()) == [there]


def test_a_file_that_a_machine_does_not_see_is_named(tmp_path: Path) -> None:
    assert look("cpu", tmp_path, [tmp_path / "away"], patience_s=0.0).trouble == f"{tmp_path / 'away'}: not there"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_a_machine_cannot_write_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "cannot be written" in look("cpu", tmp_path, []).trouble


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    assert "cannot be written" in look("cpu", tmp_path / "away", []).trouble
