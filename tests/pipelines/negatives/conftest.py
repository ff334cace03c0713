from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.genome import intervals
from pipelines.negatives import bedtools


@pytest.fixture(scope="session", autouse=True)
def _bedtools_keeps_each_interval_on_its_sequence() -> None:
    """Fail every test of this folder at once where it does not: bedtools 2.30 loops for ever without `-chrom`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bedtools, "TIMEOUT_S", 5)
        sequences = np.arange(40) % 2
        free = [intervals.empty(), intervals.empty()]
        placed = bedtools.shuffle(np.full(40, 90), sequences, [100, 10_000], free, 1, disjoint=False)
    assert (placed[sequences == 0, 1] <= 100).all()
    assert (placed[sequences == 1, 1] > 100).any()


@pytest.fixture
def fake_bedtools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a shell script in the place of bedtools."""

    def install(script: str) -> None:
        program = tmp_path / "bin" / "bedtools"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    return install
