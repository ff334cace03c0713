"""Token vectors as one safetensors file that carries its tokenizer: token, id and vector travel together.

The file is called `embed-[dimension]-[vocabulary]-[accuracy]-[date-time]-checkpoint.safetensors`. Loading executes
nothing. A digest in the metadata covers all of it; files of format 1 have none, and still load.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipelines import fingerprint, storage
from pipelines.errors import BundleError, DatasetError, InputError
from pipelines.inputs import contents, downloads
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import PAD
from training.config import ModelConfig

FORMAT = "raygene-embedding"
FORMAT_VERSION = 2
TOKEN_VECTORS = "embedding.weight"
"""The name of token vectors: the tensor of a file, and the parameter of every network."""
RESTORE = "restore the file from where it was made"


def name_of(dimension: int, vocabulary: int, accuracy: float, created: datetime) -> str:
    """The file's name, with the time in UTC to the second."""
    return (
        f"embed-{dimension}-{vocabulary}-{accuracy:.4f}-{created.astimezone(UTC):%Y%m%dT%H%M%SZ}-checkpoint.safetensors"
    )


def save(
    vectors: Tensor,
    tokenizer: Tokenizer,
    accuracy: float,
    created: datetime,
    directory: Path,
    extra: Mapping[str, str] | None = None,
) -> Path:
    """Write vectors with their tokenizer.

    Args:
        vectors: one for each id, shape (vocabulary, dimension).
        tokenizer: the tokenizer of the ids.
        accuracy: of the task they were learnt by, 0 to 1; part of the name and the metadata.
        created: the time, with its time zone; part of the name and the metadata.
        directory: of the file.
        extra: further metadata.

    Returns:
        The file.

    Raises:
        BundleError: the number of vectors is not that of the tokenizer's ids.
        ResourceError: the directory cannot be written.
    """
    if vectors.dim() != 2 or len(vectors) != tokenizer.vocabulary_size:
        raise BundleError(
            f"vectors of shape {tuple(vectors.shape)} do not fit a tokenizer of {tokenizer.vocabulary_size} ids",
            "give one vector for each id",
        )
    path = directory / name_of(vectors.shape[1], len(vectors), accuracy, created)
    metadata = {
        **(extra or {}),
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "tokenizer": tokenizer.json,
        "tokenizer_fingerprint": tokenizer.fingerprint,
        "accuracy": f"{accuracy:.4f}",
        "made": created.astimezone(UTC).isoformat(timespec="seconds"),
    }
    stored = vectors.detach().float().cpu().contiguous()
    metadata["digest"] = _digest(metadata, stored)
    with storage.replacing(path) as temporary:
        temporary.write_bytes(_serialised(stored.numpy(), metadata))
    return path


def _serialised(vectors: NDArray[np.float32], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file; the library's own writer puts metadata in another order every time."""
    values = np.ascontiguousarray(vectors, "<f4").tobytes()
    tensor = {"dtype": "F32", "shape": list(vectors.shape), "data_offsets": [0, len(values)]}
    header = json.dumps(
        {"__metadata__": dict(sorted(metadata.items())), TOKEN_VECTORS: tensor}, separators=(",", ":")
    ).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + values


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a file.

    Raises:
        BundleError: missing or damaged.
    """
    return _read_header(path)[0]


def load(location: Path | str, tokenizer: Tokenizer, dimension: int) -> Tensor:
    """The vectors of a file, whose tokenizer and size have to be those given.

    Args:
        location: the file's path, or its address.
        tokenizer: of the data.
        dimension: `model.embedding`.

    Returns:
        float32, shape (vocabulary, dimension); the vector of `<pad>` is zero.

    Raises:
        BundleError: missing, damaged, changed, of a newer format, of another tokenizer (with both fingerprints and the
            parameters that differ) or of another dimension.
    """
    path = _local(location)
    metadata, shape = _read_header(path)
    try:
        own = Tokenizer.load(path)
    except DatasetError as error:
        raise BundleError(error.problem, RESTORE) from error
    if own.fingerprint != metadata.get("tokenizer_fingerprint"):
        raise BundleError(f"{path}: its tokenizer is not the one that its fingerprint names", RESTORE)
    if own.fingerprint != tokenizer.fingerprint:
        differing = ", ".join(own.differences(tokenizer))
        raise BundleError(
            f"{path}: its tokenizer {own.fingerprint[:12]} is not the data's {tokenizer.fingerprint[:12]} "
            f"(file against data: {differing})",
            "build the data with tokenizer.from naming the file",
        )
    if shape is None or shape[0] != own.vocabulary_size:
        raise BundleError(f"{path}: no vector of float32 for each of {own.vocabulary_size} ids", RESTORE)
    if shape[1] != dimension:
        raise BundleError(
            f"{path}: vectors of {shape[1]} numbers, but model.embedding is {dimension}",
            f"set model.embedding to {shape[1]}",
        )
    with _named_errors(path), safe_open(path, framework="pt") as file:
        vectors: Tensor = file.get_tensor(TOKEN_VECTORS)
    if "digest" in metadata and metadata["digest"] != _digest(metadata, vectors):
        raise BundleError(f"{path}: changed since it was written: its digest differs", RESTORE)
    if not vectors.isfinite().all():
        raise BundleError(f"{path}: {TOKEN_VECTORS} holds values that are not finite", RESTORE)
    vectors[PAD] = 0
    return vectors


def identity(config: ModelConfig) -> dict[str, Any]:
    """What decides a fresh model apart from the seed: every key, with the embedding file's content instead of its path.

    Raises:
        BundleError: the file is missing.
    """
    architecture = config.architecture()
    if config.embedding_file is None:
        return architecture
    try:
        return architecture | {"embedding_file": contents.of_file(_local(config.embedding_file))}
    except InputError as error:
        raise BundleError(f"model.embedding_file: {error.problem}", error.fix) from error


def _local(location: Path | str) -> Path:
    try:
        return downloads.local(location)
    except InputError as error:
        raise BundleError(f"model.embedding_file: {error.problem}", error.fix) from error


def _digest(metadata: dict[str, str], vectors: Tensor) -> str:
    """SHA-256 over the metadata, except the digest itself, and the vectors' bytes."""
    described = {name: value for name, value in metadata.items() if name != "digest"}
    return fingerprint.of_value([described, list(vectors.shape), hashlib.sha256(vectors.numpy().tobytes()).hexdigest()])


def _read_header(path: Path) -> tuple[dict[str, str], tuple[int, int] | None]:
    """The metadata of an embedding file, and the shape of its vectors if it holds nothing else. Reads no vector."""
    with _named_errors(path), safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata() or {})
        part = file.get_slice(TOKEN_VECTORS) if list(file.keys()) == [TOKEN_VECTORS] else None
        shape = part.get_shape() if part is not None and part.get_dtype() == "F32" else []
    if metadata.get("format") != FORMAT:
        raise BundleError(f"{path}: not a raygene embedding file", "name a file embed-…-checkpoint.safetensors")
    version = metadata.get("format_version", "")
    if not re.fullmatch("[1-9][0-9]{0,5}", version):
        raise BundleError(f"{path}: format_version {version!r} is not a version", RESTORE)
    if int(version) > FORMAT_VERSION:
        raise BundleError(
            f"{path}: embedding format {version} is newer than the known {FORMAT_VERSION}", "update raygene"
        )
    if int(version) > 1 and "digest" not in metadata:
        raise BundleError(f"{path}: digest: missing", RESTORE)
    return metadata, (shape[0], shape[1]) if len(shape) == 2 else None


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Turn what reading raises into an error that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise BundleError(f"{path}: no such embedding file", "correct model.embedding_file") from error
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:120]
        raise BundleError(f"{path}: cannot be read ({reason})", RESTORE) from error
