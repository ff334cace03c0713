"""Token vectors as one safetensors file that carries its tokenizer: token, id and vector travel together.

The file is called `embed-[dimension]-[vocabulary]-[accuracy]-[date-time]-checkpoint.safetensors`. Loading executes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipelines import contents, storage
from pipelines.errors import BundleError, DatasetError, InputError
from pipelines.tokenizer import PAD, Tokenizer
from training.config import ModelConfig

FORMAT = "raygene-embedding"
FORMAT_VERSION = 1
TENSOR = "embedding.weight"
RESTORE = "restore the file from where it was made"


def name_of(dimension: int, vocabulary: int, accuracy: float, made: datetime) -> str:
    """The file's name; the time is given in UTC, to the second."""
    return f"embed-{dimension}-{vocabulary}-{accuracy:.4f}-{made.astimezone(UTC):%Y%m%dT%H%M%SZ}-checkpoint.safetensors"


def save(
    vectors: Tensor,
    tokenizer: Tokenizer,
    accuracy: float,
    made: datetime,
    directory: Path,
    more: Mapping[str, str] | None = None,
) -> Path:
    """Write vectors with their tokenizer.

    Args:
        vectors: one for each id, shape (vocabulary, dimension).
        tokenizer: the one whose ids they belong to.
        accuracy: of the task they were learnt by, 0 to 1; in the name only, and in the metadata.
        made: when, with its time zone.
        directory: where to.
        more: further metadata.

    Returns:
        The file.

    Raises:
        BundleError: not as many vectors as the tokenizer has ids.
        ResourceError: the place cannot be written.
    """
    if vectors.dim() != 2 or len(vectors) != tokenizer.vocabulary_size:
        raise BundleError(
            f"vectors of shape {tuple(vectors.shape)} do not fit a tokenizer of {tokenizer.vocabulary_size} ids",
            "give one vector for each id",
        )
    path = directory / name_of(vectors.shape[1], len(vectors), accuracy, made)
    metadata = {
        **(more or {}),
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "tokenizer": tokenizer.json,
        "tokenizer_fingerprint": tokenizer.fingerprint,
        "accuracy": f"{accuracy:.4f}",
        "made": made.astimezone(UTC).isoformat(timespec="seconds"),
    }
    with storage.replacing(path) as temporary:
        temporary.write_bytes(_serialised(vectors.detach().float().cpu().numpy(), metadata))
    return path


def _serialised(vectors: NDArray[np.float32], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file; the library's own writer puts metadata in another order every time."""
    values = np.ascontiguousarray(vectors, "<f4").tobytes()
    tensor = {"dtype": "F32", "shape": list(vectors.shape), "data_offsets": [0, len(values)]}
    header = json.dumps(
        {"__metadata__": dict(sorted(metadata.items())), TENSOR: tensor}, separators=(",", ":")
    ).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + values


def facts(path: Path) -> dict[str, str]:
    """The metadata of a file.

    Raises:
        BundleError: missing or damaged.
    """
    return _read(path)[0]


def load(path: Path, tokenizer: Tokenizer, dimension: int) -> Tensor:
    """The vectors of a file, for a tokenizer and a size that have to be the file's.

    Args:
        path: the file.
        tokenizer: of the data.
        dimension: `model.embedding`.

    Returns:
        float32, shape (vocabulary, dimension); the vector of `<pad>` is zero.

    Raises:
        BundleError: missing, damaged, of a newer format, of another tokenizer (with both fingerprints and the parameters
            that differ) or of another dimension.
    """
    metadata, vectors = _read(path)
    if metadata.get("format") != FORMAT:
        raise BundleError(f"{path}: not a raygene embedding file", "name a file embed-…-checkpoint.safetensors")
    if metadata.get("format_version") != str(FORMAT_VERSION):
        version = metadata.get("format_version")
        raise BundleError(f"{path}: embedding format {version} is not the known {FORMAT_VERSION}", "update raygene")
    try:
        own = Tokenizer.load(path)
    except DatasetError as error:
        raise BundleError(error.problem, RESTORE) from error
    if own.fingerprint != metadata.get("tokenizer_fingerprint"):
        raise BundleError(f"{path}: its tokenizer is not the one that its fingerprint names", RESTORE)
    if own.fingerprint != tokenizer.fingerprint:
        differing = ", ".join(own.differences(tokenizer)) or "the vocabulary"
        raise BundleError(
            f"{path}: its tokenizer {own.fingerprint[:12]} is not the data's {tokenizer.fingerprint[:12]} "
            f"(file against data: {differing})",
            "build the data with tokenizer.from naming the file",
        )
    if vectors is None or vectors.dim() != 2 or len(vectors) != own.vocabulary_size or not vectors.isfinite().all():
        raise BundleError(f"{path}: no vector of numbers for each of {own.vocabulary_size} ids", RESTORE)
    if vectors.shape[1] != dimension:
        raise BundleError(
            f"{path}: vectors of {vectors.shape[1]} numbers, but model.embedding is {dimension}",
            f"set model.embedding to {vectors.shape[1]}",
        )
    vectors[PAD] = 0
    return vectors


def identity(config: ModelConfig) -> dict[str, Any]:
    """What decides a fresh model, the seed aside: every key, and the embedding file by its content instead of its path.

    Raises:
        BundleError: the file is missing.
    """
    described = config.architecture()
    if config.embedding_file is None:
        return described
    try:
        return described | {"embedding_file": contents.of_file(Path(config.embedding_file))}
    except InputError as error:
        raise BundleError(f"model.embedding_file: {error.problem}", error.remedy) from error


def _read(path: Path) -> tuple[dict[str, str], Tensor | None]:
    """Metadata, and the vectors in float32 if there are any."""
    try:
        with safe_open(path, framework="pt") as file:
            vectors = file.get_tensor(TENSOR).to(torch.float32) if TENSOR in file.keys() else None  # noqa: SIM118
            return dict(file.metadata() or {}), vectors
    except FileNotFoundError as error:
        raise BundleError(f"{path}: no embedding file there", "correct model.embedding_file") from error
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:120]
        raise BundleError(f"{path}: cannot be read ({reason})", RESTORE) from error
