"""What an actor does after all is scored: decode the sequences of a group and write their genes to a file.

A sequence is decoded piece by piece, as its scores lie on disk, so that memory does not grow with its length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from pipelines.build import task_plan
from pipelines.genome import sequence
from pipelines.genome.fasta import Genome
from pipelines.stores.worker_folder import WorkerFolder
from training.annotate import decoded, scores
from training.annotate.sequence_scores import SequenceScores
from training.decoding.called import CalledGene
from training.decoding.decoder import Decoder
from training.decoding.settings import Settings

GROUP_BASES = 1 << 22
TOO_SHORT = "too_short"


def group(sequences: Sequence[SequenceScores]) -> list[list[SequenceScores]]:
    """Sequences that are decoded by one task, in order: up to `GROUP_BASES` bases; a longer one stands alone."""
    return [list(sequences[run]) for run in task_plan.group_sizes([one.length for one in sequences], GROUP_BASES)]


def genes_path(folder: Path, group: int) -> Path:
    """The file of the genes of a group."""
    return folder / f"{group:06d}.jsonl"


class DecodeTasks:
    """Maps a table of group numbers to itself, once the genes of those groups are on disk.

    Args:
        settings: of the decoder.
        genome: gives the bases.
        groups: sequences of every group.
        scores_folder: directory of the scores.
        folder: directory of the genes.
    """

    def __init__(
        self,
        settings: Settings,
        genome: Genome,
        groups: list[list[SequenceScores]],
        scores_folder: WorkerFolder,
        folder: WorkerFolder,
    ) -> None:
        self._settings, self._genome, self._groups = settings, genome, groups
        self._scores_folder, self._folder = scores_folder, folder

    def __call__(self, table: pa.Table) -> pa.Table:
        for number in table["task"].to_pylist():
            dropped: Counter[str] = Counter()
            group = self._groups[number]
            read = sorted({path.name for one in group for path in one.paths(self._scores_folder.path)})
            with self._scores_folder.opened(read) as scored, self._folder.opened() as folder:
                genes = self._genes(group, scored.path, dropped)
                decoded.write(genes, dropped, genes_path(folder.path, number))
        return table

    def _genes(self, sequences: list[SequenceScores], folder: Path, dropped: Counter[str]) -> Iterator[CalledGene]:
        for one in sequences:
            yield from decode(one, self._genome, self._settings, folder, dropped)


def decode(
    located: SequenceScores, genome: Genome, settings: Settings, folder: Path, dropped: Counter[str]
) -> Iterator[CalledGene]:
    """The genes of one sequence, in order.

    Args:
        located: where its scores lie.
        genome: gives the bases.
        settings: of the decoder.
        folder: directory of the scores.
        dropped: gets the number of genes with fewer coding bases than the settings ask for.
    """
    decoder = Decoder(settings, chromosome=located.chromosome)
    for start, end, packed in located.read(folder):
        codes = sequence.base_codes(genome.sequence(located.chromosome, start, end))
        yield from decoder.push(scores.unpack(packed), codes)
    yield from decoder.finish()
    dropped[TOO_SHORT] += decoder.dropped
