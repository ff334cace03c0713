"""Labelled sequences as a source: CSV, TSV or FASTA files whose sequences have labels.

The sequences of a file are concatenated and addressed like a chromosome, so that code for genomes works for them too:
the chromosome is the file's name without its endings, and a row's start is where its sequence begins.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import fingerprint, schema
from pipelines.config import SourceConfig
from pipelines.errors import InputError
from pipelines.genome.sequence import Bytes, reverse_complement
from pipelines.inputs.numbered_lines import lines_of

_LABELS = {"1": 1, "gene": 1, "true": 1, "0": 0, "negative": 0, "false": 0}
_ENDINGS = {".gz", ".csv", ".tsv", ".txt", ".fa", ".fasta", ".fna"}


class Sequences(Protocol):
    """A source of sequence: a genome or a collection of labelled sequences."""

    def sequence(self, chromosome: str, start: int, end: int) -> Bytes:
        """The letters of [start, end), shape (end - start,)."""


@dataclass(frozen=True)
class LabelledFile:
    """The sequences of one file.

    Attributes:
        path: the file.
        labels: the file of their labels, for FASTA; else None.
        split: the split that all of them belong to; empty if they are to be split.
    """

    path: Path
    labels: Path | None
    split: str

    @property
    def chromosome(self) -> str:
        """The file's name without its endings."""
        name = self.path.name
        while (ending := Path(name).suffix.lower()) in _ENDINGS:
            name = name[: -len(ending)]
        return name


class Collection:
    """Labelled sequences under one name; each process reads the files once, when they are first needed.

    It pickles as the paths of its files.

    Attributes:
        name: the collection's name in the experiment.
        files: where the sequences are.
        contents: configuration key to the SHA-256 of the file it names.
        dropped: number of sequences that are not used, by reason; complete once the files are read.
    """

    def __init__(self, name: str, files: list[LabelledFile], contents: dict[str, str]) -> None:
        self.name = name
        self.files = files
        self.contents = contents
        self.dropped: Counter[str] = Counter()
        self._content: dict[str, tuple[Bytes, pa.Table]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.name, self.files, self.contents))

    @property
    def _files_content(self) -> dict[str, tuple[Bytes, pa.Table]]:
        """The letters and rows of each file, by its chromosome."""
        if self._content is None:
            self._content = {file.chromosome: self._parse(file) for file in self.files}
        return self._content

    def sequence(self, chromosome: str, start: int, end: int) -> Bytes:
        """The letters of [start, end) of a file's concatenated sequences, shape (end - start,)."""
        return self._files_content[chromosome][0][start:end]

    def rows(self) -> pa.Table:
        """The sequences as rows with genome, chromosome, start, end, strand, label, source, gene_id, biotype and split.

        Raises:
            InputError: a file is missing, damaged, without the columns or without sequences, or a label is invalid.
        """
        return pa.concat_tables([table for _, table in self._files_content.values()])

    def groups(self) -> NDArray[np.int64]:
        """The group of each row, shape (rows,); equal sequences and reverse complements share a group."""
        group_of: dict[bytes, int] = {}
        groups = []
        for letters, table in self._files_content.values():
            for start, end in zip(table["start"].to_numpy(), table["end"].to_numpy(), strict=True):
                # Clearing this bit of an ASCII letter makes it upper case.
                upper = letters[start:end] & np.uint8(0xDF)
                canonical = min(upper.tobytes(), reverse_complement(upper).tobytes())
                groups.append(group_of.setdefault(canonical, len(group_of)))
        return np.array(groups, np.int64)

    def _parse(self, file: LabelledFile) -> tuple[Bytes, pa.Table]:
        names, sequences, labels = [], [], []
        for name, letters, label in _records(file):
            if not letters:
                self.dropped["empty_sequence"] += 1
                continue
            names.append(name)
            sequences.append(letters)
            labels.append(label)
        if not names:
            raise InputError(f"{file.path}: holds no sequence", "give a file with at least one")
        lengths = np.array([len(letters) for letters in sequences], np.int64)
        ends = np.cumsum(lengths)
        count = len(names)
        columns = {
            "genome": pa.repeat(self.name, count),
            "chromosome": pa.repeat(file.chromosome, count),
            "start": pa.array(ends - lengths),
            "end": pa.array(ends),
            "strand": pa.repeat("+", count),
            "label": pa.array(labels, pa.int8()),
            "source": pa.repeat("sequence", count),
            "gene_id": pa.array(names, pa.string()),
            "biotype": pa.nulls(count, pa.string()),
            "split": pa.repeat(file.split, count),
        }
        fields = [schema.INTERVALS.field(name) for name in columns]
        concatenated = np.frombuffer("".join(sequences).encode("ascii"), np.uint8)
        return concatenated, pa.table(columns, schema=pa.schema(fields))


def read_collection(config: SourceConfig) -> Collection:
    """Read and check the labelled sequences of a source.

    Raises:
        InputError: as for `Collection.rows`, or two files have the same name.
    """
    labels = Path(config.labels) if config.labels else None
    paths = {"": config.sequences, "train": config.train, "validation": config.validation, "test": config.test}
    files = [LabelledFile(Path(path), labels, split) for split, path in paths.items() if path]
    repeated = [name for name, count in Counter(file.chromosome for file in files).items() if count > 1]
    if repeated:
        raise InputError(f"{files[0].path}: two files of {config.genome} have the name {repeated[0]}", "rename one")
    contents = {file.split or "sequences": fingerprint.of_file(file.path) for file in files}
    if labels:
        contents["labels"] = fingerprint.of_file(labels)
    collection = Collection(config.genome, files, contents)
    collection.rows()
    return collection


def _records(file: LabelledFile) -> Iterator[tuple[str, str, int]]:
    """Name, letters and label of every sequence of a file."""
    first = next((line for _, line in lines_of(file.path) if line.strip()), "")
    if first.startswith(">"):
        yield from _fasta_records(file)
    else:
        yield from _table_records(file)


def _fasta_records(file: LabelledFile) -> Iterator[tuple[str, str, int]]:
    if file.labels is None:
        raise InputError(
            f"{file.path}: FASTA holds no labels", "set sources.labels to a file of two columns", key="sources.labels"
        )
    labels = _read_labels(file.labels)
    name, parts = "", []
    # The empty header, which is not in the file, ends the last sequence.
    for number, line in [*lines_of(file.path), (0, ">")]:
        if not line.startswith(">"):
            parts.append(_letters(line.strip(), file.path, number))
            continue
        if name:
            if name not in labels:
                raise InputError(f"{file.labels}: no label of {name!r} in {file.path}", "add its line")
            yield name, "".join(parts), labels[name]
        name, parts = (line[1:].split() or [""])[0], []
        if number and not name:
            raise InputError(f"{file.path}: line {number}: a sequence without a name", "name it")


def _read_labels(path: Path) -> dict[str, int]:
    """Name to label from a file of two columns; the first line may be a header."""
    labels = {}
    for number, line in lines_of(path):
        columns = line.replace(",", "\t").split("\t")
        if not line.strip() or line.startswith("#"):
            continue
        if len(columns) < 2:
            raise InputError(f"{path}: line {number}: one column instead of two", "give name and label")
        if number == 1 and columns[1].strip().lower() not in _LABELS:
            continue
        labels[columns[0].strip()] = _label(columns[1], path, number)
    return labels


def _table_records(file: LabelledFile) -> Iterator[tuple[str, str, int]]:
    lines = iter(lines_of(file.path))
    _, header = next(lines, (0, ""))
    delimiter = "\t" if "\t" in header else ","
    columns = [name.strip().strip('"').lower() for name in header.split(delimiter)]
    if missing := {"sequence", "label"} - set(columns):
        raise InputError(
            f"{file.path}: line 1: no column {min(missing)!r}", "give CSV or TSV with the columns sequence and label"
        )
    position = {name: columns.index(name) for name in ("sequence", "label", "name") if name in columns}
    for number, line in lines:
        if not line.strip():
            continue
        try:
            (row,) = csv.reader([line], delimiter=delimiter, strict=True)
        except (csv.Error, ValueError) as error:
            raise InputError(f"{file.path}: line {number}: not a row of CSV ({error})", "fix the line") from error
        if len(row) != len(columns):
            raise InputError(
                f"{file.path}: line {number}: {len(row)} columns instead of {len(columns)}", "fix the line"
            )
        name = row[position["name"]] if "name" in position else f"{file.chromosome}:{number}"
        letters = _letters(row[position["sequence"]].strip(), file.path, number)
        yield name, letters, _label(row[position["label"]], file.path, number)


def _letters(text: str, path: Path, number: int) -> str:
    if text and not (text.isascii() and text.isalpha()):
        raise InputError(f"{path}: line {number}: {text[:20]!r} is not a sequence", "use letters of the IUPAC code")
    return text


def _label(text: str, path: Path, number: int) -> int:
    label = _LABELS.get(text.strip().lower())
    if label is None:
        raise InputError(f"{path}: line {number}: label {text.strip()[:20]!r}", "use 1 (gene) or 0 (negative)")
    return label
