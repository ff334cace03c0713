from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from pipelines.errors import ResourceError
from training.config import ModelConfig, TrainingConfig
from training.memory.formula import Work
from training.memory.probe import measure, probe, resident_bytes

SMALL = ModelConfig(embedding=8, hidden=8, stem=8)
WORK = Work(4, 50)


def program(folder: Path, text: str) -> str:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_process_that_is_killed_means_that_it_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program(tmp_path, "kill -9 $$"))
    result = probe(SMALL, TrainingConfig(), 67, WORK)
    assert not result.fits
    assert "killed" in result.reason


def test_an_allocation_that_is_refused_means_that_it_does_not_fit() -> None:
    result = measure(SMALL.model_copy(update={"embedding": 1024}), TrainingConfig(), 10**11, WORK)
    assert not result.fits
    assert "refused" in result.reason


def test_another_failure_is_an_error_with_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program(tmp_path, "echo 'no such thing' >&2; exit 3"))
    with pytest.raises(ResourceError, match="no such thing"):
        probe(SMALL, TrainingConfig(), 67, WORK)


def test_a_probe_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program(tmp_path, "exec sleep 60"))
    with pytest.raises(ResourceError, match="took over"):
        probe(SMALL, TrainingConfig(), 67, WORK, timeout_s=0.3)


def test_packages_of_the_user_in_the_working_directory_do_not_hide_those_of_the_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("training", "pipelines"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('of the user')")
    monkeypatch.chdir(tmp_path)
    assert probe(SMALL, TrainingConfig(), 67, WORK).fits


def test_the_highest_resident_memory_is_no_less_than_the_present() -> None:
    assert 0 < resident_bytes("VmRSS") <= resident_bytes("VmHWM")
