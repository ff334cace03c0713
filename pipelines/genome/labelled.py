"""Labelled sequences as a source: CSV, TSV or FASTA files whose sequences have labels.

The sequences of a file are concatenated and addressed like a chromosome, so that code for genomes works for them too:
the chromosome is the file's name without its endings, and a row's start is where its sequence begins.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import schema
from pipelines.config import SourceConfig
from pipelines.errors import InputError
from pipelines.genome.sequence import Bytes, reverse_complement
from pipelines.inputs import compression, downloads
from pipelines.inputs import contents as input_contents
from pipelines.inputs.downloads import Origin
from pipelines.inputs.numbered_lines import lines_of
from pipelines.labels import records
from pipelines.labels.classes import MAX_CLASSES
from pipelines.labels.labels_file import Label, read_labels
from pipelines.labels.records import LabelledSequence

_ENDINGS = {*compression.ENDINGS, ".csv", ".tsv", ".txt", ".fa", ".fasta", ".fna"}


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

    It pickles as the paths of its files and their content; each process checks that it reads the same.

    Attributes:
        name: the collection's name in the experiment.
        files: where the sequences are.
        contents: configuration key to the SHA-256 of the file it names.
        machine: where the SHA-256 were taken.
        origins: the address of each file that is a copy of one.
        of_classes: whether labels are names of classes; else they say gene or negative.
        classes: the names in the order of their numbers; those of this collection in order of appearance until
            `number_classes` was called.
        dropped: number of sequences and labels that are not used, by reason; complete once the files are read.
    """

    def __init__(
        self,
        name: str,
        files: list[LabelledFile],
        contents: dict[str, str],
        machine: str | None = None,
        origins: Mapping[Path, Origin] = MappingProxyType({}),
        *,
        of_classes: bool = False,
    ) -> None:
        self.name = name
        self.files = files
        self.contents = contents
        self.machine = machine or platform.node()
        self.origins = dict(origins)
        self.of_classes = of_classes
        self.classes: list[str] = []
        self.dropped: Counter[str] = Counter()
        self._groups: NDArray[np.int64] | None = None
        self._labels: dict[Path, dict[str, Label]] = {}
        self._content: dict[str, tuple[Bytes, pa.Table]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.name, self.files, self.contents, self.machine, self.origins)
        return (partial(type(self), of_classes=self.of_classes), arguments)

    @property
    def _files_content(self) -> dict[str, tuple[Bytes, pa.Table]]:
        """The letters and rows of each file, by its chromosome."""
        if self._content is None:
            files = [
                replace(file, path=self._on_this_node(file.path), labels=self._labels_path(file)) for file in self.files
            ]
            expected = {file.path: self.contents[file.split or "sequences"] for file in files}
            expected |= {file.labels: self.contents["labels"] for file in files if file.labels}
            with input_contents.holding(expected, self.machine):
                content = {file.chromosome: self._parse(file) for file in files}
            self._count_unused_labels(content)
            self._content = content
        return self._content

    def _on_this_node(self, path: Path) -> Path:
        return self.origins[path].local() if path in self.origins else path

    def _labels_path(self, file: LabelledFile) -> Path | None:
        return None if file.labels is None else self._on_this_node(file.labels)

    def _count_unused_labels(self, content: dict[str, tuple[Bytes, pa.Table]]) -> None:
        if self._labels:
            named = {name for _, table in content.values() for name in table["gene_id"].to_pylist()}
            unused = sum(name not in named for labels in self._labels.values() for name in labels)
            if unused:
                self.dropped["label_without_sequence"] += unused

    def sequence(self, chromosome: str, start: int, end: int) -> Bytes:
        """The letters of [start, end) of a file's concatenated sequences, shape (end - start,)."""
        return self._files_content[chromosome][0][start:end]

    @property
    def reads_labels(self) -> bool:
        """Whether a file of the collection takes its labels from a file of labels."""
        return bool(self._files_content) and bool(self._labels)

    def rows(self) -> pa.Table:
        """The sequences as rows with genome, chromosome, start, end, strand, label, source, gene_id, biotype and split.

        Raises:
            InputError: a file is missing, damaged, without the columns or without sequences, or a label is invalid.
        """
        return pa.concat_tables([table for _, table in self._files_content.values()])

    def number_classes(self, classes: list[str]) -> None:
        """Number the labels of all rows by their places in `classes`, which has every class of the collection."""
        content, places = self._files_content, np.array([classes.index(name) for name in self.classes], np.int8)
        column = schema.INTERVALS.field("label")
        for chromosome, (letters, table) in content.items():
            numbers = pa.array(places[table["label"].to_numpy()])
            at = table.column_names.index(column.name)
            content[chromosome] = letters, table.set_column(at, column, numbers)
        self.classes = list(classes)

    def contradictions(self) -> tuple[int, int]:
        """Number of groups of equal sequences (see `groups`) with more than one label, and number of their rows."""
        groups, labels = self.groups(), self.rows()["label"].to_numpy()
        rows, first = np.bincount(groups), np.empty(int(groups.max()) + 1, np.int8)
        first[groups[::-1]] = labels[::-1]
        is_mixed = np.zeros(len(rows), np.bool_)
        is_mixed[groups[labels != first[groups]]] = True
        return int(is_mixed.sum()), int(rows[is_mixed].sum())

    def groups(self) -> NDArray[np.int64]:
        """The group of each row, shape (rows,); equal sequences and reverse complements share a group."""
        if self._groups is None:
            self._groups = self._find_groups()
        return self._groups

    def _find_groups(self) -> NDArray[np.int64]:
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
        names, labels, lengths = list[str](), list[int](), list[int]()
        concatenated = bytearray()
        for record in self._records(file):
            if not record.letters:
                self.dropped["empty_sequence"] += 1
                continue
            names.append(record.name)
            labels.append(self._number(record.label, file.path))
            lengths.append(len(record.letters))
            concatenated += record.letters
        if not names:
            raise InputError(f"{file.path}: holds no sequence", "give a file with at least one")
        ends = np.cumsum(np.array(lengths, np.int64))
        count = len(names)
        columns = {
            "genome": pa.repeat(self.name, count),
            "chromosome": pa.repeat(file.chromosome, count),
            "start": pa.array(ends - np.array(lengths, np.int64)),
            "end": pa.array(ends),
            "strand": pa.repeat("+", count),
            "label": pa.array(labels, pa.int8()),
            "source": pa.repeat("sequence", count),
            "gene_id": pa.array(names, pa.string()),
            "biotype": pa.nulls(count, pa.string()),
            "split": pa.repeat(file.split, count),
        }
        fields = [schema.INTERVALS.field(name) for name in columns]
        return np.frombuffer(concatenated, np.uint8), pa.table(columns, schema=pa.schema(fields))

    def _number(self, label: int | str, path: Path) -> int:
        """A label as a number; that of a class is its place among those seen so far."""
        if isinstance(label, int):
            return label
        if label not in self.classes:
            if len(self.classes) == MAX_CLASSES:
                raise InputError(
                    f"{path}: more than {MAX_CLASSES} different labels",
                    "give names of classes; measured values cannot be learnt",
                )
            self.classes.append(label)
        return self.classes.index(label)

    def _records(self, file: LabelledFile) -> Iterator[LabelledSequence]:
        first = next((line for _, line in lines_of(file.path, 1) if line.strip()), "")
        if not first.startswith(">"):
            return records.table_records(file.path, file.chromosome, of_classes=self.of_classes)
        if file.labels is None:
            raise InputError(
                f"{file.path}: FASTA holds no labels",
                "set sources.labels to a file of two columns (name, label)",
                key="sources.labels",
            )
        return records.fasta_records(file.path, self._labels_of(file.labels), file.labels)

    def _labels_of(self, path: Path) -> dict[str, Label]:
        if path not in self._labels:
            self._labels[path] = read_labels(path, of_classes=self.of_classes)
        return self._labels[path]


def read_collection(
    config: SourceConfig, note: Callable[[str], None] | None = None, *, of_classes: bool = False
) -> Collection:
    """Read and check the labelled sequences of a source.

    Args:
        config: the source.
        note: called with a line about every file that is copied from an address.
        of_classes: whether labels are names of classes; else they say gene or negative.

    Raises:
        InputError: as for `Collection.rows`, or two files have the same name.
    """
    config = downloads.fetched(config, note)
    labels = Path(config.labels) if config.labels else None
    paths = {"": config.sequences, "train": config.train, "validation": config.validation, "test": config.test}
    files = [LabelledFile(Path(path), labels, split) for split, path in paths.items() if path]
    repeated = [name for name, count in Counter(file.chromosome for file in files).items() if count > 1]
    if repeated:
        raise InputError(f"{files[0].path}: two files of {config.genome} have the name {repeated[0]}", "rename one")
    contents = {file.split or "sequences": input_contents.of_file(file.path) for file in files}
    if labels:
        contents["labels"] = input_contents.of_file(labels)
    all_paths = [file.path for file in files] + ([labels] if labels else [])
    origins = {path: origin for path in all_paths if (origin := downloads.origin_of(path))}
    collection = Collection(config.genome, files, contents, origins=origins, of_classes=of_classes)
    collection.rows()
    return collection
