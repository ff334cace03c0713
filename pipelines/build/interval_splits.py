"""Intervals to splits: what stays together, and which split each gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines import schema, storage
from pipelines.build import encode_tokens, run_tasks, task_plan
from pipelines.config import DatasetConfig
from pipelines.dataset import mapped_table
from pipelines.genome.labelled import Collection, Sequences
from pipelines.progress import Progress
from pipelines.ray_map import map_tables
from pipelines.splits import assign, families, similar, sketch, sketch_files
from pipelines.splits.named_rows import NamedRows, number_pairs
from pipelines.splits.sketch_files import SketchFiles
from pipelines.stores.staging import RECORDS, Staging


def assign_splits(
    placed: pa.Table,
    collections: Sequence[Collection],
    genomes: dict[str, Sequences],
    config: DatasetConfig,
    staging: Staging,
    progress: Progress,
) -> tuple[pa.Table, pa.Table]:
    """Give every interval an id and a split.

    Args:
        placed: genes and negatives, rows of `place_negatives.PLACED`.
        collections: the labelled sequences, whose rows follow.
        genomes: name to genome or collection.
        config: the sections that decide content.
        staging: what becomes the dataset, where sketches are kept until the leakage is measured.
        progress: shows families that are looked for, and warns of a split at random.

    Returns:
        The interval table, and the dropped rows: genes left out and missing negatives.
    """
    split = config.split
    dropped = placed.filter(pc.not_equal(placed["reason"], ""))
    table = _kept(placed, staging.path / RECORDS / "kept.arrow")
    genes = _number_genes(table) if config.crop.per_gene > 1 and split.by in ("random", "family") else None
    table = table.drop_columns(["gene"])
    # Groups of labelled sequences that must stay together, numbered over all collections; -1 where there is none.
    groups = [np.full(len(table), -1, np.int64)]
    next_group = 0
    for collection in collections:
        groups.append(collection.groups() + next_group)
        next_group = max(next_group, int(groups[-1].max(initial=-1)) + 1)
    table = pa.concat_tables([table, *(collection.rows() for collection in collections)])
    table = table.add_column(0, "interval_id", pa.array(np.arange(len(table))))
    family = _find_families(table, genomes, config, staging, progress) if split.by == "family" else None
    if genes is not None:
        # The windows of a gene stay together though they do not overlap.
        genes = np.append(genes, np.arange(len(table) - len(genes)) + len(table))
        family = genes if family is None else families.merge_groups(family, genes)
    splits = assign.assign(table, split, np.concatenate(groups), family)
    if split.by == "random":
        progress.warn(
            "split: at random, so near-duplicates and neighbours of test intervals are in train; "
            "figures on test will be better than on a genome the model has not seen"
        )
    table = table.drop_columns(["split"]).append_column("split", pa.array(splits, pa.string()))
    return table.select(schema.INTERVALS.names), dropped


def _kept(placed: pa.Table, path: Path) -> pa.Table:
    """Return the rows without a reason to drop them, mapped from a file: those of one task at a time are in memory."""
    columns = [field for field in placed.schema if field.name not in ("requested_length", "reason")]
    names = [field.name for field in columns]
    pieces = (pa.Table.from_batches([batch]) for batch in placed.to_batches())
    kept = (piece.filter(pc.equal(piece["reason"], "")).select(names) for piece in pieces)
    return mapped_table.write(path, pa.schema(columns), kept)


def _number_genes(table: pa.Table) -> NDArray[np.int64]:
    """Return a number below the number of rows that the windows of a gene share, and of its own for any other row."""
    chromosomes = number_pairs(NamedRows(table["genome"]).numbers, NamedRows(table["chromosome"]).numbers)
    numbers: NDArray[np.int64] = number_pairs(chromosomes, table["gene"].to_numpy().astype(np.int64))
    is_window = table["label"].to_numpy() == 1
    _, first, own = np.unique(numbers[is_window], return_index=True, return_inverse=True)
    rows = np.arange(len(table))
    rows[is_window] = np.flatnonzero(is_window)[first][own]
    return rows


def _find_families(
    table: pa.Table, genomes: dict[str, Sequences], config: DatasetConfig, staging: Staging, progress: Progress
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
    table: pa.Table, genomes: dict[str, Sequences], seed: int, staging: Staging, progress: Progress
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
    tasks = task_plan.cut(table)
    missing = [part for number, part in enumerate(tasks) if not sketch_files.is_written(folder, number)]
    if missing:
        mapper = encode_tokens.SketchIntervals(genomes, staging, seed, sketch_spacing(table))
        with progress.stage("sketching intervals", len(table), unit="intervals") as stage:
            for sketched in map_tables(run_tasks.group(missing), encode_tokens.EachTask(mapper)):
                stage.advance(int(sketched["rows"].to_numpy().sum()))
        staging.fetch(sketch_files.PATTERN)
    return SketchFiles(folder, len(tasks))


def how_to_compare(staging: Staging) -> similar.Run:
    """On the cluster where all nodes see the sketches; otherwise on the driver's, which has fetched them."""
    return map_tables if staging.store is None else similar.in_turn


def sketch_spacing(table: pa.Table) -> int:
    """One in how many k-mers of an interval table is sampled to find near-duplicates."""
    return sketch.sample_spacing(int((table["end"].to_numpy() - table["start"].to_numpy()).sum()))
