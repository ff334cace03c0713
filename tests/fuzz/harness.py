"""Reads changed files by the thousand: whatever a file holds, the outcome is valid or an error of one line.

Each case has a random generator of its own, so that a failure is repeated by its number alone. `RAYGENE_FUZZ_CASES`
sets the number of cases of a target, and `RAYGENE_FUZZ_SEED` draws others.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

from pipelines.errors import RaygeneError

CASES = int(os.environ.get("RAYGENE_FUZZ_CASES", "25"))
MANY_CASES = int(os.environ.get("RAYGENE_FUZZ_CASES", "1000"))
"""In the full tests: 20 targets have 20,000 together."""
SEED = os.environ.get("RAYGENE_FUZZ_SEED", "")
SECONDS = 20
BYTES = 1 << 29


@dataclass(frozen=True)
class Target:
    """One kind of file, or of files that are read together.

    Attributes:
        name: of the target.
        check: writes a case's files into a folder, reads them as the product does, and checks what comes out; it may
            raise RaygeneError.
    """

    name: str
    check: Callable[[Random, Path], None]

    def __repr__(self) -> str:
        return self.name


def run_cases(target: Target, folder: Path, cases: int, first: int = 0) -> None:
    """Run cases; a foreign exception, too much memory or too much time fails with the number of the case."""
    for number in range(first, first + cases):
        case = f"{target.name}, case {number}, seed {SEED!r}"
        try:
            with bounded(SECONDS, BYTES):
                target.check(Random(f"{target.name}/{number}/{SEED}"), folder)
        except RaygeneError as error:
            refusal = str(error)
        except Exception as error:
            raise AssertionError(f"{case}: {type(error).__name__}: {str(error)[:300]}") from error
        else:
            continue
        assert len(refusal.strip().splitlines()) == 1, f"{case}: not an error of one line: {refusal!r}"


class TooSlowError(AssertionError):
    """A case took longer than `SECONDS`."""


@contextmanager
def bounded(seconds: float, extra_bytes: int) -> Iterator[None]:
    """Limit the time of a block, and the memory that it may take beyond what the process has."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlowError(f"over {seconds} s")

    handler = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + extra_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def written(folder: Path, name: str, content: bytes) -> Path:
    """A file of a case."""
    path = folder / name
    path.write_bytes(content)
    return path
