"""Genomes to a token dataset: read, place, split, encode, commit.

Reading and splitting run in the driver; placing and encoding are Ray Data maps over tasks that the content alone
decides. Everything is written into a hidden sibling and swapped in at the end, the manifest last. A build whose
inputs and parameters have the fingerprint of what is there does nothing; a killed one goes on from its parts.
"""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines import schema, storage
from pipelines.build import encode_tokens, left_out, manifest, place_negatives, preflight, task_plan
from pipelines.config import DatasetConfig
from pipelines.dataset.token_dataset import MANIFEST, is_whole, read_manifest
from pipelines.errors import DatasetError, RaygeneError, ResourceError
from pipelines.genome.labelled import Collection, read_collection
from pipelines.genome.source import Source, read_source
from pipelines.negatives import bedtools
from pipelines.progress import Progress, Stage
from pipelines.ray_map import map_tables
from pipelines.splits import assign, families, sketch
from pipelines.splits.blocks import Blocks
from pipelines.tokens.tokenizer import Tokenizer

Connect = Callable[[], AbstractContextManager[Any]]
LARGEST_BUNDLE = 4


@dataclass(frozen=True)
class Job:
    """A build whose inputs have been read: all that decides the dataset's bytes.

    Attributes:
        config: the sections that decide content.
        sources: the genomes, read and checked.
        collections: the labelled sequences, read and checked.
        blocks: (genome, chromosome) to its blocks, where it is cut into some.
        tokenizer: the resolved tokenizer; the complete one where train is yet to be counted.
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
        """SHA-256 over inputs, parameters and versions; not over paths, workers or the place of the output."""
        return manifest.dataset_fingerprint(self.config, self.contents, self.tokenizer, self.versions)

    @property
    def genomes(self) -> dict[str, Any]:
        """Name to genome or collection."""
        genomes = {source.genome.name: source.genome for source in self.sources}
        return {**genomes, **{collection.name: collection for collection in self.collections}}

    @property
    def contents(self) -> dict[str, dict[str, str]]:
        """Name of a genome or collection to key of the configuration to SHA-256, in the order of the configuration."""
        found = {source.genome.name: source.contents for source in self.sources}
        found |= {collection.name: collection.contents for collection in self.collections}
        return {source.genome: found[source.genome] for source in self.config.sources}


def prepare(config: DatasetConfig, progress: Progress) -> Job:
    """Read and check every input.

    Raises:
        RaygeneError: a file, bedtools, the tokenizer to reuse or a chromosome named in the split is missing or wrong.
    """
    versions = manifest.versions(bedtools.version())
    tokenizer = Tokenizer.from_config(config.tokenizer)
    with progress.stage("reading genomes", len(config.sources)) as stage:
        sources, collections = [], []
        for source in config.sources:
            stage.describe(source.genome)
            if source.labelled:
                collections.append(read_collection(source))
            else:
                sources.append(read_source(source, config.negatives, progress))
            stage.advance()
    named = {source.genome.name: list(source.lengths) for source in sources}
    named |= {collection.name: [file.chromosome for file in collection.files] for collection in collections}
    assign.check_names(config.split, named)
    blocks = assign.in_blocks(
        {source.genome.name: source.bounds() for source in sources},
        {source.genome.name: source.lengths for source in sources},
        config.split,
    )
    if blocks and config.split.by == "chromosome":
        cut = ", ".join(dict.fromkeys(genome for genome, _ in blocks))
        progress.note(f"split: {cut} cut into contiguous blocks (one or two sequences: none to hold out whole)")
    return Job(config, sources, collections, blocks, tokenizer, versions)


def build(config: DatasetConfig, output: Path, connect: Connect, progress: Progress) -> dict[str, Any]:
    """Build a dataset, unless the same one is there already.

    Args:
        config: the sections that decide content.
        output: the dataset's directory; an earlier dataset there is replaced when the new one is whole.
        connect: opens Ray; called only when there is work.
        progress: told of every stage.

    Returns:
        The manifest.

    Raises:
        RaygeneError: any problem of the inputs, the configuration or the disk. What was there stays as it was.
    """
    output = output.resolve()
    _check_target(output)
    with storage.only_writer(output):
        storage.recover(output)
        return _build(config, output, connect, progress)


def _build(config: DatasetConfig, output: Path, connect: Connect, progress: Progress) -> dict[str, Any]:
    job = prepare(config, progress)
    if current := _current(output, job.fingerprint):
        progress.note(f"{output} is up to date")
        return current
    found = preflight.expected(config, job.sources, job.collections, job.tokenizer)
    preflight.require_disk(preflight.disk_bytes(found, job.tokenizer), output)
    staging = storage.staging_directory(output, job.fingerprint)
    for leftover in output.parent.glob(f".{output.name}.building-*"):
        if leftover != staging:
            shutil.rmtree(leftover, ignore_errors=True)
    try:
        with connect():
            _wake_workers()
            placed = _place(job, progress)
            table, dropped = _divide(job, placed, progress)
            tokenizer = _tokenizer(job, table, progress)
            document = _encode(job, tokenizer, table, staging, progress)
            document[left_out.KEY] = _encode_left_out(job, tokenizer, left_out.rows(dropped, table), staging, progress)
    except ResourceError:
        # What is finished serves the next try, on a larger disk or with more memory.
        raise
    except RaygeneError:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    document |= manifest.accounts(job.sources, placed, table, dropped)
    document["dropped"] |= {collection.name: dict(collection.dropped) for collection in job.collections}
    document |= {"split_in_blocks": list(dict.fromkeys(genome for genome, _ in job.blocks))}
    document |= manifest.identity(config, job.contents, tokenizer, job.versions, job.fingerprint)
    document |= {"leakage": _leakage(table, staging)}
    tokenizer.save(staging)
    shutil.rmtree(staging / encode_tokens.RECORDS)
    storage.remove_partial(staging)
    storage.write_text(staging / MANIFEST, json.dumps(document, indent=1, sort_keys=True) + "\n")
    storage.swap_in(staging, output)
    return document


def _check_target(output: Path) -> None:
    if output.is_file():
        raise DatasetError(f"{output}: is a file", "choose a directory for --output")
    if output.is_dir() and any(output.iterdir()):
        if not (output / MANIFEST).exists():
            raise DatasetError(
                f"{output}: holds files that are not a raygene dataset", "choose another --output, or empty it"
            )
        read_manifest(output)
        known = {MANIFEST, "tokenizer.json", left_out.FOLDER, *(f"split={name}" for name in schema.SPLITS)}
        if other := sorted({path.name for path in output.iterdir()} - known):
            raise DatasetError(
                f"{output}: holds {other[0]}, which a rebuild would remove", "move it out of the dataset"
            )
    storage.make_directory(output.parent)


def _current(output: Path, wanted: str) -> dict[str, Any] | None:
    if not (output / MANIFEST).exists():
        return None
    try:
        found = read_manifest(output)
    except DatasetError:
        return None
    return found if found["fingerprint"] == wanted and is_whole(output, found) else None


def _wake_workers() -> None:
    """Have every CPU's worker import what it will need, without waiting for it.

    A worker that meets its first task while tokens are encoded comes in 0.6 s late, when others have done the work.
    """
    import ray

    wake = ray.remote(num_cpus=1)(_import_encoding)
    for _ in range(min(int(ray.cluster_resources().get("CPU", 1)), task_plan.TASKS)):
        wake.remote()


def _import_encoding() -> None:
    importlib.import_module("pipelines.build.encode_tokens")
    importlib.import_module("ray.data")


def _place(job: Job, progress: Progress) -> pa.Table:
    if not job.sources:
        return place_negatives.PLACED.empty_table()
    tasks = [table for source in job.sources for table in place_negatives.tasks(source, job.blocks)]
    mapper = place_negatives.PlaceNegatives(job.genomes, job.config.negatives, job.config.crop)
    order = {name: number for number, name in enumerate(job.genomes)}
    found = []
    with progress.stage("placing negatives", sum(len(source.lengths) for source in job.sources)) as stage:
        for table in map_tables(tasks, mapper):
            found.append(table)
            stage.advance(len(set(zip(table["genome"].to_pylist(), table["chromosome"].to_pylist(), strict=True))))
    whole = pa.concat_tables(found)
    chromosome_order = {
        (source.genome.name, name): number for source in job.sources for number, name in enumerate(source.lengths)
    }
    keys = zip(whole["genome"].to_pylist(), whole["chromosome"].to_pylist(), strict=True)
    rank = np.array([(order[genome], chromosome_order[genome, name]) for genome, name in keys], np.int64)
    ordered = np.lexsort(
        (
            1 - whole["label"].to_numpy(),
            whole["strand"].to_numpy(zero_copy_only=False) == "-",
            whole["end"].to_numpy(),
            whole["start"].to_numpy(),
            rank[:, 1],
            rank[:, 0],
        )
    )
    return whole.take(pa.array(ordered))


def _divide(job: Job, placed: pa.Table, progress: Progress) -> tuple[pa.Table, pa.Table]:
    """The interval table with ids and splits; and the genes left out and negatives missing."""
    kept = pc.equal(placed["reason"], "")
    dropped = placed.filter(pc.invert(kept))
    table = placed.filter(kept).drop_columns(["wanted", "reason"])
    groups = [np.full(len(table), -1, np.int64)]
    for collection in job.collections:
        table = pa.concat_tables([table, collection.rows()])
        groups.append(collection.groups() + 1 + max(int(found.max(initial=-1)) for found in groups))
    table = table.add_column(0, "interval_id", pa.array(np.arange(len(table))))
    alike = _alike(job, table, progress) if job.config.split.by == "family" else None
    splits = assign.assign(table, job.config.split, np.concatenate(groups), alike)
    if job.config.split.by == "random":
        progress.warn(
            "split: at random, so near-duplicates and neighbours of test intervals are in train; "
            "figures on test will be better than on a genome the model has not seen"
        )
    table = table.drop_columns(["split"]).append_column("split", pa.array(splits, pa.string()))
    return table.select(schema.INTERVALS.names), dropped


def _alike(job: Job, table: pa.Table, progress: Progress) -> NDArray[np.int64]:
    """A number for each interval that similar ones of all genomes share."""
    mapper = encode_tokens.SketchIntervals(job.genomes, job.config.negatives.seed, _density(table))
    parts = [sketch.NO_SKETCHES]
    tasks = _bundles(_tasks(table))
    with progress.stage("sketching intervals", len(tasks)) as stage:
        for found in map_tables(tasks, encode_tokens.EachTask(mapper)):
            parts.append(sketch.Sketches(found["hash"].to_numpy(), found["interval_id"].to_numpy()))
            stage.advance()
    alike = families.alike(sketch.concatenated(parts), len(table), len(job.genomes), job.config.split.identity)
    largest = int(np.bincount(alike).max(initial=0))
    progress.note(
        f"split: {int(alike.max(initial=-1)) + 1:,} families of similar sequences among {len(table):,} intervals, "
        f"the largest of {largest:,}"
    )
    return alike


def _density(table: pa.Table) -> int:
    return sketch.density(int((table["end"].to_numpy() - table["start"].to_numpy()).sum()))


def _tokenizer(job: Job, table: pa.Table, progress: Progress) -> Tokenizer:
    """The job's tokenizer or, where its vocabulary is to be observed, the one that train's rows give."""
    if job.config.tokenizer.vocabulary == "complete":
        return job.tokenizer
    train = table.filter(pa.array(np.array(table["split"].to_pylist(), dtype=object) == "train"))
    counts = np.zeros(job.tokenizer.vocabulary_size, np.int64)
    with progress.stage("counting k-mers of train", len(train)) as stage:
        mapper = encode_tokens.CountTokens(job.genomes, job.tokenizer, job.config.negatives.seed)
        for counted in map_tables(_bundles(_tasks(train)), encode_tokens.EachTask(mapper)):
            np.add.at(counts, counted["token"].to_numpy(), counted["count"].to_numpy())
            stage.advance(int(counted["rows"].to_numpy().sum()))
    observed = job.tokenizer.restrict_to_observed(counts, job.config.tokenizer.min_count)
    progress.note(
        f"vocabulary: {observed.vocabulary_size:,} of {job.tokenizer.vocabulary_size:,} tokens seen at least "
        f"{job.config.tokenizer.min_count:,} times in train"
    )
    return observed


def _tasks(table: pa.Table) -> list[pa.Table]:
    """The interval table cut into tasks, each with its number."""
    limit = task_plan.task_bases(table)
    return [
        table.slice(rows.start, rows.stop - rows.start).append_column(
            "task", pa.array(np.full(rows.stop - rows.start, number))
        )
        for number, rows in enumerate(task_plan.stretches(table, limit))
    ]


def _bundles(tasks: list[pa.Table]) -> list[pa.Table]:
    """Tasks put together where there are many for each CPU: one of Ray's costs some 7 ms, one of ours some 50."""
    import ray

    size = int(np.clip(len(tasks) // (8 * ray.cluster_resources().get("CPU", 1)), 1, LARGEST_BUNDLE))
    return [pa.concat_tables(tasks[first : first + size]) for first in range(0, len(tasks), size)]


def _encode(job: Job, tokenizer: Tokenizer, table: pa.Table, staging: Path, progress: Progress) -> dict[str, Any]:
    storage.make_directory(staging / encode_tokens.RECORDS)
    tasks = _tasks(table)
    mapper = encode_tokens.WriteParts(
        job.genomes, tokenizer, staging.absolute(), job.config.negatives.seed, _density(table)
    )
    with progress.stage("encoding tokens", len(table)) as stage:
        files = _written(tasks, mapper, staging, stage)
    return {"files": files}


def _encode_left_out(
    job: Job, tokenizer: Tokenizer, genes: pa.Table, staging: Path, progress: Progress
) -> dict[str, Any]:
    """Write the genes left out, if there are any; return the manifest's entry on them."""
    if len(genes) == 0:
        return left_out.account(genes, [])
    mapper = left_out.WriteLeftOut(job.genomes, tokenizer, staging.absolute())
    with progress.stage("encoding genes left out", len(genes)) as stage:
        return left_out.account(genes, _written(_tasks(genes), mapper, staging, stage))


def _written(
    tasks: list[pa.Table], mapper: Callable[[pa.Table], pa.Table], staging: Path, stage: Stage
) -> list[dict[str, Any]]:
    """Have a map write every task; the manifest's entries on its files, in the order of their paths."""
    wanted, written, finished = sum(map(len, tasks)), 0, 0
    files = []
    for result in map_tables(_bundles(tasks), encode_tokens.EachTask(mapper)):
        for text in result["record"].to_pylist():
            new = json.loads(text)["files"]
            rows = sum(file["rows"] for file in new)
            stage.advance(rows)
            files += new
            written, finished = written + rows, finished + 1
    if written != wanted or finished != len(tasks):
        raise DatasetError(f"{staging}: {written} rows written instead of {wanted}", "run the build again")
    return sorted(files, key=lambda file: file["path"])


def _leakage(table: pa.Table, staging: Path) -> dict[str, Any]:
    """The share of test intervals (of validation where there is no test) with a near-duplicate in train."""
    splits = np.array(table["split"].to_pylist(), dtype=object)
    scored = "test" if (splits == "test").any() else "validation"
    loaded = [np.load(path) for path in sorted((staging / encode_tokens.RECORDS).glob("*.npz"))]
    every = sketch.concatenated([sketch.Sketches(part["hashes"], part["rows"]) for part in loaded])
    in_train, in_scored = splits[every.rows] == "train", splits[every.rows] == scored
    repeated = sketch.repeats(every, len(set(table["genome"].unique().to_pylist())))
    found = sketch.leakage(every.chosen(in_scored), every.chosen(in_train), repeated)
    return {
        "split": scored,
        "intervals": int((splits == scored).sum()),
        "judged": found.judged,
        "near_duplicates": found.near,
        "share": found.near / found.judged if found.judged else None,
        "k": sketch.K,
        "threshold": sketch.NEAR,
    }
