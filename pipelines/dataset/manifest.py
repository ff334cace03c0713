"""The manifest of a finished dataset, `manifest.json`: read, compared with its digest, and checked key by key.

A manifest may come from anywhere, and what it says names files and directories. So it is refused unless every value has
its type, every file lies inside the dataset, and the digest is that of the rest. Datasets of earlier versions have no
digest; they open with a note.
"""

from __future__ import annotations

import json
import logging
import os
import re
import reprlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import TypedDict

from pipelines import os_errors, schema
from pipelines.config.tasks import CLASSIFY, STRUCTURE
from pipelines.documents import sealed_json
from pipelines.errors import DatasetError
from pipelines.labels.classes import problem_of_stored

MANIFEST = "manifest.json"
FORMAT = "raygene-dataset"
LEFT_OUT = "_left_out"
REBUILD = "build the dataset again"
# Several million rows of counts.
LARGEST = 1 << 30
_log = logging.getLogger(__name__)
_noted: set[str] = set()
# Path keeps one slash of `s3://`.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/")
_NAME = re.compile(r"[^/\\\x00-\x1f\x7f]+")


class Entry(dict[str, Any]):
    """A JSON object of a manifest; a key that it lacks is a `DatasetError` that names file and key.

    Args:
        shown: the manifest's path, for the error.
        values: keys and values.
    """

    __slots__ = ("shown",)

    def __init__(self, shown: str, values: Any = ()) -> None:
        super().__init__(values)
        self.shown = shown

    def __missing__(self, key: str) -> Any:
        raise DatasetError(f"{self.shown}: {key}: missing", REBUILD, code="damaged")

    def __reduce__(self) -> Any:
        return Entry, (self.shown, dict(self))


def _plain_name(value: str) -> str:
    folder, _, name = value.partition("/")
    if folder != LEFT_OUT and folder not in {f"split={split}" for split in schema.SPLITS}:
        raise ValueError("not a file of a split, such as split=train/part-00000.parquet")
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise ValueError("not the plain name of a file inside the dataset")
    return value


def _each_once(files: list[_File]) -> list[_File]:
    path, times = Counter(file.path for file in files).most_common(1)[0] if files else ("", 1)
    if times > 1:
        raise ValueError(f"{path} is listed {times} times")
    return files


def _class_names(names: list[str]) -> list[str]:
    if problem := problem_of_stored(names):
        raise ValueError(problem)
    return names


# No genome is longer, and no dataset larger; what is computed with it stays within 64 bits.
Count = Annotated[int, Field(ge=0, lt=1 << 56)]
Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
Split = Literal["train", "validation", "test"]
Label = Annotated[int, Field(ge=0, le=1)]
# The value of a part that the manifest lacks; one that is null is refused.
_ABSENT: Any = None


class _Part(BaseModel):
    """A part of the manifest. A key may be absent, in a dataset of another version; if it is there, it has its type."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True)


class _File(_Part):
    path: Annotated[str, AfterValidator(_plain_name)]
    sha256: Sha256 = ""
    bytes: Count = 0
    rows: Count = 0
    tokens: Count = 0
    shorter_than_k: Count = 0
    unknown_tokens: Count = 0
    longest_tokens: Count = 0


_Files = Annotated[list[_File], AfterValidator(_each_once)]


class _Counts(TypedDict):
    # One for every chromosome, split, label and source: checking a dict takes a fifth of the time of making a model.
    __pydantic_config__ = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)  # type: ignore[misc]
    genome: str
    chromosome: str
    split: Split
    label: Label
    source: str
    rows: Count


class _CountsOfClasses(_Counts):
    label: Annotated[int, Field(ge=0, lt=1 << 7)]  # type: ignore[misc]


class _Genes(_Part):
    annotated: Count
    usable: Count
    kept: Count
    windows: Count = 0
    negatives: Count
    shortened: Count
    length_before: dict[str, Count] = {}
    length_after: dict[str, Count] = {}


class _Structure(_Part):
    genome: str
    split: Split
    stretches: Count
    windows: Count
    bases: Count
    genes: dict[str, Count]
    masked: dict[str, Count]
    states: dict[str, Count]


class _Region(_Part):
    genome: str
    chromosome: str
    start: Count
    end: Count


class _LeftOut(_Part):
    genes: Count
    reasons: dict[str, Count]
    files: _Files


class _Longest(_Part):
    bases: Count
    genome: str = ""
    chromosome: str = ""
    start: Count = 0
    end: Count = 0
    strand: str = ""
    interval_id: Count = 0


class _Leakage(_Part):
    split: Split = "test"
    intervals: Count = 0
    evaluated: Count = 0
    near_duplicates: Count = 0
    share: Share | None = None
    k: Count = 0
    threshold: Share = 0
    similar: Count = 0
    similar_share: Share | None = None
    similar_identity: Share = 0


class _Tokenizer(_Part):
    fingerprint: Sha256
    k: Count = 0
    stride: Count = 0
    tail: str = ""
    size: Count = 0


class _Source(_Part):
    genome: str


class _Crop(_Part):
    length: Count | None


class _Window(_Part):
    length: Annotated[int, Field(ge=1, lt=1 << 31)]


class _Config(_Part):
    task: Literal["recognise"] = "recognise"
    sources: list[_Source]
    crop: _Crop
    tokenizer: dict[str, Any] = {}
    negatives: dict[str, Any] = {}
    split: dict[str, Any] = {}


class _StructureConfig(_Part):
    task: Literal["structure"]
    sources: list[_Source]
    window: _Window
    labels: dict[str, str]
    tokenizer: dict[str, Any] = {}
    split: dict[str, Any] = {}


class _ClassesConfig(_Part):
    task: Literal["classify"]
    classes: Annotated[list[str], AfterValidator(_class_names)]
    sources: list[_Source]
    tokenizer: dict[str, Any] = {}
    split: dict[str, Any] = {}


class _Manifest(_Part):
    """The keys that raygene reads."""

    fingerprint: Sha256
    tokenizer: _Tokenizer = _ABSENT
    files: _Files = []
    config: _Config = _ABSENT
    inputs: list[dict[str, str]] = []
    versions: dict[str, str] = {}
    counts: list[_Counts] = []
    genes: dict[str, _Genes] = {}
    dropped: dict[str, dict[str, Count]] = {}
    unused_rows: dict[str, dict[str, Count]] = {}
    left_out: _LeftOut = _ABSENT
    longest: _Longest = _ABSENT
    leakage: _Leakage | None = None
    split_in_blocks: list[str] = []
    split_regions: dict[Split, list[_Region]] = {}


class _StructureManifest(_Manifest):
    """The keys of a dataset of windows with labelled bases."""

    config: _StructureConfig = _ABSENT  # type: ignore[assignment]
    structure: list[_Structure]


class _ClassesManifest(_Manifest):
    """The keys of a dataset of sequences with classes."""

    config: _ClassesConfig = _ABSENT  # type: ignore[assignment]
    counts: list[_CountsOfClasses] = []  # type: ignore[assignment]

    @model_validator(mode="after")
    def _labels_are_classes(self) -> _ClassesManifest:
        if any(entry["label"] >= len(self.config.classes) for entry in self.counts):
            raise ValueError("counts: a label that is none of the classes")
        return self


def classes(document: Mapping[str, Any]) -> list[str]:
    """The names of a dataset's classes in the order of their labels (task `classify`); none for other tasks.

    Args:
        document: the manifest.
    """
    config = document.get("config")
    if not isinstance(config, Mapping) or config.get("task") != CLASSIFY:
        return []
    return list(config["classes"])


def is_structure(document: Mapping[str, Any]) -> bool:
    """Whether the rows of a dataset are windows with labelled bases (task `structure`), by its manifest."""
    config = document.get("config")
    return isinstance(config, Mapping) and config.get("task") == STRUCTURE


def is_of_labelled_sequences(document: Mapping[str, Any]) -> bool:
    """Whether a dataset has labelled sequences alone, without a genome and its annotation, by its manifest."""
    inputs = document.get("inputs", [])
    return bool(inputs) and not any("fasta_sha256" in source for source in inputs)


def require_intervals(document: Mapping[str, Any], directory: Path | str, verb: str) -> None:
    """Refuse a dataset of the task `structure` where intervals are needed.

    Args:
        document: the manifest.
        directory: of the dataset, for the error.
        verb: what needs intervals, for the error.

    Raises:
        DatasetError: its rows are windows with labelled bases.
    """
    if classes(document):
        raise DatasetError(
            f"{directory}: its sequences have classes (task classify), and raygene {verb} needs intervals that are "
            "genes or not",
            "use a dataset of task recognise",
            code="task",
        )
    if is_structure(document):
        raise DatasetError(
            f"{directory}: its rows are windows with labelled bases (task structure), and raygene {verb} needs "
            "intervals that are genes or not",
            "score gene models with raygene annotate and raygene compare, or build a dataset of task recognise",
            code="task",
        )


def sealed_text(document: Mapping[str, Any]) -> str:
    """The text of `manifest.json`: the document with its digest."""
    return json.dumps(sealed_json.sealed(document), indent=1, sort_keys=True) + "\n"


def read_manifest(directory: Path) -> Entry:
    """The manifest of a finished dataset.

    Raises:
        DatasetError: missing (never built, or not finished), damaged or changed since it was written, or of another
            format version. Its `code` is `missing`, `damaged` or `format`.
    """
    return parse(_read(directory), str(directory / MANIFEST))


def parse(content: bytes, shown: str) -> Entry:
    """The manifest in the bytes of a file.

    Args:
        content: of the file.
        shown: its path, for errors.

    Raises:
        DatasetError: as `read_manifest`.
    """
    try:
        document = sealed_json.parse(content, LARGEST, lambda pairs: Entry(shown, pairs), strict=True)
    except ValueError as error:
        reason = " ".join(str(error).split())[:120]
        raise DatasetError(f"{shown}: cannot be read ({reason})", REBUILD, code="damaged") from error
    if not isinstance(document, Entry) or document.get("format") != FORMAT:
        raise DatasetError(
            f"{shown}: not the manifest of a raygene dataset", "name a directory made by raygene build", code="format"
        )
    version = document.get("format_version")
    if type(version) is not int or version != schema.FORMAT_VERSION:
        raise DatasetError(
            f"{shown}: dataset format {reprlib.repr(version)} is not {schema.FORMAT_VERSION}, the one this raygene "
            "reads",
            "build it again with this raygene",
            code="format",
        )
    if sealed_json.DIGEST not in document:
        _note_once(shown)
    elif not sealed_json.is_intact(document):
        raise DatasetError(f"{shown}: changed since it was written: its digest does not fit", REBUILD, code="damaged")
    _require_types(document, shown)
    if "config" in document:
        # Parts of it are written as YAML, which takes plain dictionaries only.
        document["config"] = json.loads(json.dumps(document["config"]))
    leakage = document.get("leakage")
    if leakage and "judged" in leakage:
        # The name of this key in datasets of earlier versions.
        leakage["evaluated"] = leakage.pop("judged")
    return document


def _read(directory: Path) -> bytes:
    path = directory / MANIFEST
    try:
        if path.exists() and not path.is_file():
            raise DatasetError(f"{path}: not a file", REBUILD, code="damaged")
        with path.open("rb") as stream:
            # Python allocates as many bytes as it is told to read.
            return stream.read(min(os.fstat(stream.fileno()).st_size, LARGEST) + 1)
    except FileNotFoundError as error:
        is_address = _ADDRESS.match(str(directory)) is not None
        fix = (
            "copy it to this machine: datasets are not read from addresses" if is_address else "run raygene build first"
        )
        raise DatasetError(f"{directory}: no finished dataset there (no {MANIFEST})", fix, code="missing") from error
    except NotADirectoryError as error:
        raise DatasetError(
            f"{directory}: not a directory", "name the directory of the dataset", code="unreadable"
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({os_errors.cause(error)})", os_errors.read_fix(error, REBUILD), code="unreadable"
        ) from error


def _require_types(document: Mapping[str, Any], shown: str) -> None:
    try:
        _model(document).model_validate(document)
    except (ValidationError, RecursionError) as error:
        raise DatasetError(f"{shown}: {_first_problem(error)}", REBUILD, code="damaged") from error


def _model(document: Mapping[str, Any]) -> type[_Manifest]:
    config = document.get("config")
    if isinstance(config, Mapping) and config.get("task") == CLASSIFY:
        return _ClassesManifest
    return _StructureManifest if is_structure(document) else _Manifest


def _first_problem(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    first = error.errors()[0]
    key, value = ".".join(str(part)[:80] for part in first["loc"]), first.get("input")
    if first["type"] == "missing":
        return f"{key}: missing"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        message = "not 64 lower-case hexadecimal digits"
    shown = f"{reprlib.repr(value)}: " if isinstance(value, str | int | float) or value is None else ""
    return f"{key}: {shown}{message[0].lower()}{message[1:]}"


def _note_once(shown: str) -> None:
    """Tell that changes to a manifest cannot be noticed, once in a process."""
    if shown not in _noted:
        _noted.add(shown)
        _log.warning(
            "%s: of an earlier version, without a digest: changes to it are not noticed; building the dataset in a "
            "new directory adds one",
            shown,
        )


def read_counts(directory: Path) -> list[dict[str, Any]]:
    """The `counts` of the manifest: rows by split, genome and chromosome.

    Raises:
        DatasetError: as `read_manifest`, or the manifest has no counts (its `code` is then `damaged`).
    """
    return read_manifest(directory)["counts"]
