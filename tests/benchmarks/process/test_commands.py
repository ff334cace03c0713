from __future__ import annotations

import subprocess

import pytest

from benchmarks.process.commands import raygene


def test_quiet_verbs_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    raygene("--version")
    assert capfd.readouterr().out.startswith("raygene ")
    raygene("--version", is_quiet=True)
    assert capfd.readouterr().out == ""


def test_a_verb_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        raygene("no-such-verb")
