"""Genes that a build leaves out of a dataset, kept beside it so that a model's recall on them can be measured.

They are encoded like the dataset's rows and lie in a folder whose name opens with an underscore, which readers of such a
layout pass over. Costs what encoding them costs; finding those that share bases with train is a sort.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines import schema
from pipelines.build import encode_tokens
from pipelines.dataset import columns, parts
from pipelines.genome import intervals, sequence
from pipelines.genome.labelled import Sequences
from pipelines.tokens.tokenizer import Tokenizer

FOLDER = "_left_out"
KEY = "left_out"


def rows(dropped: pa.Table, table: pa.Table) -> pa.Table:
    """The genes among dropped records, as rows of the interval table with `reason` and `overlaps_train`.

    Args:
        dropped: records with the columns of `placement.PLACED`, sorted like the dataset's rows.
        table: the dataset's interval table.

    Returns:
        Their ids follow the dataset's. `split` is that of their block or of all rows of their chromosome, null where those
        are of several splits or there are none.
    """
    genes = dropped.filter(pc.equal(dropped["label"], 1))
    names = list(schema.INTERVALS.names)
    found = genes.append_column("interval_id", pa.array(np.arange(len(genes)) + len(table))).select([*names, "reason"])
    here, there = _chromosome_numbers(genes, table)
    split = pa.array(_splits(genes, here, table, there), pa.string())
    found = found.set_column(names.index("split"), "split", split)
    return found.append_column("overlaps_train", pa.array(_overlaps_train(genes, here, table, there)))


def _chromosome_numbers(genes: pa.Table, table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number for each gene and each row, equal where genome and chromosome are."""
    both = pa.concat_tables([one.select(["genome", "chromosome"]) for one in (genes, table)]).combine_chunks()
    number = np.zeros(len(both), np.int64)
    for name in ("genome", "chromosome"):
        codes = pc.dictionary_encode(both[name]).combine_chunks().indices.to_numpy(zero_copy_only=False)
        number = number * (int(codes.max(initial=0)) + 1) + codes
    number = np.unique(number, return_inverse=True)[1].astype(np.int64)
    return number[: len(genes)], number[len(genes) :]


def _splits(genes: pa.Table, here: NDArray[np.int64], table: pa.Table, there: NDArray[np.int64]) -> list[str | None]:
    """The split of each gene's block, else of its chromosome's rows if they share one."""
    codes = pc.index_in(table["split"], pa.array(schema.SPLITS)).to_numpy()
    chromosomes = int(max(here.max(initial=-1), there.max(initial=-1))) + 1
    least, most = np.full(chromosomes, len(schema.SPLITS)), np.full(chromosomes, -1)
    np.minimum.at(least, there, codes)
    np.maximum.at(most, there, codes)
    named = [schema.SPLITS[low] if low == high else None for low, high in zip(least, most, strict=True)]
    return [given or named[number] for given, number in zip(genes["split"].to_pylist(), here.tolist(), strict=True)]


def _overlaps_train(
    genes: pa.Table, here: NDArray[np.int64], table: pa.Table, there: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """True for each gene that shares a base with a row of train, shape (genes,)."""
    # All chromosomes on one axis, a base apart.
    size = int(max(np.max(one["end"].to_numpy(), initial=0) for one in (genes, table))) + 1
    laid = [
        np.stack([one["start"].to_numpy(), one["end"].to_numpy()], axis=1) + number[:, None] * size
        for one, number in ((genes, here), (table, there))
    ]
    train = pc.equal(table["split"], "train").to_numpy()
    return intervals.overlaps(laid[0], intervals.merge(laid[1][train]))


@dataclass(frozen=True)
class WriteLeftOut:
    """A map over a task's table of left-out genes that writes their rows and gives one record, as JSON.

    Attributes:
        genomes: name to genome.
        tokenizer: turns bases into ids.
        staging: directory that becomes the dataset.
    """

    genomes: dict[str, Sequences]
    tokenizer: Tokenizer
    staging: Path

    def __call__(self, table: pa.Table) -> pa.Table:
        folder = self.staging / encode_tokens.RECORDS
        return encode_tokens.once(table, lambda task: folder / f"left-out-{task:05d}.json", self._write)

    def _write(self, table: pa.Table, task: int) -> list[dict[str, Any]]:
        bases, lengths = encode_tokens.strand_bases(self.genomes[table["genome"][0].as_py()], table)
        found = encode_tokens.encode(table, bases, sequence.base_codes(bases), lengths, self.tokenizer)
        for name in ("reason", "overlaps_train"):
            found = found.append_column(name, table[name])
        name = f"{FOLDER}/part-{task:05d}.parquet"
        return [encode_tokens.write_part(found, self.staging, name, self.tokenizer, schema.left_out)]


def account(genes: pa.Table, files: list[dict[str, Any]]) -> dict[str, Any]:
    """The manifest's entry: how many genes, by reason, and where they are."""
    reasons = Counter(genes["reason"].to_pylist())
    return {"genes": len(genes), "reasons": dict(sorted(reasons.items())), "files": files}


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
    """The genes left out of a finished dataset, held in memory; None where it is too old to keep them.

    Raises:
        DatasetError: a file is missing, damaged, or not the one that the manifest tells of.
    """
    if KEY not in manifest:
        return None
    files = parts.of_files(directory, manifest[KEY]["files"])
    for part in files:
        part.verify()
    groups = [group for part in files for group in part.row_groups()]
    if not groups:
        empty = schema.left_out(pa.uint32()).empty_table()
        return LeftOut(np.zeros(0, np.uint32), np.zeros(0, np.int64), empty.drop_columns(["tokens"]))
    table = pa.concat_tables([group.drop_columns(["tokens"]) for group in groups])
    tokens = np.concatenate([columns.flat_tokens(group) for group in groups])
    return LeftOut(tokens, table["token_count"].to_numpy().astype(np.int64), table)
