"""Intervals to splits: what stays together, and which split each gets.

The driver holds a byte for each interval, its split; the intervals themselves lie in files.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines import schema, storage
from pipelines.build import encode_tokens, place_negatives, run_tasks, task_plan
from pipelines.build.task_plan import OnRows, Task
from pipelines.config import DatasetConfig
from pipelines.dataset import table_files
from pipelines.dataset.table_files import TableFiles
from pipelines.genome.labelled import Collection, Sequences
from pipelines.progress import Progress
from pipelines.ray_map import map_tables
from pipelines.splits import assign, families, requirements, similar, sketch, sketch_files
from pipelines.splits.assign import Codes
from pipelines.splits.chromosome_runs import Runs
from pipelines.splits.named_rows import number_pairs
from pipelines.splits.sketch_files import SketchFiles
from pipelines.stores.staging import RECORDS, Staging


@dataclass(frozen=True)
class IntervalTable:
    """The interval table in files of whole chromosomes, each of one genome.

    Attributes:
        files: rows of `place_negatives.INTERVALS`.
        splits: of each row, shape (rows,); None until they are assigned.
    """

    files: TableFiles
    splits: Codes | None = None

    @cached_property
    def tasks(self) -> list[Task]:
        """The tasks that encode it."""
        return task_plan.cut(self.files)

    @cached_property
    def firsts(self) -> list[int]:
        """The number of the first row of each file, and that of all rows."""
        return [0, *np.cumsum([len(table) for table in self.files], dtype=np.int64).tolist()]

    def __len__(self) -> int:
        return self.firsts[-1]

    def __iter__(self) -> Iterator[pa.Table]:
        """The rows of each file, with `interval_id` and `split`, as `schema.INTERVALS` and with further columns."""
        for table, first in zip(self.files, self.firsts, strict=False):
            yield task_plan.with_ids(
                table, first, None if self.splits is None else self.splits[first : first + len(table)]
            )

    def of_split(self, split: str) -> NDArray[np.bool_]:
        """Whether each row is of a split, shape (rows,)."""
        if self.splits is None:
            raise AssertionError("no split is assigned yet")
        return self.splits == schema.SPLITS.index(split)

    def references(self) -> list[pa.Table]:
        """A table of `task_plan.REFERENCES` for each task."""
        return task_plan.references(self.tasks, self.files, self.splits)

    @cached_property
    def bases(self) -> int:
        """Of all intervals together."""
        return sum(int((table["end"].to_numpy() - table["start"].to_numpy()).sum()) for table in self.files)

    @property
    def sketch_spacing(self) -> int:
        """One in how many k-mers is sampled to find near-duplicates."""
        return sketch.sample_spacing(self.bases)


def write_collections(collections: Sequence[Collection], staging: Staging, first: int) -> list[str]:
    """Write the rows of labelled sequences to files like those of intervals of genomes, and return the files' names.

    Args:
        collections: the labelled sequences.
        staging: receives a file for each of theirs.
        first: number of the first file.
    """
    names: list[str] = []
    for batch in itertools.chain.from_iterable(collection.rows().to_batches() for collection in collections):
        rows = pa.Table.from_batches([batch]).append_column("gene", pa.array(np.arange(len(batch))))
        rows = rows.append_column("requested_length", pc.subtract(rows["end"], rows["start"]))
        names.append(place_negatives.INTERVALS_FILE.format(first + len(names)))
        with staging.task_folder() as folder:
            table_files.write(folder, names[-1], rows.select(place_negatives.INTERVALS.names))
    return names


def assign_splits(
    files: TableFiles,
    collections: Sequence[Collection],
    genomes: dict[str, Sequences],
    config: DatasetConfig,
    staging: Staging,
    progress: Progress,
) -> IntervalTable:
    """Give every interval a split.

    Args:
        files: all intervals, those of labelled sequences last.
        collections: the labelled sequences.
        genomes: name to genome or collection.
        config: the sections that decide content.
        staging: what becomes the dataset, where sketches are kept until the leakage is measured.
        progress: shows families that are looked for, and warns of a split at random.
    """
    split, table = config.split, IntervalTable(files)
    family: NDArray[np.integer] | None = None
    if split.by == "family":
        family = _find_families(table, genomes, config, staging, progress)
    if config.crop.per_gene > 1 and split.by in ("random", "family"):
        # The windows of a gene stay together though they do not overlap.
        genes = _number_genes(files, len(table))
        family = genes if family is None else families.merge_groups(family, genes)
    groups = _number_groups(collections, len(table))
    splits = assign.assign(files, split, groups, family)
    requirements.require_classes(splits, files, config)
    if split.by == "random":
        progress.warn(
            "split: at random, so near-duplicates and neighbours of test intervals are in train; "
            "figures on test will be better than on a genome the model has not seen"
        )
    return IntervalTable(files, splits)


def _number_groups(collections: Sequence[Collection], rows: int) -> NDArray[np.int32] | None:
    """Return the group of each row of labelled sequences that must stay together, numbered over all; -1 for others."""
    if not collections:
        return None
    groups, following = [], 0
    for collection in collections:
        groups.append(collection.groups() + following)
        following = max(following, int(groups[-1].max(initial=-1)) + 1)
    labelled = np.concatenate(groups)
    numbers = np.full(rows, -1, np.int32)
    numbers[rows - len(labelled) :] = labelled
    return numbers


def _number_genes(files: TableFiles, rows: int) -> NDArray[np.int32]:
    """Return a number below the number of rows that the windows of a gene share, and of its own for any other row."""
    numbers = np.arange(rows, dtype=np.int32)
    first = 0
    for table in files:
        runs = Runs.of([table])
        genes = number_pairs(runs.of_rows(runs.numbers), table["gene"].to_numpy())
        windows = first + np.flatnonzero(table["label"].to_numpy() == 1)
        _, firsts, own = np.unique(genes[windows - first], return_index=True, return_inverse=True)
        numbers[windows] = windows[firsts][own]
        first += len(table)
    return numbers


def _find_families(
    table: IntervalTable, genomes: dict[str, Sequences], config: DatasetConfig, staging: Staging, progress: Progress
) -> NDArray[np.int64]:
    """Return the family of each interval, a number that similar intervals of all genomes share, shape (rows,)."""
    sketches = sketch_intervals(table, genomes, config.negatives.seed, staging, progress)
    with progress.stage("comparing sketches"):
        folder = staging.path / RECORDS / "families"
        family = families.similar_groups(
            sketches, folder, len(table), len(genomes), config.split.identity, how_to_compare(staging)
        )
    largest = int(np.bincount(family).max(initial=0))
    progress.note(
        f"split: {int(family.max(initial=-1)) + 1:,} families of similar sequences among {len(table):,} intervals, "
        f"the largest of {largest:,}"
    )
    return family


def sketch_intervals(
    table: IntervalTable, genomes: dict[str, Sequences], seed: int, staging: Staging, progress: Progress
) -> SketchFiles:
    """Write the sketches of every task that has none yet; return those of all intervals.

    Args:
        table: the interval table.
        genomes: name to genome or collection.
        seed: `negatives.seed`.
        staging: what becomes the dataset.
        progress: shows the tasks.
    """
    folder = staging.path / RECORDS
    storage.make_directory(folder)
    staging.fetch(sketch_files.PATTERN)
    missing = [task for task in table.tasks if not sketch_files.is_written(folder, task.number)]
    if missing:
        mapper = encode_tokens.SketchIntervals(genomes, staging, seed, table.sketch_spacing)
        tasks = task_plan.references(missing, table.files, table.splits)
        with progress.stage("sketching intervals", len(table), unit="intervals") as stage:
            for sketched in run_tasks.map_tasks(tasks, OnRows(mapper, staging)):
                stage.advance(int(sketched["rows"].to_numpy().sum()))
        staging.fetch(sketch_files.PATTERN)
    return SketchFiles(folder, len(table.tasks))


def how_to_compare(staging: Staging) -> similar.Run:
    """On the cluster where all nodes see the sketches; otherwise on the driver's, which has fetched them."""
    return map_tables if staging.store is None else similar.in_turn
