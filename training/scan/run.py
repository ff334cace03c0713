"""A scan of a whole genome: tasks over a pool of actors, whose scores are kept as they come; then tracks and calls.

Memory is that of a task in each actor, and in the driver some 30 bytes for each bin of the longest sequence, whatever the
genome. A killed scan goes on with the tasks it lacks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import __version__, fingerprint, storage
from pipelines.errors import InputError, ResourceError
from pipelines.genome import fasta
from pipelines.genome.fasta import Genome
from pipelines.progress import Progress
from pipelines.ray_map import map_tables_on_actors
from training.distributed import actor_pool, gpu_check
from training.distributed.placement import nodes_of
from training.inference.scorer import Scorer
from training.scan import outputs, plan, scores
from training.scan.calls import Thresholds
from training.scan.grid import Grid
from training.scan.outputs import Counts, Outputs
from training.scan.plan import Piece
from training.scan.scores import Scores
from training.scan.work import ScoreTasks, score_path

Connect = Callable[[], AbstractContextManager[Any]]
FORMAT, FORMAT_VERSION = "raygene-scan", 1
# Raised when the same inputs give other scores.
REVISION = 2
# What a line of BED or bedGraph may not begin with.
NO_NAMES = ("#", "track", "browser")


@dataclass(frozen=True)
class Scan:
    """A scan to be made.

    Attributes:
        scorer: gives windows their probability.
        identity: fingerprint of the model.
        genome: what is scanned.
        grid: window and stride.
        thresholds: of calls.
        outputs: where to.
    """

    scorer: Scorer
    identity: str
    genome: Genome
    grid: Grid
    thresholds: Thresholds
    outputs: Outputs

    @cached_property
    def key(self) -> str:
        """SHA-256 of all that decides the scores."""
        parts = (REVISION, plan.TASK_BASES, self.identity, self.genome.content, self.grid.window, self.grid.stride)
        return fingerprint.of_value(list(parts))

    @property
    def staging(self) -> Path:
        """Where scores are kept meanwhile."""
        return storage.staging_directory(self.outputs.gff3, self.key)

    @cached_property
    def lengths(self) -> dict[str, int]:
        """Bases of the scanned sequences, in the order of the files."""
        every = self.genome.lengths
        return {name: every[name] for name in plan.order(every, self.grid)}

    def record(self) -> dict[str, Any]:
        """What the record says beside counts and files."""
        every, scanned = self.genome.lengths, self.lengths
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "raygene": __version__,
            "key": self.key,
            "bundle": self.identity,
            "fasta_sha256": self.genome.content,
            "window": self.grid.window,
            "stride": self.grid.stride,
            "thresholds": vars(self.thresholds),
            "sequences": len(scanned),
            "too_short": len(every) - len(scanned),
        }


def open_genome(path: Path, grid: Grid, progress: Progress) -> Genome:
    """The genome of a FASTA file, to be scanned.

    Raises:
        InputError: missing or damaged, no sequence as long as a window, or a name that BED and bedGraph cannot hold.
    """
    genome = fasta.open_genome(path.name.partition(".")[0], path, progress)
    names = plan.order(genome.lengths, grid)
    if not names:
        raise InputError(f"{path}: no sequence has the {grid.window} bases of a window", "give a genome")
    if odd := [name for name in names if name.startswith(NO_NAMES) or not name.isprintable()]:
        raise InputError(f"{path}: sequence {odd[0]!r}: BED and bedGraph take such a line for a comment", "rename it")
    return genome


def scan(job: Scan, connect: Connect, workers: int | None, device: str, progress: Progress) -> Counts:
    """Scan, unless it is done already; the same files whatever the workers, and whether it was interrupted.

    Args:
        job: what to scan.
        connect: opens Ray, if there is something to score.
        workers: actors (default: as many as the cluster has room for).
        device: cpu, cuda or auto.
        progress: told of the stages.

    Raises:
        ResourceError: the cluster lacks the workers, or another process writes the same output.
    """
    with storage.only_writer(job.outputs.gff3):
        for path in job.outputs.all:
            storage.remove_partial(path.parent, path.name)
        record, known = job.record(), job.outputs.recorded() or {}
        same = known.get("key") == job.key and known.get("format_version") == FORMAT_VERSION
        if same and known.get("thresholds") == record["thresholds"] and job.outputs.are_whole(job.outputs.files, known):
            progress.note(f"{job.outputs.gff3}: scanned already; nothing to do")
            return Counts(**known["counts"])
        if same and job.outputs.are_whole(job.outputs.tracks, known):
            progress.note("scores are those of the tracks that are there; only the calls are made anew")
            return _written(job, outputs.from_tracks(job.outputs, job.lengths, job.grid), record, tracks=False)
        for leftover in job.staging.parent.glob(f".{job.outputs.gff3.name}.building-*"):
            if leftover != job.staging:
                shutil.rmtree(leftover, ignore_errors=True)
        tasks = plan.tasks(job.genome.lengths, job.grid)
        if left := _left(job, tasks, progress):
            with connect():
                _score(job, tasks, left, workers, device, progress)
        counts = _written(job, _staged(job, tasks), record, tracks=True)
        shutil.rmtree(job.staging, ignore_errors=True)
    return counts


def _written(job: Scan, sequences: Iterator[tuple[str, Scores]], record: dict[str, Any], *, tracks: bool) -> Counts:
    return outputs.write(job.outputs, sequences, job.lengths, job.grid, job.thresholds, record, tracks=tracks)


def _left(job: Scan, tasks: list[list[Piece]], progress: Progress) -> list[int]:
    """Numbers of the tasks whose scores are not on disk."""
    storage.make_directory(job.staging)
    storage.remove_partial(job.staging)
    left = [number for number in range(len(tasks)) if not score_path(job.staging, number).exists()]
    if len(left) < len(tasks):
        progress.note(f"{len(tasks) - len(left):,} of {len(tasks):,} pieces were scored before; going on")
    return left


def _score(
    job: Scan, tasks: list[list[Piece]], left: list[int], workers: int | None, device: str, progress: Progress
) -> None:
    """Have the scores of the tasks that are left on disk."""
    import ray

    gpu_check.require(device)
    found = actor_pool.of(nodes_of(ray.nodes()), workers, device)  # type: ignore[no-untyped-call]
    actors = min(found.actors, len(left))
    kind = "GPU" if found.use_gpu else "CPU"
    progress.note(f"scanning on {actors} {kind} worker{'s' if actors > 1 else ''}")
    tables = [pa.table({"task": pa.array([number], pa.int64())}) for number in left]
    given = (job.scorer, job.genome, job.grid, tasks, job.staging.absolute(), found.use_gpu)
    bases = [sum(piece.bases(job.grid) for piece in task) for task in tasks]
    with progress.stage("scanning, bases", sum(bases[number] for number in left)) as stage:
        for done in map_tables_on_actors(tables, ScoreTasks, given, actors, use_gpu=found.use_gpu):
            for number in done["task"].to_pylist():
                _require_here(score_path(job.staging, number))
                stage.advance(bases[number])


def _require_here(path: Path) -> None:
    """What a worker wrote has to be seen here."""
    if not path.exists():
        raise ResourceError(
            f"{path}: written by a worker, but not there for this machine", "choose an --output that all machines share"
        )


def _staged(job: Scan, tasks: list[list[Piece]]) -> Iterator[tuple[str, Scores]]:
    """Names and scores (2, bins) of every sequence, out of the files of the tasks."""
    pieces: list[Scores] = []
    for number, task in enumerate(tasks):
        whole = scores.read(score_path(job.staging, number), sum(piece.bins for piece in task))
        place = 0
        for piece in task:
            pieces.append(whole[:, place : place + piece.bins])
            place += piece.bins
            if piece.last == job.grid.bins(piece.length):
                yield piece.chromosome, np.concatenate(pieces, axis=1)
                pieces = []
