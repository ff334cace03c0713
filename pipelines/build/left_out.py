"""Genes that a build leaves out of a dataset, kept alongside it so that a model's recall on them can be measured.

They are encoded like the dataset's rows and lie in a folder whose name starts with an underscore, which readers of
partitioned datasets skip. Costs what encoding them costs; finding those that share bases with train is a sort.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines import schema
from pipelines.build import encode_tokens
from pipelines.build.interval_splits import IntervalTable
from pipelines.dataset import columns, parts, table_files
from pipelines.dataset.manifest import LEFT_OUT
from pipelines.dataset.row_checks import checked_row_groups
from pipelines.dataset.table_files import TableFiles
from pipelines.genome import intervals, sequence
from pipelines.genome.labelled import Sequences
from pipelines.stores.staging import Staging
from pipelines.tokens.tokenizer import Tokenizer

FOLDER = LEFT_OUT
KEY = "left_out"
_ROWS_FILE = "left-out-{:05d}.arrow"


def write_rows(dropped: TableFiles, table: IntervalTable, staging: Staging, *, has_several: bool = False) -> TableFiles:
    """Write the genes among dropped records to files, one for each file of theirs with a gene, as `make_rows` has them.

    Args:
        dropped: rows of `place_negatives.PLACED`; the files of intervals begin with those of the same tasks.
        table: the dataset's interval table.
        staging: receives the files.
        has_several: whether genes have several windows.
    """
    names: list[str] = []
    rows = 0
    for number, (records, own) in enumerate(zip(dropped, table, strict=False)):
        if not pc.any(pc.equal(records["label"], 1)).as_py():
            continue
        genes = make_rows(records, own, len(table) + rows, has_several=has_several)
        names.append(_ROWS_FILE.format(number))
        with staging.task_folder() as folder:
            table_files.write(folder, names[-1], genes)
        rows += len(genes)
    return TableFiles(staging, names)


def make_rows(dropped: pa.Table, table: pa.Table, first_id: int, *, has_several: bool = False) -> pa.Table:
    """Return the genes among dropped records, as rows of the interval table with `reason` and `overlaps_train`.

    Args:
        dropped: rows of `place_negatives.PLACED` of whole chromosomes, sorted like the dataset's rows.
        table: the dataset's interval table of the same chromosomes.
        first_id: the id of the first gene.
        has_several: whether genes have several windows. Then a row is a window, and one of whose gene another window is
            in train counts as overlapping it.

    Returns:
        `split` is that of their block or of all rows of their chromosome; it is null where those rows are of several
        splits or there are none.
    """
    genes = dropped.filter(pc.equal(dropped["label"], 1))
    names = list(schema.INTERVALS.names)
    ids = pa.array(np.arange(first_id, first_id + len(genes)))
    rows = genes.append_column("interval_id", ids).select([*names, "reason"])
    gene_chromosomes, row_chromosomes = _number_chromosomes(genes, table)
    split = pa.array(_find_splits(genes, gene_chromosomes, table, row_chromosomes), pa.string())
    rows = rows.set_column(names.index("split"), "split", split)
    overlaps_train = _find_overlaps_with_train(genes, gene_chromosomes, table, row_chromosomes)
    if has_several:
        overlaps_train |= _find_genes_in_train(genes, gene_chromosomes, table, row_chromosomes)
    return rows.append_column("overlaps_train", pa.array(overlaps_train))


def _number_chromosomes(genes: pa.Table, table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a number for each gene and for each row, equal where genome and chromosome are equal."""
    names = pa.concat_tables([rows.select(["genome", "chromosome"]) for rows in (genes, table)]).combine_chunks()
    number = np.zeros(len(names), np.int64)
    for name in ("genome", "chromosome"):
        codes = pc.dictionary_encode(names[name]).combine_chunks().indices.to_numpy(zero_copy_only=False)
        number = number * (int(codes.max(initial=0)) + 1) + codes
    number = np.unique(number, return_inverse=True)[1].astype(np.int64)
    return number[: len(genes)], number[len(genes) :]


def _find_splits(
    genes: pa.Table, gene_chromosomes: NDArray[np.int64], table: pa.Table, row_chromosomes: NDArray[np.int64]
) -> list[str | None]:
    """Return the split of each gene's block, or else of its chromosome's rows if they share one."""
    codes = pc.index_in(table["split"], pa.array(schema.SPLITS)).to_numpy()
    chromosomes = int(max(gene_chromosomes.max(initial=-1), row_chromosomes.max(initial=-1))) + 1
    lowest, highest = np.full(chromosomes, len(schema.SPLITS)), np.full(chromosomes, -1)
    np.minimum.at(lowest, row_chromosomes, codes)
    np.maximum.at(highest, row_chromosomes, codes)
    of_chromosome = [schema.SPLITS[low] if low == high else None for low, high in zip(lowest, highest, strict=True)]
    block_splits = genes["split"].to_pylist()
    return [
        block_split or of_chromosome[number]
        for block_split, number in zip(block_splits, gene_chromosomes.tolist(), strict=True)
    ]


def _find_overlaps_with_train(
    genes: pa.Table, gene_chromosomes: NDArray[np.int64], table: pa.Table, row_chromosomes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether each gene shares a base with a row of train, shape (genes,)."""
    # All chromosomes end to end on one axis, each as long as the longest.
    size = int(max(np.max(rows["end"].to_numpy(), initial=0) for rows in (genes, table)))
    gene_bounds, row_bounds = (
        np.stack([rows["start"].to_numpy(), rows["end"].to_numpy()], axis=1) + number[:, None] * size
        for rows, number in ((genes, gene_chromosomes), (table, row_chromosomes))
    )
    in_train = pc.equal(table["split"], "train").to_numpy()
    return intervals.overlaps(gene_bounds, intervals.merge(row_bounds[in_train]))


def _find_genes_in_train(
    genes: pa.Table, gene_chromosomes: NDArray[np.int64], table: pa.Table, row_chromosomes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether another window of each gene is in train, shape (genes,)."""
    ids = pa.concat_tables([rows.select(["gene_id"]) for rows in (genes, table)])["gene_id"].combine_chunks()
    codes = pc.fill_null(ids.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    numbers = np.concatenate([gene_chromosomes, row_chromosomes]) * (len(ids) + 1) + codes
    in_train = pc.and_(pc.equal(table["split"], "train"), pc.equal(table["label"], 1)).to_numpy()
    return np.isin(numbers[: len(genes)], numbers[len(genes) :][in_train])


@dataclass(frozen=True)
class WriteLeftOut:
    """A map over a task's table of left-out genes that writes their rows and returns one record, as JSON.

    Attributes:
        genomes: name to genome.
        tokenizer: turns bases into ids.
        staging: what becomes the dataset.
    """

    genomes: dict[str, Sequences]
    tokenizer: Tokenizer
    staging: Staging

    def __call__(self, table: pa.Table) -> pa.Table:
        return encode_tokens.write_once(table, self.staging, self._write, prefix="left-out-")

    def _write(self, table: pa.Table, task: int, folder: Path) -> dict[str, Any]:
        bases, lengths = encode_tokens.strand_bases(self.genomes[table["genome"][0].as_py()], table)
        rows = encode_tokens.encode(table, bases, sequence.base_codes(bases), lengths, self.tokenizer)
        for name in ("reason", "overlaps_train"):
            rows = rows.append_column(name, table[name])
        file_name = f"{FOLDER}/part-{task:05d}.parquet"
        return {"files": [encode_tokens.write_part(rows, folder, file_name, self.tokenizer, schema.left_out)]}


def manifest_entry(genes: Iterable[pa.Table], files: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the manifest's entry: the number of genes, by reason too, and their files."""
    reasons = Counter[str]()
    for table in genes:
        reasons.update(table["reason"].to_pylist())
    return {"genes": reasons.total(), "reasons": dict(sorted(reasons.items())), "files": files}


@dataclass(frozen=True)
class LeftOut:
    """The genes that a dataset leaves out.

    Attributes:
        tokens: token ids end to end, shape (tokens,).
        lengths: tokens of each gene, shape (genes,).
        table: every other column; see `docs/formats.md`.
    """

    tokens: NDArray[Any]
    lengths: NDArray[np.int64]
    table: pa.Table

    def __len__(self) -> int:
        return len(self.lengths)


def read(directory: Path, manifest: dict[str, Any]) -> LeftOut | None:
    """Read the genes left out of a finished dataset into memory; None for a dataset too old to keep them.

    Raises:
        DatasetError: a file is missing, damaged, or not the one named in the manifest.
    """
    if KEY not in manifest:
        return None
    files = parts.of_files(directory, manifest[KEY]["files"])
    vocabulary_size = manifest.get("tokenizer", {}).get("size")
    groups: list[pa.Table] = []
    for part in files:
        with part.verified():
            groups += checked_row_groups(part, vocabulary_size, schema.left_out)
    if not groups:
        empty = schema.left_out(pa.uint32()).empty_table()
        return LeftOut(np.zeros(0, np.uint32), np.zeros(0, np.int64), empty.drop_columns(["tokens"]))
    table = pa.concat_tables([group.drop_columns(["tokens"]) for group in groups])
    tokens = np.concatenate([columns.flat_tokens(group) for group in groups])
    return LeftOut(tokens, table["token_count"].to_numpy().astype(np.int64), table)
