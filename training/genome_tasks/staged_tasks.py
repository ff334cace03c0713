"""Tasks of a genome whose results are files: a pool of actors computes those that are missing.

A killed run so resumes with what is not on disk, and the result does not depend on the number of actors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines import storage
from pipelines.errors import ResourceError
from pipelines.progress import Progress
from pipelines.ray_map import map_tables_on_actors
from training.distributed.nodes import actor_pool
from training.distributed.nodes.actor_pool import THIS_PROCESS, Pool
from training.engine.process import threads


@dataclass(frozen=True)
class StagedTasks:
    """Tasks by number.

    Attributes:
        folder: directory in which their files lie.
        paths: file of each task's result.
        bases: of each task.
        done: what is said of a task whose file there is, such as `scored`.
    """

    folder: Path
    paths: Sequence[Path]
    bases: Sequence[int]
    done: str

    def remaining(self, progress: Progress) -> list[int]:
        """Numbers of the tasks whose files are not there; makes the directory, and clears it of unfinished files."""
        storage.make_directory(self.folder)
        storage.remove_partial(self.folder)
        missing = [number for number, path in enumerate(self.paths) if not path.exists()]
        before = len(self.paths) - len(missing)
        if before and missing:
            progress.note(f"resuming: {before:,} of {len(self.paths):,} tasks were {self.done} before")
        elif before:
            which = f"all {before:,} tasks were" if before > 1 else "the only task was"
            progress.note(f"{which} {self.done} before")
        return missing

    def compute(
        self,
        numbers: Sequence[int],
        mapper: type,
        arguments: tuple[Any, ...],
        pool: Pool,
        title: str,
        progress: Progress,
    ) -> None:
        """Compute some tasks: through Ray, or in this process on one thread, as an actor does.

        Args:
            numbers: of the tasks, in the order in which they are begun.
            mapper: class of an actor that maps tables with a column `task` to themselves, once the files are there.
            arguments: of its constructor.
            pool: actors to use.
            title: of the stage that is shown, which counts bases.
            progress: shows it.

        Raises:
            ResourceError: this machine does not see the files that a worker wrote.
        """
        tables = [pa.table({"task": pa.array([number], pa.int64())}) for number in numbers]
        with progress.stage(title, sum(self.bases[number] for number in numbers), unit="bases") as stage:
            for done in _mapped(tables, mapper, arguments, pool):
                for number in done["task"].to_pylist():
                    _require_visible(self.paths[number])
                    stage.advance(self.bases[number])


def pool_for(tasks: int, workers: int | None, device: str, what: str, progress: Progress, *, with_ray: bool) -> Pool:
    """The actors for some tasks, on the cluster that Ray is connected to and no more than there are tasks.

    Args:
        tasks: their number.
        workers: number of actors (default: as many as the cluster has resources for).
        device: cpu, cuda or auto.
        what: they do, such as `scanning`, for a note.
        progress: shows the note.
        with_ray: whether Ray is connected; else this process computes.

    Raises:
        ResourceError: the cluster lacks the workers, or a GPU would be left unused.
    """
    if not with_ray:
        return THIS_PROCESS
    pool = actor_pool.on_cluster(workers, device)
    actors = min(pool.actors, tasks)
    kind = "GPU" if pool.use_gpu else "CPU"
    progress.note(f"{what} on {actors} {kind} worker{'s' if actors > 1 else ''}")
    return Pool(actors, pool.use_gpu)


def _mapped(tables: list[pa.Table], mapper: type, arguments: tuple[Any, ...], pool: Pool) -> Iterable[pa.Table]:
    if not pool.is_this_process:
        yield from map_tables_on_actors(tables, mapper, arguments, pool.actors, use_gpu=pool.use_gpu)
        return
    with threads.limited_to(1):
        yield from map(mapper(*arguments), tables)


def _require_visible(path: Path) -> None:
    """Check that this machine sees what a worker, perhaps on another, wrote."""
    if not path.exists():
        raise ResourceError(
            f"{path}: written by a worker, but this machine does not see it",
            "choose an --output on storage that all machines share",
        )
