"""The annotation of a genome: actors score its tiles, then decode its sequences, then the genes are written.

Scores and decoded genes are files in the directory of scores. A killed run resumes with the tasks whose files are not
there, and another run with other settings computes only what they change. Memory is that of a task in each actor, and
in the driver some hundred bytes for each task and sequence, whatever the size of the genome.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines import __version__, display, fingerprint, storage
from pipelines.errors import InputError
from pipelines.gene_models.model import Gene
from pipelines.genome import fasta
from pipelines.genome.fasta import Genome
from pipelines.progress import Progress
from pipelines.ray_map import shared_actors
from pipelines.stores import worker_folder
from training.annotate import decode_tasks, decoded, sequence_scores, tiles, tracks, writing
from training.annotate.decode_tasks import DecodeTasks
from training.annotate.outputs import Counts, Outputs
from training.annotate.page import page
from training.annotate.page.page import Facts, PageContents
from training.annotate.score_tasks import ScoreTasks, score_path
from training.annotate.scorer import StructureScorer
from training.annotate.sequence_scores import SequenceScores
from training.annotate.tiles import Piece, Tiling
from training.decoding.called import CalledGene
from training.decoding.settings import Settings
from training.distributed.nodes.actor_pool import Pool
from training.genome_tasks import staged_tasks
from training.genome_tasks.staged_tasks import StagedTasks
from training.inference import unknown_tokens

Connect = Callable[[], AbstractContextManager[Any]]
FORMAT, FORMAT_VERSION = "raygene-annotate", 1
# Part of the keys: raise it when the same inputs give other scores, or the same scores other genes.
SCORES_REVISION, GENES_REVISION = 2, 2
MAX_UNKNOWN_SHARE = 0.5
_KEY_LETTERS = 12
_MOST_LISTED = 5
_KEY = re.compile(f"[0-9a-f]{{{_KEY_LETTERS}}}")


@dataclass(frozen=True)
class Annotation:
    """The annotation of one genome with one model.

    Attributes:
        scorer: gives the scores of tiles.
        model_fingerprint: identifies the model.
        genome: the genome.
        tiling: how it is cut into tiles.
        settings: of the decoder.
        outputs: paths of the files.
        min_score: genes with a lower score are left out.
        keep_scores: whether the scores stay, for a run with other settings.
        provenance: names and values of what a page says besides of the model, the genome and the options.
    """

    scorer: StructureScorer
    model_fingerprint: str
    genome: Genome
    tiling: Tiling
    settings: Settings
    outputs: Outputs
    min_score: float = 0.0
    keep_scores: bool = True
    provenance: Facts = ()

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that decides the scores."""
        parts = (SCORES_REVISION, tiles.TASK_BASES, self.model_fingerprint, self.genome.content, vars(self.tiling))
        precision = [] if self.scorer.precision == "fp32" else [self.scorer.precision]
        return fingerprint.of_value([*parts, *precision])

    @cached_property
    def genes_key(self) -> str:
        """SHA-256 of everything that decides which genes are decoded."""
        return fingerprint.of_value(
            [GENES_REVISION, decode_tasks.GROUP_BASES, self.key, self.settings.model_dump(mode="json")]
        )

    @property
    def scores_folder(self) -> Path:
        """Directory of the scores."""
        return self.outputs.scores / self.key[:_KEY_LETTERS]

    @property
    def genes_folder(self) -> Path:
        """Directory of the decoded genes."""
        return self.scores_folder / f"genes-{self.genes_key[:_KEY_LETTERS]}"

    @cached_property
    def plan(self) -> list[list[Piece]]:
        """The pieces of every task of scoring."""
        return tiles.plan_tasks(self.genome.lengths, self.tiling)

    @cached_property
    def sequences(self) -> list[SequenceScores]:
        """Every sequence with a base, in the order of the file."""
        return sequence_scores.locate(self.plan, self.tiling)

    @cached_property
    def lengths(self) -> dict[str, int]:
        """Bases of every sequence that has one, in the order of the file."""
        return {one.chromosome: one.length for one in self.sequences}

    @cached_property
    def groups(self) -> list[list[SequenceScores]]:
        """The sequences of every task of decoding."""
        return decode_tasks.group(self.sequences)

    def scoring(self) -> StagedTasks:
        """The tasks of scoring."""
        paths = [score_path(self.scores_folder, number) for number in range(len(self.plan))]
        bases = [sum(piece.bases(self.tiling) for piece in task) for task in self.plan]
        return StagedTasks(self.scores_folder, paths, bases, "scored")

    def decoding(self) -> StagedTasks:
        """The tasks of decoding."""
        paths = [decode_tasks.genes_path(self.genes_folder, number) for number in range(len(self.groups))]
        bases = [sum(one.length for one in group) for group in self.groups]
        return StagedTasks(self.genes_folder, paths, bases, "decoded")

    def record(self) -> dict[str, Any]:
        """What the record says besides counts and files."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "raygene": __version__,
            "key": self.genes_key,
            "bundle": self.model_fingerprint,
            "fasta_sha256": self.genome.content,
            "tiles": vars(self.tiling),
            "decoding": self.settings.model_dump(mode="json"),
            "min_score": self.min_score,
            "sequences": len(self.sequences),
        }


def open_genome(path: Path, progress: Progress) -> Genome:
    """Open the genome of a FASTA file for an annotation.

    Raises:
        InputError: missing or damaged, or without a base.
    """
    genome = fasta.open_genome(path.name.partition(".")[0], path, progress)
    if not any(genome.lengths.values()):
        raise InputError(f"{path}: every sequence is empty", "give a genome")
    if empty := [name for name, length in genome.lengths.items() if not length]:
        listed = ", ".join(map(display.shown, empty[:_MOST_LISTED])) + (", …" if len(empty) > _MOST_LISTED else "")
        have = display.agreeing(len(empty), "sequence has", "sequences have")
        progress.note(f"{path}: {len(empty):,} {have} no base and can have no gene: {listed}")
    return genome


def annotate(job: Annotation, connect: Connect | None, workers: int | None, device: str, progress: Progress) -> Counts:
    """Annotate, unless it is done already; the same files whatever the workers, and whether interrupted or not.

    Args:
        job: what to annotate.
        connect: opens Ray, if there is something to compute; None: this process computes on one thread of its CPU.
        workers: number of actors (default: as many as the cluster has resources for).
        device: cpu, cuda or auto.
        progress: shows the stages.

    Raises:
        ResourceError: the cluster lacks the workers, or another process writes the same output.
        InputError: most tokens are `<unk>` to the model.
        DependencyError: bigWig is requested, and what writes it is missing.
    """
    outputs = job.outputs
    if outputs.tracks:
        tracks.require_writer()
    with storage.only_writer(outputs.gff3):
        for path in outputs.all:
            storage.remove_partial(path.parent, path.name)
        record, previous = job.record(), outputs.read_record() or {}
        if all(previous.get(name) == value for name, value in record.items()) and outputs.match(previous):
            progress.note(f"{outputs.gff3}: annotated already; nothing to do")
            return Counts(**previous["counts"])
        _remove_others(job)
        _compute(job, connect, workers, device, progress)
        contents = PageContents(job.lengths) if outputs.page else None
        with progress.stage("writing gene models"):
            dropped: Counter[str] = Counter()
            counts = writing.write(
                outputs,
                _decoded_genes(job, dropped),
                job.lengths,
                f"raygene {__version__}, annotate {job.genes_key[:_KEY_LETTERS]}",
                job.genome.sequence,
                job.settings.code,
                job.min_score,
                contents.add if contents else None,
            )
            counts.too_short = dropped[decode_tasks.TOO_SHORT]
        if outputs.tracks:
            with progress.stage("writing bigWig"):
                tracks.write(outputs.tracks, job.sequences, job.lengths, job.scores_folder)
        if outputs.page and contents:
            with progress.stage("writing the page"):
                _write_page(job, outputs.page, contents, counts)
        outputs.write_record(record, counts)
        if not job.keep_scores:
            remove_scores(outputs.scores)
    return counts


def _compute(job: Annotation, connect: Connect | None, workers: int | None, device: str, progress: Progress) -> None:
    """Score and decode what is not on disk."""
    scoring, decoding = job.scoring(), job.decoding()
    to_decode = decoding.remaining(progress)
    to_score = scoring.remaining(progress) if to_decode or job.outputs.tracks or job.outputs.page else []
    if to_score:
        unknown_tokens.check_windows(
            *(str(job.genome.fasta), job.lengths, job.tiling.window, MAX_UNKNOWN_SHARE),
            *(job.genome, job.scorer.tokenizer, progress),
        )
    if not to_score and not to_decode:
        return

    def pool_for(tasks: int, device: str, what: str) -> Pool:
        return staged_tasks.pool_for(tasks, workers, device, what, progress, with_ray=connect is not None)

    with connect() if connect else nullcontext(), shared_actors():
        if to_score:
            pool = pool_for(len(to_score), device, "scoring")
            folder = worker_folder.of(job.scores_folder)
            arguments = (job.scorer, job.genome, job.tiling, job.plan, folder, pool.use_gpu)
            scoring.compute(to_score, ScoreTasks, arguments, pool, "scoring", progress)
        if to_decode:
            pool = pool_for(len(to_decode), "cpu", "decoding")
            longest_first = sorted(to_decode, key=lambda number: -decoding.bases[number])
            folders = worker_folder.of(job.scores_folder), worker_folder.of(job.genes_folder)
            settings = (job.settings, job.genome, job.groups, *folders)
            decoding.compute(longest_first, DecodeTasks, settings, pool, "decoding", progress)


def _decoded_genes(job: Annotation, dropped: Counter[str]) -> Iterator[CalledGene]:
    """All genes, by the order of the sequences in the file and by their first base."""
    for path in job.decoding().paths:
        yield from decoded.read(path, dropped)


def _write_page(job: Annotation, path: Path, contents: PageContents, counts: Counts) -> None:
    def genes() -> Iterator[Gene]:
        for called in writing.numbered(_decoded_genes(job, Counter())):
            if called.support >= job.min_score:
                yield called.gene

    provenance = [
        *job.provenance,
        ("fingerprint of the model", job.model_fingerprint),
        ("SHA-256 of the FASTA file", job.genome.content),
        ("annotation", job.genes_key),
    ]
    decoding = [
        (name, ", ".join(value) if isinstance(value, list) else str(value))
        for name, value in _flat(job.settings.model_dump(mode="json"))
    ]
    page.write(path, contents, counts, genes, job.sequences, job.scores_folder, provenance, decoding)


def _flat(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Keys and values of a document of documents: `weights.start` and its value."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _remove_others(job: Annotation) -> None:
    """Remove the scores of other models and genomes, and genes decoded from these scores by other settings."""
    for folder, current in ((job.outputs.scores, job.scores_folder), (job.scores_folder, job.genes_folder)):
        for other in folder.glob("*"):
            if other != current and _KEY.fullmatch(other.name.removeprefix("genes-")):
                shutil.rmtree(other, ignore_errors=True)


def remove_scores(folder: Path) -> None:
    """Remove the directory of scores; what others put there stays."""
    for inner in folder.glob("*"):
        if _KEY.fullmatch(inner.name):
            shutil.rmtree(inner, ignore_errors=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
