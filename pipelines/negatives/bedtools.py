"""The bedtools program: where it is, its version, and one seeded shuffle.

A shuffle costs a process start (about 10 ms) plus up to 1,000 draws for each interval that bedtools cannot place.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines import storage
from pipelines.errors import DependencyError
from pipelines.genome.intervals import Intervals

# A shuffle takes milliseconds, and at most some 10 ms for an interval that bedtools cannot place.
TIMEOUT_S, TIMEOUT_PER_INTERVAL_S = 30.0, 0.1
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def find() -> Path:
    """Return the bedtools program on the PATH or next to this Python.

    Raises:
        DependencyError: it is not installed.
    """
    program = shutil.which("bedtools") or shutil.which("bedtools", path=str(Path(sys.executable).parent))
    if program is None:
        raise DependencyError(
            "bedtools: program not found",
            "install it with 'apt-get install bedtools', 'conda install -c bioconda bedtools' or "
            "'brew install bedtools'",
        )
    return Path(program)


def version() -> str:
    """Return the version that bedtools reports, such as 2.30.0.

    Raises:
        DependencyError: bedtools is missing or does not run.
    """
    program = find()
    try:
        output = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise DependencyError(f"{program}: does not run ({error})", "install bedtools again") from error
    return output.split()[-1].removeprefix("v")


def shuffle(
    lengths: NDArray[np.int64],
    sequences: NDArray[np.int64],
    sizes: Sequence[int],
    excluded: Sequence[Intervals],
    seed: int,
    *,
    disjoint: bool = True,
) -> Intervals:
    """Place intervals at random, each on its own sequence and clear of what is excluded there.

    Args:
        lengths: bases of each interval, shape (n,).
        sequences: index of each interval's sequence, shape (n,).
        sizes: bases of each sequence.
        excluded: for each sequence, the merged intervals to avoid, shape (m, 2).
        seed: seed of bedtools' generator, 31 bits.
        disjoint: also keep the placed intervals clear of each other.

    Returns:
        Start and end of each interval, shape (n, 2); -1, -1 where bedtools could not place it.

    Raises:
        DependencyError: bedtools is missing, fails, does not finish, or moves an interval to another sequence.
    """
    placed = np.full((len(lengths), 2), -1, np.int64)
    largest_gaps = np.zeros(len(sizes), np.int64)
    for number in np.unique(sequences).tolist():
        largest_gaps[number] = largest_gap(excluded[number], sizes[number])
    fitting = np.flatnonzero(lengths <= largest_gaps[sequences])
    if len(fitting) == 0:
        return placed
    # The folder of this run's Ray, where there is one, is removed also after a kill.
    with tempfile.TemporaryDirectory(prefix="raygene-shuffle-", dir=os.environ.get(storage.RUN_FOLDER)) as folder:
        requested_bed, excluded_bed, genome = (
            Path(folder, name) for name in ("requested.bed", "excluded.bed", "genome")
        )
        requested_bed.write_text("".join(f"{sequences[row]}\t0\t{lengths[row]}\t{row}\n" for row in fitting))
        excluded_bed.write_text(
            "".join(
                f"{number}\t{start}\t{end}\n" for number, rows in enumerate(excluded) for start, end in rows.tolist()
            )
        )
        genome.write_text("".join(f"{number}\t{size}\n" for number, size in enumerate(sizes)))
        options = {"g": genome, "chrom": True, "noOverlapping": disjoint, "seed": seed}
        if excluded_bed.stat().st_size:
            options["excl"] = excluded_bed
        output = _run_shuffle(requested_bed, options, TIMEOUT_S + TIMEOUT_PER_INTERVAL_S * len(fitting))
    for line in output.splitlines():
        sequence, start, end, row = map(int, line.split("\t"))
        if sequence != sequences[row]:
            raise DependencyError("bedtools shuffle moved an interval to another sequence", "install bedtools again")
        placed[row] = start, end
    return placed


def _run_shuffle(bed: Path, options: dict[str, object], timeout_s: float) -> str:
    """Run `bedtools shuffle` on a BED file with pybedtools' options and return what it prints.

    pybedtools only composes the command: it would wait without limit, and bedtools 2.30 can loop for ever.
    """
    # Here, because its import starts bedtools: most that import this module never shuffle.
    import pybedtools

    # The time limit ends with this process, and bedtools would go on for ever.
    wrapper = _ending_with_parent()
    _, *arguments = pybedtools.BedTool(str(bed)).handle_kwargs("shuffleBed", i=str(bed), stream=True, **options)[0]
    try:
        finished = subprocess.run(
            [*(wrapper or ()), find(), "shuffle", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            preexec_fn=_end_with_parent if _prctl and wrapper is None else None,
        )
    except subprocess.TimeoutExpired as error:
        raise DependencyError(
            f"bedtools shuffle did not finish within {timeout_s:.0f} s", "run again, or install another bedtools"
        ) from error
    if finished.returncode != 0 or not _reports_only_unplaced(finished.stderr):
        reason = " ".join(finished.stderr.split())[:200] or f"exit status {finished.returncode}"
        raise DependencyError(f"bedtools shuffle failed ({reason})", "check the installed bedtools")
    return finished.stdout


@cache
def _ending_with_parent() -> list[str] | None:
    """The beginning of a command that ends with the process that started it; None where no program does that.

    `_end_with_parent` does the same, but a function that runs in the child has Python fork, which copies the tables of
    all memory of this process: some 30 ms of CPU time, as much as bedtools itself takes.
    """
    if (program := shutil.which("setpriv")) is None:
        return None
    command = [program, "--pdeathsig", "KILL"]
    # That of busybox has no such option.
    try:
        works = subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return None
    return command if works else None


def _end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it has ended (prctl(2))."""
    if _prctl:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def largest_gap(excluded: Intervals, size: int) -> int:
    """Return the bases of the longest stretch of a sequence that merged intervals leave free."""
    starts = np.append(0, excluded[:, 1])
    ends = np.append(excluded[:, 0], size)
    return int((ends - starts).max())


def _reports_only_unplaced(stderr: str) -> bool:
    """Whether bedtools complains of nothing but intervals that it gave up on, which it does with exit status 0."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    return all("Ignoring entry and moving on" in line or "WARNING" in line[:20].upper() for line in lines)
