"""The intervals of a dataset as BED, GFF3 or FASTA, all splits together, in the order of their ids.

One row group of each split is in memory at a time, so memory does not grow with the dataset.
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
from numpy.typing import NDArray

from pipelines import os_errors, schema, storage
from pipelines.dataset.columns import flat_tokens
from pipelines.dataset.manifest import classes, is_structure, read_manifest
from pipelines.errors import DatasetError
from pipelines.schema import WINDOW
from pipelines.tokens import centred
from pipelines.tokens.tokenizer import Tokenizer

FORMATS = ("bed", "gff3", "fasta")
LINE_BASES = 80
_LETTERS = np.frombuffer(b"ACGTN", np.uint8)
_COLUMNS = ("interval_id", "genome", "chromosome", "start", "end", "strand", "label", "source", "gene_id")
# Characters that are not percent-encoded: in a GFF3 sequence id, a GFF3 attribute value, and a BED name.
_SEQID = ".:^*$@!+_?-|"
_VALUE = " !\"#$'()*+-./:<>?@[\\]^_`{|}~"
_NAME = _VALUE.replace(" ", "") + "%,;=&"


Decode = Callable[[NDArray[Any], NDArray[np.int64]], tuple[NDArray[np.uint8], NDArray[np.int64]]]


@dataclass(frozen=True)
class Row:
    """An interval of a dataset; `bases` are those of its own strand (ACGT, N if unknown), or empty if not requested."""

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
class ExportSummary:
    """What an export wrote.

    Attributes:
        rows: number of intervals.
        truncated: intervals whose last bases no token covers (FASTA of a dataset with tail `drop`).
        missing_bases: how many bases those are.
    """

    rows: int
    truncated: int
    missing_bases: int


def export(directory: Path, file_format: str, path: Path) -> ExportSummary:
    """Write every interval of a dataset to a file, which appears as a whole or not at all.

    Args:
        directory: a finished dataset.
        file_format: one of `FORMATS`.
        path: the file to write.

    Raises:
        DatasetError: not a finished dataset, or a damaged file.
        StorageError: the file cannot be written.
    """
    manifest = read_manifest(directory)
    decode = _decoder(directory, manifest) if file_format == "fasta" else None
    splits = [
        _rows(directory, manifest, split, decode)
        for split in schema.SPLITS
        if any(file["path"].startswith(f"split={split}/") for file in manifest["files"])
    ]
    format_row = row_formatter(file_format, manifest)
    rows = truncated = missing_bases = 0
    with storage.replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        if file_format == "gff3":
            stream.write("##gff-version 3\n")
        for row in heapq.merge(*splits, key=lambda row: row.interval_id):
            stream.write(format_row(row))
            rows += 1
            missing = row.end - row.start - len(row.bases) if file_format == "fasta" else 0
            truncated, missing_bases = truncated + (missing > 0), missing_bases + missing
    return ExportSummary(rows, truncated, missing_bases)


def _decoder(directory: Path, manifest: dict[str, Any]) -> Decode:
    """What gives the base codes of tokens and the bases covered in each row, for the tokens and bases of rows."""
    tokenizer = Tokenizer.load(directory)
    if is_structure(manifest):
        return lambda tokens, lengths: (centred.decode(tokenizer, tokens, lengths), lengths)
    return tokenizer.decode_bases


def _rows(directory: Path, manifest: dict[str, Any], split: str, decode: Decode | None) -> Iterator[Row]:
    """Rows of a split in the order of their ids; with their bases if their tokens are to be decoded."""
    for file in manifest["files"]:
        if not file["path"].startswith(f"split={split}/"):
            continue
        path = directory / file["path"]
        columns = [*_COLUMNS, "tokens"] if decode else list(_COLUMNS)
        try:
            parquet = pq.ParquetFile(path)
            for group in range(parquet.num_row_groups):
                yield from _rows_of_table(parquet.read_row_group(group, columns=columns), split, decode)
        except (OSError, pa.ArrowException) as error:
            reason = os_errors.cause(error)[:120]
            raise DatasetError(
                f"{path}: cannot be read ({reason})", os_errors.read_fix(error, "build the dataset again")
            ) from error


def _rows_of_table(table: pa.Table, split: str, decode: Decode | None) -> Iterator[Row]:
    bases = [b""] * len(table) if decode is None else _bases(table, decode)
    columns = [table[name].to_pylist() for name in _COLUMNS]
    for values in zip(*columns, [split] * len(table), bases, strict=True):
        yield Row(*values)


def _bases(table: pa.Table, decode: Decode) -> list[bytes]:
    """The bases of each row that its tokens cover, on its own strand."""
    lengths = table["end"].to_numpy() - table["start"].to_numpy()
    codes, covered = decode(flat_tokens(table), lengths)
    letters, ends = _LETTERS[codes].tobytes(), np.cumsum(covered).tolist()
    return [letters[first:last] for first, last in zip([0, *ends], ends, strict=False)]


def row_formatter(file_format: str, manifest: dict[str, Any]) -> Callable[[Row], str]:
    """A function that formats a row as a line (FASTA: a record) of a file.

    A chromosome is `genome:chromosome` if several genomes have one with its name.

    Args:
        file_format: one of `FORMATS`.
        manifest: of the dataset.
    """
    pairs = {(count["genome"], count["chromosome"]) for count in manifest["counts"]}
    shared = {name for name, genomes in Counter(chromosome for _, chromosome in pairs).items() if genomes > 1}
    has_several_genomes = len({genome for genome, _ in pairs}) > 1
    names = classes(manifest)

    def sequence_name(row: Row) -> str:
        return f"{row.genome}:{row.chromosome}" if row.chromosome in shared else row.chromosome

    def bed(row: Row) -> str:
        name = row.gene_id if (row.label or names) and row.gene_id else str(row.interval_id)
        name = quote(f"{row.genome}:{row.chromosome}:{name}" if has_several_genomes else name, safe=_NAME)
        return (
            f"{sequence_name(row)}\t{row.start}\t{row.end}\t{name}\t{0 if names else 1000 * row.label}\t{row.strand}\n"
        )

    def gff3(row: Row) -> str:
        label = names[row.label] if names else row.label
        values = {"ID": row.interval_id, "label": label, "source": row.source, "split": row.split}
        if row.gene_id:
            values["gene_id"] = row.gene_id
        if has_several_genomes:
            values["genome"] = row.genome
        attributes = ";".join(f"{name}={quote(str(value), safe=_VALUE)}" for name, value in values.items())
        feature_type = "gene" if row.label and not names and row.source != WINDOW else "region"
        position = f"{row.start + 1}\t{row.end}\t.\t{row.strand}\t."
        return f"{quote(sequence_name(row), safe=_SEQID)}\traygene\t{feature_type}\t{position}\t{attributes}\n"

    def fasta(row: Row) -> str:
        position = f"{row.genome}:{row.chromosome}:{row.start}-{row.end}({row.strand})"
        label = quote(names[row.label], safe=_NAME) if names else row.label
        header = f">{row.interval_id} {position} {label} {row.split}"
        length = row.end - row.start
        if len(row.bases) < length:
            header += f" first {len(row.bases)} of {length} bases"
        text = row.bases.decode("ascii")
        lines = [text[first : first + LINE_BASES] for first in range(0, len(text), LINE_BASES)]
        return "\n".join([header, *lines, ""])

    return {"bed": bed, "gff3": gff3, "fasta": fasta}[file_format]
