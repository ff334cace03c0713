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
"""Of files that take longer to read than a process to start."""
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
        processes: how many of this machine may read. Small files are read by this one alone, and so is everything
            where a file is at an address: this process knows the addresses of its copies, and says what it downloads.

    Raises:
        RaygeneError: that of the first source with an error.
        ResourceError: a process died.
    """
    several = min(processes, len(sources), MOST_PROCESSES)
    sizes = [_size(source) for source in sources]
    if several < 2 or None in sizes or sum(size or 0 for size in sizes) < LARGE_BYTES:
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


def _size(source: SourceConfig) -> int | None:
    """Bytes of the files of a source, None if one is at an address; a file that is missing has none."""
    names = [name for name in (source.fasta, source.annotation, source.aliases) if name]
    paths = [path for name in names if (path := remote.local_path(name)) is not None]
    return sum(map(_bytes, paths)) if len(paths) == len(names) else None


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
