"""The tasks `recognise` and `classify`: genomes and labelled sequences to rows with a label, a split and tokens each.

Reading and splitting run in the driver. Placing and encoding are maps over tasks of Ray that depend on the content
alone. Intervals go from task to task in files: the driver hands out references to them, and holds a byte for each, its
split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import schema, storage
from pipelines.audit import shortened
from pipelines.build import (
    defaults,
    encode_tokens,
    interval_splits,
    left_out,
    manifest,
    place_negatives,
    preflight,
    run_tasks,
    task_plan,
)
from pipelines.build.interval_splits import IntervalTable
from pipelines.build.preflight import Estimate
from pipelines.build.task_plan import OnRows, Task
from pipelines.config import DatasetConfig
from pipelines.config.tasks import CLASSIFY
from pipelines.dataset import split_regions
from pipelines.dataset.table_files import TableFiles
from pipelines.genome.labelled import Collection, read_collection
from pipelines.genome.region import Region
from pipelines.genome.source import Source, read_source
from pipelines.inputs.each_source import read_each
from pipelines.labels import classes
from pipelines.negatives import bedtools
from pipelines.progress import Progress, Stage
from pipelines.ray_map import map_tables
from pipelines.splits import assign, leakage, plan, regions, requirements, sketch
from pipelines.splits.blocks import Blocks
from pipelines.splits.plan import PlannedSplit
from pipelines.stores.staging import RECORDS, Staging
from pipelines.tokens import unknown_share
from pipelines.tokens.tokenizer import Tokenizer

# The files of intervals and of what is dropped.
_ROWS = "*.arrow"


@dataclass(frozen=True)
class PreparedIntervals:
    """A build whose inputs have been read: everything that decides the dataset's bytes.

    Attributes:
        config: the sections that decide content.
        sources: the genomes, read and checked.
        collections: the labelled sequences, read and checked.
        blocks: (genome, chromosome) to its blocks, for chromosomes that are cut into blocks.
        tokenizer: the resolved tokenizer; the complete one where the k-mers of train are not counted yet.
        versions: the software whose version can change the bytes.
    """

    config: DatasetConfig
    sources: list[Source]
    collections: list[Collection]
    blocks: dict[tuple[str, str], Blocks]
    tokenizer: Tokenizer
    versions: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over inputs, parameters and versions; not over paths, workers or the output directory."""
        rules = {source.genome.name: source.rules for source in self.sources if source.rules}
        return manifest.dataset_fingerprint(self.config, self.contents, self.tokenizer, self.versions, rules)

    @property
    def genomes(self) -> dict[str, Any]:
        """Name to genome or collection."""
        genomes = {source.genome.name: source.genome for source in self.sources}
        return {**genomes, **{collection.name: collection for collection in self.collections}}

    @property
    def genomes_in_blocks(self) -> list[str]:
        """The genomes of which chromosomes are cut."""
        is_by_region = self.config.split.by == "region"
        return list(
            dict.fromkeys(
                genome for (genome, _), blocks in self.blocks.items() if len(blocks.ends) > 1 or not is_by_region
            )
        )

    def split_regions(self) -> dict[str, list[Region]]:
        """The regions of each split, of the chromosomes that are cut into blocks or regions."""
        found: dict[str, list[Region]] = {split: [] for split in schema.SPLITS}
        for (genome, chromosome), blocks in self.blocks.items():
            starts = [0, *blocks.ends[:-1].tolist()]
            for start, end, split in zip(starts, blocks.ends.tolist(), blocks.splits, strict=True):
                found[split].append(Region(genome, chromosome, start, end))
        return {split: listed for split, listed in found.items() if listed}

    @property
    def contents(self) -> dict[str, dict[str, str]]:
        """SHA-256 of each input, by genome or collection and configuration key, in the configuration's order."""
        digests = {source.genome.name: source.contents for source in self.sources}
        digests |= {collection.name: collection.contents for collection in self.collections}
        return {source.genome: digests[source.genome] for source in self.config.sources}

    @cached_property
    def estimates(self) -> list[Estimate]:
        """What every source will contribute at most, genomes first."""
        return preflight.estimate(self.config, self.sources, self.collections, self.tokenizer)

    def splits(self) -> list[PlannedSplit]:
        """What each split will hold, as far as it is known before negatives are placed."""
        return plan.of_intervals(
            {source.genome.name: source.bounds() for source in self.sources},
            {source.genome.name: source.lengths for source in self.sources},
            self.blocks,
            [(collection.rows(), collection.groups()) for collection in self.collections],
            self.config.split,
        )

    def write(self, staging: Staging, progress: Progress) -> tuple[dict[str, Any], Tokenizer]:
        """Write the dataset's rows and the genes left out; return the manifest and the tokenizer of the rows."""
        files, dropped = _place_negatives(self, staging, progress)
        table = interval_splits.assign_splits(files, self.collections, self.genomes, self.config, staging, progress)
        tokenizer = _resolve_tokenizer(self, table, staging, progress)
        document = _encode_rows(self, tokenizer, table, staging, progress)
        has_several = self.config.crop.per_gene > 1
        document[left_out.KEY] = _encode_left_out(self, tokenizer, dropped, table, staging, progress)
        document |= manifest.describe_contents(self.sources, table, dropped, has_several=has_several)
        document["dropped"] |= {collection.name: dict(collection.dropped) for collection in self.collections}
        document |= {"split_in_blocks": self.genomes_in_blocks}
        if self.blocks:
            document |= {split_regions.KEY: split_regions.describe(self.split_regions())}
        document |= manifest.describe_inputs(self.config, self.contents, tokenizer, self.versions, self.fingerprint)
        return document | {"leakage": _measure_leakage(self, table, staging, progress)}, tokenizer


def prepare(config: DatasetConfig, progress: Progress, processes: int = 1) -> PreparedIntervals:
    """Read and check every input.

    Args:
        config: the sections that decide content.
        progress: reports what is read.
        processes: how many of this machine may read genomes.

    Raises:
        RaygeneError: a file, bedtools, the tokenizer to reuse or a chromosome named in the split is missing or wrong.
    """
    versions = manifest.versions(bedtools.version())
    tokenizer = Tokenizer.from_config(config.tokenizer)
    for key, reason in defaults.unread(config):
        progress.warn(f"{key}: changes nothing here: {reason}")
    annotated = [source for source in config.sources if not source.labelled]
    read = partial(read_source, negatives=config.negatives)
    with (
        progress.stage("reading genomes", len(config.sources), unit="genomes") as stage,
        closing(read_each(read, annotated, progress, processes)) as each,
    ):
        sources, collections = [], []
        for source in config.sources:
            stage.describe(source.genome)
            if source.labelled:
                of_classes = config.task == CLASSIFY
                collections.append(read_collection(source, progress.note, of_classes=of_classes))
                _warn_of_labels(collections[-1], progress)
                _warn_of_contradictions(collections[-1], progress)
            else:
                sources.append(next(each))
            stage.advance()
    if config.task == CLASSIFY:
        config = _with_numbered_classes(config, collections)
    chromosomes = {source.genome.name: list(source.lengths) for source in sources}
    chromosomes |= {collection.name: [file.chromosome for file in collection.files] for collection in collections}
    assign.check_names(config.split, chromosomes)
    assign.require_disjoint(config.split, chromosomes)
    if config.split.by == "region":
        sources, blocks = regions.cut(sources, config.split)
    else:
        blocks = assign.cut_into_blocks(
            {source.genome.name: source.bounds() for source in sources},
            {source.genome.name: source.lengths for source in sources},
            config.split,
        )
    if blocks and config.split.by == "chromosome":
        genomes = ", ".join(dict.fromkeys(genome for genome, _ in blocks))
        progress.note(f"split: {genomes} cut into contiguous blocks (one or two sequences: none to hold out whole)")
    prepared = PreparedIntervals(config, sources, collections, blocks, tokenizer, versions)
    if config.task != CLASSIFY:
        requirements.require_genes(prepared.splits(), config)
    for text in shortened.expected_warnings(config, sources):
        progress.warn(text)
    return prepared


def _with_numbered_classes(config: DatasetConfig, collections: Sequence[Collection]) -> DatasetConfig:
    """The configuration with the names of all classes, by which the rows of the collections are numbered.

    Raises:
        UsageError: as `classes.resolved`.
    """
    labels = [name for collection in collections for name in collection.classes]
    names = classes.resolved(labels, config.classes)
    for collection in collections:
        collection.number_classes(names)
    return config.model_copy(update={"classes": names})


def _warn_of_labels(collection: Collection, progress: Progress) -> None:
    """Warn of labels that no sequence uses."""
    if unused := collection.dropped["label_without_sequence"]:
        progress.warn(f"{collection.name}: {unused:,} labels have names that no sequence has")
    if any(file.labels for file in collection.files) and not collection.reads_labels:
        progress.warn(f"{collection.name}: sources.labels is not used; CSV and TSV have labels of their own")


def _warn_of_contradictions(collection: Collection, progress: Progress) -> None:
    """Warn of equal sequences with different labels, which no model can tell apart."""
    sequences, rows = collection.contradictions()
    if sequences:
        several = "several labels" if collection.of_classes else "both labels"
        progress.warn(
            f"{collection.name}: {sequences:,} sequences have {several}, in {rows:,} of {len(collection.rows()):,} "
            "rows (reverse complements count as equal); no model can tell these apart"
        )


def _place_negatives(
    prepared: PreparedIntervals, staging: Staging, progress: Progress
) -> tuple[TableFiles, TableFiles]:
    """Place the negatives of every task that has no files yet; return all intervals, and what is dropped.

    Intervals are sorted by genome, chromosome and position; those of labelled sequences come last. Of each task that
    places negatives there is a file of either kind.
    """
    folder = staging.path / RECORDS
    storage.make_directory(folder)
    staging.fetch(_ROWS)
    mapper = place_negatives.WritePlaced(
        place_negatives.PlaceNegatives(prepared.genomes, prepared.config.negatives, prepared.config.crop), staging
    )
    tasks = sum(len(task_plan.group_sizes(source.lengths.values())) for source in prepared.sources)
    names = [place_negatives.INTERVALS_FILE.format(number) for number in range(tasks)]
    dropped = [place_negatives.DROPPED_FILE.format(number) for number in range(tasks)]
    is_missing = [not (folder / name).exists() for name in names]
    sequences = sum(len(source.lengths) for source in prepared.sources)
    with progress.stage("placing negatives", sequences, unit="sequences") as stage:
        for placed in map_tables(_tables_to_place(prepared, is_missing), mapper) if any(is_missing) else ():
            stage.advance(int(placed["sequences"].to_numpy().sum()))
    names += interval_splits.write_collections(prepared.collections, staging, tasks)
    staging.fetch(_ROWS)
    return TableFiles(staging, names), TableFiles(staging, dropped)


def _tables_to_place(prepared: PreparedIntervals, is_missing: Sequence[bool]) -> Iterator[pa.Table]:
    """Yield the table of each task that places negatives whose files are missing, with its number in `task`."""
    number = 0
    for source in prepared.sources:
        for table in place_negatives.chromosome_tables(source, prepared.blocks, prepared.config.crop):
            if is_missing[number]:
                yield table.append_column("task", pa.array(np.full(len(table), number)))
            number += 1


def _resolve_tokenizer(
    prepared: PreparedIntervals, table: IntervalTable, staging: Staging, progress: Progress
) -> Tokenizer:
    """Return the prepared tokenizer or, for an observed vocabulary, its restriction to the k-mers of train."""
    tokenizer, min_count = prepared.tokenizer, prepared.config.tokenizer.min_count
    if prepared.config.tokenizer.vocabulary == "complete":
        return tokenizer
    counts = np.zeros(tokenizer.vocabulary_size, np.int64)
    with progress.stage("counting k-mers of train", int(table.of_split("train").sum()), unit="intervals") as stage:
        mapper = encode_tokens.CountTokens(prepared.genomes, tokenizer, prepared.config.negatives.seed)
        for counted in run_tasks.map_tasks(table.references(), OnRows(mapper, staging)):
            np.add.at(counts, counted["token"].to_numpy(), counted["count"].to_numpy())
            stage.advance(int(counted["rows"].to_numpy().sum()))
    observed = tokenizer.restrict_to_observed(counts, min_count)
    progress.note(
        f"vocabulary: {observed.vocabulary_size:,} of {tokenizer.vocabulary_size:,} tokens seen at least "
        f"{min_count:,} times in train"
    )
    return observed


def _encode_rows(
    prepared: PreparedIntervals, tokenizer: Tokenizer, table: IntervalTable, staging: Staging, progress: Progress
) -> dict[str, Any]:
    """Write the dataset's rows; return the manifest's entry on the files."""
    seed = prepared.config.negatives.seed
    mapper = encode_tokens.WriteParts(prepared.genomes, tokenizer, staging, seed, table.sketch_spacing)
    unknown: dict[str, Counter[str]] = {}
    with progress.stage("encoding tokens", len(table), unit="intervals") as stage:
        files = _write_tasks(table.tasks, table.references(), mapper, staging, stage, unknown)
    section = prepared.config.tokenizer
    for name, counts in unknown.items():
        share = counts["unknown_tokens"] / max(counts["tokens"], 1)
        limits = (section.warn_unknown, section.max_unknown)
        unknown_share.check(name, share, *limits, "tokenizer.max_unknown", progress)
    return {"files": files}


def _encode_left_out(
    prepared: PreparedIntervals,
    tokenizer: Tokenizer,
    dropped: TableFiles,
    table: IntervalTable,
    staging: Staging,
    progress: Progress,
) -> dict[str, Any]:
    """Write the genes left out, if there are any; return the manifest's entry on them."""
    has_several = prepared.config.crop.per_gene > 1
    genes = left_out.write_rows(dropped, table, staging, has_several=has_several)
    tasks = task_plan.cut(genes)
    if not tasks:
        return left_out.manifest_entry(genes, [])
    mapper = left_out.WriteLeftOut(prepared.genomes, tokenizer, staging)
    references = task_plan.references(tasks, genes, first_id=len(table))
    with progress.stage("encoding genes left out", sum(map(len, tasks)), unit="genes") as stage:
        return left_out.manifest_entry(genes, _write_tasks(tasks, references, mapper, staging, stage))


def _write_tasks(
    tasks: list[Task],
    references: list[pa.Table],
    mapper: Callable[[pa.Table], pa.Table],
    staging: Staging,
    stage: Stage,
    tokens_of: dict[str, Counter[str]] | None = None,
) -> list[dict[str, Any]]:
    """Have a map write every task; return the manifest's entries on the files, in the order of their paths.

    Args:
        tasks: of the rows to write.
        references: to the rows of each task.
        mapper: writes the files of a task's rows, and returns its record.
        staging: what becomes the dataset.
        stage: shows the rows that are written.
        tokens_of: receives `tokens` and `unknown_tokens` of each genome.

    Raises:
        DatasetError: the records do not add up to all rows and tasks.
    """
    files = []
    for record in run_tasks.write(references, OnRows(mapper, staging), sum(map(len, tasks)), staging, stage):
        if tokens_of is not None:
            counts = tokens_of.setdefault(tasks[record["task"]].genome, Counter())
            for key in ("tokens", "unknown_tokens"):
                counts[key] += sum(file[key] for file in record["files"])
        files += record["files"]
    return run_tasks.by_path(files)


def _measure_leakage(
    prepared: PreparedIntervals, table: IntervalTable, staging: Staging, progress: Progress
) -> dict[str, Any]:
    """Return the shares of test intervals (of validation without a test split) that are like one in train."""
    in_split = {split: table.of_split(split) for split in schema.SPLITS}
    scored = "test" if in_split["test"].any() else "validation"
    seed, genomes = prepared.config.negatives.seed, len({task.genome for task in table.tasks})
    # Encoding wrote them, but for the parts that an earlier version encoded before the build was killed.
    sketches = interval_splits.sketch_intervals(table, prepared.genomes, seed, staging, progress)
    folder = staging.path / RECORDS / "leakage"
    with progress.stage("measuring leakage"):
        run = interval_splits.how_to_compare(staging)
        found = leakage.measure(sketches, folder, in_split[scored], in_split["train"], genomes, run)
    return {
        "split": scored,
        "intervals": int(in_split[scored].sum()),
        "evaluated": found.evaluated,
        "near_duplicates": found.near,
        "share": found.near / found.evaluated if found.evaluated else None,
        "k": sketch.K,
        "threshold": leakage.NEAR,
        "similar": found.similar,
        "similar_share": found.similar / found.evaluated if found.evaluated else None,
        "similar_identity": leakage.SIMILAR_IDENTITY,
    }
