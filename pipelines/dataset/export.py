"""The intervals of a dataset as BED, GFF3 or FASTA, in the order of their ids, all splits together.

Rows are read one row group of each split at a time and written as they come, so memory does not grow with the dataset.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import schema, storage
from pipelines.dataset.token_dataset import read_manifest
from pipelines.errors import DatasetError
from pipelines.tokens.tokenizer import Tokenizer

FORMATS = ("bed", "gff3", "fasta")
LINE_BASES = 80
_LETTERS = np.frombuffer(b"ACGTN", np.uint8)
_COLUMNS = ("interval_id", "genome", "chromosome", "start", "end", "strand", "label", "source", "gene_id")
_SEQID = ".:^*$@!+_?-|"
_VALUE = " !\"#$'()*+-./:<>?@[\\]^_`{|}~"
_NAME = _VALUE.replace(" ", "") + "%,;=&"


@dataclass(frozen=True)
class Row:
    """An interval of a dataset, with its bases on its own strand where they are asked for: ACGT, and N if unknown."""

    interval_id: int
    genome: str
    chromosome: str
    start: int
    end: int
    strand: str
    label: int
    source: str
    gene_id: str | None
    split: str
    bases: bytes = b""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        rows: intervals.
        cut: intervals whose last bases the tokens do not show (FASTA of a dataset of tail `drop`).
        missing_bases: how many bases those are.
    """

    rows: int
    cut: int
    missing_bases: int


def export(directory: Path, form: str, path: Path) -> Exported:
    """Write every interval of a dataset to `path`, which appears whole or not at all.

    Args:
        directory: a finished dataset.
        form: one of `FORMATS`.
        path: the file to write.

    Raises:
        DatasetError: not a finished dataset, or a damaged file.
        ResourceError: the file cannot be written.
    """
    manifest = read_manifest(directory)
    tokenizer = Tokenizer.load(directory) if form == "fasta" else None
    present = [
        _rows(directory, manifest, split, tokenizer)
        for split in schema.SPLITS
        if any(file["path"].startswith(f"split={split}/") for file in manifest["files"])
    ]
    render = renderer(form, manifest)
    rows = cut = missing = 0
    with storage.replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        if form == "gff3":
            stream.write("##gff-version 3\n")
        for row in heapq.merge(*present, key=lambda row: row.interval_id):
            stream.write(render(row))
            rows += 1
            unseen = row.end - row.start - len(row.bases) if form == "fasta" else 0
            cut, missing = cut + (unseen > 0), missing + unseen
    return Exported(rows, cut, missing)


def _rows(directory: Path, manifest: dict[str, Any], split: str, tokenizer: Tokenizer | None) -> Iterator[Row]:
    """Rows of a split in the order of their ids; with bases if a tokenizer is given."""
    for file in manifest["files"]:
        if not file["path"].startswith(f"split={split}/"):
            continue
        path = directory / file["path"]
        columns = [*_COLUMNS, "tokens"] if tokenizer else list(_COLUMNS)
        try:
            parquet = pq.ParquetFile(path)
            for group in range(parquet.num_row_groups):
                yield from _of_table(parquet.read_row_group(group, columns=columns), split, tokenizer)
        except (OSError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())[:120]
            raise DatasetError(f"{path}: cannot be read ({reason})", "build the dataset again") from error


def _of_table(table: pa.Table, split: str, tokenizer: Tokenizer | None) -> Iterator[Row]:
    texts = [b""] * len(table) if tokenizer is None else _bases(table, tokenizer)
    columns = [table[name].to_pylist() for name in _COLUMNS]
    for values in zip(*columns, [split] * len(table), texts, strict=True):
        yield Row(*values)


def _bases(table: pa.Table, tokenizer: Tokenizer) -> list[bytes]:
    tokens = np.concatenate([chunk.flatten().to_numpy() for chunk in table["tokens"].chunks])
    codes, shown = tokenizer.decode_bases(tokens, table["end"].to_numpy() - table["start"].to_numpy())
    letters, ends = _LETTERS[codes].tobytes(), np.cumsum(shown).tolist()
    return [letters[first:last] for first, last in zip([0, *ends], ends, strict=False)]


def renderer(form: str, manifest: dict[str, Any]) -> Callable[[Row], str]:
    """How a row is written; a chromosome is called `genome:chromosome` where two genomes have one of that name."""
    pairs = {(one["genome"], one["chromosome"]) for one in manifest["counts"]}
    shared = {name for name, genomes in Counter(chromosome for _, chromosome in pairs).items() if genomes > 1}
    several = len({genome for genome, _ in pairs}) > 1

    def column(row: Row) -> str:
        return f"{row.genome}:{row.chromosome}" if row.chromosome in shared else row.chromosome

    def bed(row: Row) -> str:
        name = row.gene_id if row.label and row.gene_id else str(row.interval_id)
        name = quote(f"{row.genome}:{row.chromosome}:{name}" if several else name, safe=_NAME)
        return f"{column(row)}\t{row.start}\t{row.end}\t{name}\t{1000 * row.label}\t{row.strand}\n"

    def gff3(row: Row) -> str:
        values = {"ID": row.interval_id, "label": row.label, "source": row.source, "split": row.split}
        if row.gene_id:
            values["gene_id"] = row.gene_id
        if several:
            values["genome"] = row.genome
        attributes = ";".join(f"{name}={quote(str(value), safe=_VALUE)}" for name, value in values.items())
        kind = "gene" if row.label else "region"
        place = f"{row.start + 1}\t{row.end}\t.\t{row.strand}\t."
        return f"{quote(column(row), safe=_SEQID)}\traygene\t{kind}\t{place}\t{attributes}\n"

    def fasta(row: Row) -> str:
        place = f"{row.genome}:{row.chromosome}:{row.start}-{row.end}({row.strand})"
        header = f">{row.interval_id} {place} {row.label} {row.split}"
        size = row.end - row.start
        if len(row.bases) < size:
            header += f" first {len(row.bases)} of {size} bases"
        text = row.bases.decode("ascii")
        lines = [text[first : first + LINE_BASES] for first in range(0, len(text), LINE_BASES)]
        return "\n".join([header, *lines, ""])

    return {"bed": bed, "gff3": gff3, "fasta": fasta}[form]
