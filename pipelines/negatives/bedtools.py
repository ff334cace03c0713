"""The bedtools program: where it is, which version, and one seeded shuffle through pybedtools.

A shuffle costs a process start (about 10 ms) plus up to 1,000 draws for each interval it cannot place.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pybedtools
from numpy.typing import NDArray

from pipelines.errors import DependencyError
from pipelines.genome.intervals import Intervals


def find() -> Path:
    """The bedtools program on the PATH or beside this Python.

    Raises:
        DependencyError: there is none.
    """
    beside = Path(sys.executable).parent
    found = shutil.which("bedtools") or shutil.which("bedtools", path=str(beside))
    if found is None:
        raise DependencyError(
            "bedtools: program not found",
            "install it with 'apt-get install bedtools', 'conda install -c bioconda bedtools' or 'brew install bedtools'",
        )
    return Path(found)


def version() -> str:
    """The version bedtools tells of itself, such as 2.30.0.

    Raises:
        DependencyError: missing or does not run.
    """
    program = find()
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise DependencyError(f"{program}: does not run ({error})", "install bedtools again") from error
    return told.split()[-1].removeprefix("v")


def shuffle(
    lengths: NDArray[np.int64],
    within: NDArray[np.int64],
    sizes: Sequence[int],
    excluded: Sequence[Intervals],
    seed: int,
    *,
    apart: bool = True,
) -> Intervals:
    """Place intervals at random, each on its sequence, clear of what is excluded and, if `apart`, of each other.

    Args:
        lengths: bases of each interval, shape (n,).
        within: number of the sequence of each, shape (n,).
        sizes: bases of each sequence.
        excluded: of each sequence, merged intervals to keep clear of, shape (m, 2).
        seed: seed of bedtools' generator, 31 bits.
        apart: whether no two may overlap.

    Returns:
        Start and end of each interval, shape (n, 2); -1, -1 where bedtools found no room.

    Raises:
        DependencyError: bedtools is missing or failed.
    """
    placed = np.full((len(lengths), 2), -1, np.int64)
    largest = np.array([_largest_gap(*one) for one in zip(excluded, sizes, strict=True)], np.int64)
    fits = np.flatnonzero(lengths <= largest[within])
    if len(fits) == 0:
        return placed
    pybedtools.helpers.set_bedtools_path(str(find().parent))
    with tempfile.TemporaryDirectory(prefix="raygene-shuffle-") as folder:
        wanted, barred, genome, result = (
            Path(folder, name) for name in ("wanted.bed", "excluded.bed", "genome", "placed.bed")
        )
        wanted.write_text("".join(f"{within[row]}\t0\t{lengths[row]}\t{row}\n" for row in fits))
        barred.write_text(
            "".join(f"{number}\t{start}\t{end}\n" for number, one in enumerate(excluded) for start, end in one)
        )
        genome.write_text("".join(f"{number}\t{size}\n" for number, size in enumerate(sizes)))
        barred_option = {"excl": str(barred)} if barred.stat().st_size else {}
        try:
            pybedtools.BedTool(str(wanted)).shuffle(
                g=str(genome), chrom=True, noOverlapping=apart, seed=seed, output=str(result), **barred_option
            )
        except pybedtools.helpers.BEDToolsError as error:
            if not _only_unplaced(error.msg):
                reason = " ".join(str(error.msg).split())[:200]
                raise DependencyError(f"bedtools shuffle failed ({reason})", "check the installed bedtools") from error
        for line in result.read_text().splitlines():
            _, start, end, row = line.split("\t")
            placed[int(row)] = int(start), int(end)
    return placed


def _largest_gap(excluded: Intervals, size: int) -> int:
    starts = np.append(0, excluded[:, 1])
    ends = np.append(excluded[:, 0], size)
    return int((ends - starts).max())


def _only_unplaced(told: str) -> bool:
    """bedtools exits well but tells of each interval it gave up on; pybedtools takes any such line for a failure."""
    return all("Ignoring entry and moving on" in line for line in told.splitlines() if line.strip())
