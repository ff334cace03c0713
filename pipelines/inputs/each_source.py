"""Many sources, read one after another or by several processes of this machine, with the same results and reports."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipelines import remote
from pipelines.config import SourceConfig
from pipelines.errors import RaygeneError
from pipelines.progress import Progress, Recorded
from pipelines.ray_map.children import map_in_children

MOST_PROCESSES = 8
"""Processes that read: each holds the features of a genome."""
LARGE_BYTES = 200_000_000
"""Of files that take longer to read than a process to start; an address counts as so many."""
_T_co = TypeVar("_T_co", covariant=True)


class Read(Protocol[_T_co]):
    """Reads one source and reports what it finds."""

    def __call__(self, source: SourceConfig, /, *, progress: Progress) -> _T_co: ...


def read_each(
    read: Read[_T_co], sources: Sequence[SourceConfig], progress: Progress, processes: int = 1
) -> Generator[_T_co, None, None]:
    """Read sources, and yield the results in their order.

    Args:
        read: reads one; where there are several processes it and its result are pickled.
        sources: genomes.
        progress: gets what is reported of a genome before that genome is yielded.
        processes: how many of this machine may read. Small files are read by this one alone.

    Raises:
        RaygeneError: that of the first source with an error.
        ResourceError: a process died.
    """
    several = min(processes, len(sources), MOST_PROCESSES)
    if several < 2 or sum(map(_size, sources)) < LARGE_BYTES:
        for source in sources:
            yield read(source, progress=progress)
        return
    for outcome in map_in_children(partial(_outcome, read), sources, several):
        outcome.recorded.replay(progress)
        if outcome.error is not None:
            raise outcome.error
        yield outcome.result


@dataclass(frozen=True)
class _Outcome:
    """What has become of a source: what was reported, and its result or its error."""

    recorded: Recorded
    result: Any = None
    error: RaygeneError | None = None


def _outcome(read: Callable[..., Any], source: SourceConfig) -> _Outcome:
    recorded = Recorded()
    try:
        return _Outcome(recorded, read(source, progress=recorded))
    except RaygeneError as error:
        return _Outcome(recorded, error=error)


def _size(source: SourceConfig) -> int:
    """Bytes of the files of a source; a file that is missing has none, and its reader says so."""
    names = [name for name in (source.fasta, source.annotation) if name]
    local = [remote.local_path(name) for name in names]
    return sum(LARGE_BYTES if path is None else _bytes(path) for path in local)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
