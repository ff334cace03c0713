from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import DependencyError
from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals
from pipelines.negatives import bedtools

FREE = intervals.empty()
FakeBedtools = Callable[[str], None]


def shuffle(count: int = 1, length: int = 10, excluded: Intervals = FREE, seed: int = 1) -> Intervals:
    """Shuffle intervals of one length on one sequence of 1,000 bases."""
    return bedtools.shuffle(np.full(count, length), np.zeros(count, np.int64), [1_000], [excluded], seed)


def test_intervals_are_placed_on_their_own_sequences_clear_of_what_is_excluded_there() -> None:
    sequences = np.arange(60) % 3
    sizes, excluded = [100, 1_000, 50_000], [np.array([[0, 50]]), np.array([[400, 600]]), FREE]
    placed = bedtools.shuffle(np.full(60, 20), sequences, sizes, excluded, 7, disjoint=False)
    assert (placed >= 0).all()
    assert (placed[:, 1] - placed[:, 0] == 20).all()
    for sequence in range(3):
        assert (placed[sequences == sequence, 1] <= sizes[sequence]).all()
        assert not intervals.overlaps(placed[sequences == sequence], excluded[sequence]).any()


def test_intervals_are_disjoint_unless_they_may_overlap() -> None:
    placed = shuffle(count=20, length=30)
    placed = placed[placed[:, 0] >= 0]
    assert np.diff(intervals.merge(placed), axis=1).sum() == 30 * len(placed)
    crowded = bedtools.shuffle(np.full(50, 90), np.zeros(50, np.int64), [100], [FREE], 1, disjoint=False)
    assert (crowded >= 0).all()


def test_the_seed_decides_where_intervals_lie() -> None:
    assert (shuffle(count=10, seed=3) == shuffle(count=10, seed=3)).all()
    assert (shuffle(count=10, seed=3) != shuffle(count=10, seed=4)).any()


def test_an_interval_longer_than_every_gap_is_unplaced_without_starting_bedtools(fake_bedtools: FakeBedtools) -> None:
    fake_bedtools("exit 1")
    assert shuffle(length=500, excluded=np.array([[499, 501]])).tolist() == [[-1, -1]]


def test_what_bedtools_gives_up_on_is_unplaced() -> None:
    assert (shuffle(count=3, length=600)[:, 0] >= 0).sum() == 1


def test_a_bedtools_that_does_not_finish_is_an_error(
    fake_bedtools: FakeBedtools, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_bedtools("exec sleep 60")
    monkeypatch.setattr(bedtools, "TIMEOUT_S", 0.2)
    with pytest.raises(DependencyError, match="did not finish within 0 s"):
        shuffle()


@pytest.mark.parametrize("wrapper", ["", "bedtools._ending_with_parent = lambda: None"], ids=["setpriv", "fork"])
def test_a_bedtools_that_does_not_finish_ends_with_the_process_that_started_it(
    fake_bedtools: FakeBedtools, tmp_path: Path, wrapper: str
) -> None:
    path = tmp_path / "pid"
    fake_bedtools(f"echo $$ > {path}.new; mv {path}.new {path}; exec sleep 300")
    # pybedtools asks bedtools itself for its programs when it is imported.
    program = (
        "import os; fake = os.environ['PATH']; os.environ['PATH'] = fake.partition(':')[2]\n"
        "import numpy as np, pybedtools\n"
        "from pipelines.negatives import bedtools; from pipelines.genome import intervals\n"
        f"os.environ['PATH'] = fake\n{wrapper}\n"
        "bedtools.shuffle(np.full(1, 10), np.zeros(1, np.int64), [1_000], [intervals.empty()], 1)"
    )
    started = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    started.kill()
    started.wait()
    command_line = Path("/proc", path.read_text().strip(), "cmdline")
    while command_line.exists() and "sleep" in command_line.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_interval_on_another_sequence_is_an_error(fake_bedtools: FakeBedtools) -> None:
    fake_bedtools(r"printf '1\t5\t15\t0\n'")
    with pytest.raises(DependencyError, match="moved an interval to another sequence"):
        shuffle()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'Error: bad\n genome' >&2; exit 1", r"failed \(Error: bad genome\)"),
        ("echo 'Error: no seed' >&2", r"failed \(Error: no seed\)"),
        ("kill -9 $$", r"failed \(exit status -9\)"),
    ],
)
def test_a_bedtools_that_fails_is_an_error_of_one_line(fake_bedtools: FakeBedtools, script: str, message: str) -> None:
    fake_bedtools(script)
    with pytest.raises(DependencyError, match=message) as caught:
        shuffle()
    assert "\n" not in str(caught.value)


def test_a_warning_of_bedtools_is_no_failure(fake_bedtools: FakeBedtools) -> None:
    fake_bedtools(r"echo '***** WARNING: old index' >&2; printf '0\t5\t15\t0\n'")
    assert shuffle().tolist() == [[5, 15]]


def test_the_version_is_the_one_that_bedtools_prints(fake_bedtools: FakeBedtools) -> None:
    printed = subprocess.run([bedtools.find(), "--version"], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == f"bedtools v{bedtools.version()}"
    fake_bedtools("exit 3")
    with pytest.raises(DependencyError, match="does not run"):
        bedtools.version()


def test_bedtools_next_to_this_python_is_found_without_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bedtools"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert bedtools.find() == program
    program.unlink()
    with pytest.raises(DependencyError, match="bedtools: program not found: install it with"):
        bedtools.find()
