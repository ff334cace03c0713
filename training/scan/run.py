"""A scan of a whole genome: actors score its tasks and keep the scores on disk; then tracks and calls are written.

Memory is that of a task in each actor, and in the driver some 30 bytes for each bin of the longest sequence, whatever
the size of the genome. A killed scan resumes with the tasks whose scores are not on disk.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import __version__, fingerprint, storage
from pipelines.errors import InputError
from pipelines.genome import fasta
from pipelines.genome.fasta import Genome
from pipelines.progress import Progress
from pipelines.stores import worker_folder
from training.distributed.nodes.actor_pool import Pool
from training.genome_tasks import staged_tasks
from training.genome_tasks.staged_tasks import StagedTasks
from training.inference import unknown_tokens
from training.inference.scorer import ModelScorer, Scorer
from training.scan import outputs, pieces, scores
from training.scan.calls import Thresholds
from training.scan.grid import Grid
from training.scan.orfs.settings import FrameSettings
from training.scan.outputs import Counts, Frames, Outputs
from training.scan.pieces import Piece
from training.scan.score_tasks import ScoreTasks, score_path
from training.scan.scores import Scores
from training.scan.windows import MAX_UNKNOWN_SHARE

Connect = Callable[[], AbstractContextManager[Any]]
FORMAT, FORMAT_VERSION = "raygene-scan", 1
# Part of the key: raise it when the same inputs give other scores.
REVISION = 2
# Lines of BED and bedGraph that begin so are not data.
RESERVED_NAMES = ("#", "track", "browser")


@dataclass(frozen=True)
class Scan:
    """A scan of one genome with one model.

    Attributes:
        scorer: gives the probability of a window.
        model_fingerprint: identifies the model.
        genome: the genome to scan.
        grid: window and stride.
        thresholds: when a stretch is a call.
        outputs: paths of the files.
        frames: how reading frames are chosen; None for calls.
    """

    scorer: Scorer
    model_fingerprint: str
    genome: Genome
    grid: Grid
    thresholds: Thresholds
    outputs: Outputs
    frames: FrameSettings | None = None

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that decides the scores."""
        parts = (
            REVISION,
            pieces.TASK_BASES,
            self.model_fingerprint,
            self.genome.content,
            self.grid.window,
            self.grid.stride,
        )
        return fingerprint.of_value(list(parts))

    @property
    def staging(self) -> Path:
        """Directory of the scores until the tracks are written."""
        return storage.staging_directory(self.outputs.gff3, self.key)

    @cached_property
    def lengths(self) -> dict[str, int]:
        """Bases of the scanned sequences, in the order of the files."""
        lengths = self.genome.lengths
        return {name: lengths[name] for name in pieces.scanned_sequences(lengths, self.grid)}

    def record(self) -> dict[str, Any]:
        """What the record says besides counts and files."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "raygene": __version__,
            "key": self.key,
            "bundle": self.model_fingerprint,
            "fasta_sha256": self.genome.content,
            "window": self.grid.window,
            "stride": self.grid.stride,
            "thresholds": vars(self.thresholds),
            "sequences": len(self.lengths),
            "too_short": len(self.genome.lengths) - len(self.lengths),
        } | ({"frames": self.frames.record()} if self.frames else {})


def open_genome(path: Path, grid: Grid, progress: Progress) -> Genome:
    """Open the genome of a FASTA file for a scan.

    Raises:
        InputError: missing or damaged, no sequence as long as a window, or a name that BED and bedGraph cannot hold.
    """
    genome = fasta.open_genome(path.name.partition(".")[0], path, progress)
    names = pieces.scanned_sequences(genome.lengths, grid)
    if not names:
        raise InputError(f"{path}: no sequence has the {grid.window} bases of a window", "give a genome")
    if reserved := [name for name in names if name.startswith(RESERVED_NAMES) or not name.isprintable()]:
        raise InputError(
            f"{path}: sequence {reserved[0]!r}: BED and bedGraph take such a line for a comment", "rename it"
        )
    return genome


def scan(job: Scan, connect: Connect | None, workers: int | None, device: str, progress: Progress) -> Counts:
    """Scan, unless it is done already; the same files whatever the workers, and whether it was interrupted or not.

    Args:
        job: what to scan.
        connect: opens Ray, if there is something to score; None: one thread of this process scores, without Ray.
        workers: number of actors (default: as many as the cluster has resources for).
        device: cpu, cuda or auto.
        progress: shows the stages.

    Raises:
        ResourceError: the cluster lacks the workers, or another process writes the same output.
        InputError: most tokens are `<unk>` to the model.
    """
    with storage.only_writer(job.outputs.gff3):
        for path in job.outputs.all:
            storage.remove_partial(path.parent, path.name)
        record, previous = job.record(), job.outputs.read_record() or {}
        same_scores = previous.get("key") == job.key and previous.get("format_version") == FORMAT_VERSION
        same_calls = same_scores and all(previous.get(name) == record.get(name) for name in ("thresholds", "frames"))
        if same_calls and job.outputs.match(previous, job.outputs.files):
            progress.note(f"{job.outputs.gff3}: scanned already; nothing to do")
            return Counts(**previous["counts"])
        if same_scores and job.outputs.match(previous, job.outputs.tracks):
            progress.note("the scores in the existing tracks are used; only the calls are made again")
            counts = _write(job, outputs.read_tracks(job.outputs, job.lengths, job.grid), record, tracks=False)
            outputs.remove_stale(job.outputs, previous)
            return counts
        for leftover in job.staging.parent.glob(f".{job.outputs.gff3.name}.building-*"):
            if leftover != job.staging:
                shutil.rmtree(leftover, ignore_errors=True)
        if isinstance(job.scorer, ModelScorer):
            unknown_tokens.check_windows(
                *(str(job.genome.fasta), job.lengths, job.grid.window, MAX_UNKNOWN_SHARE),
                *(job.genome, job.scorer.tokenizer, progress),
            )
        plan = pieces.plan_tasks(job.genome.lengths, job.grid)
        paths = [score_path(job.staging, number) for number in range(len(plan))]
        bases = [sum(piece.bases(job.grid) for piece in task) for task in plan]
        tasks = StagedTasks(job.staging, paths, bases, "scored")
        if remaining := tasks.remaining(progress):
            with connect() if connect else nullcontext():
                pool = staged_tasks.pool_for(
                    len(remaining), workers, device, "scanning", progress, with_ray=connect is not None
                )
                _score(job, tasks, plan, remaining, pool, progress)
        counts = _write(job, _read_staged(job, plan), record, tracks=True)
        shutil.rmtree(job.staging, ignore_errors=True)
        outputs.remove_stale(job.outputs, previous)
    return counts


def _write(job: Scan, sequences: Iterator[tuple[str, Scores]], record: dict[str, Any], *, tracks: bool) -> Counts:
    frames = Frames(job.genome, job.frames) if job.frames else None
    return outputs.write(
        job.outputs, sequences, job.lengths, job.grid, job.thresholds, record, tracks=tracks, frames=frames
    )


def _score(
    job: Scan,
    tasks: StagedTasks,
    plan: list[list[Piece]],
    remaining: list[int],
    pool: Pool,
    progress: Progress,
) -> None:
    """Score the remaining tasks with a pool of actors, which write the scores to the staging directory."""
    arguments = (job.scorer, job.genome, job.grid, plan, worker_folder.of(job.staging), pool.use_gpu)
    tasks.compute(remaining, ScoreTasks, arguments, pool, "scanning", progress)


def _read_staged(job: Scan, plan: list[list[Piece]]) -> Iterator[tuple[str, Scores]]:
    """Names and scores of shape (2, bins) of every sequence, joined from the files of the tasks."""
    pieces: list[Scores] = []
    for number, task in enumerate(plan):
        task_scores = scores.read(score_path(job.staging, number), sum(piece.bins for piece in task))
        first = 0
        for piece in task:
            pieces.append(task_scores[:, first : first + piece.bins])
            first += piece.bins
            if piece.last == job.grid.bins(piece.length):
                yield piece.chromosome, np.concatenate(pieces, axis=1)
                pieces = []
