"""Reading a finished token dataset: random access to the rows of a split.

A split is decoded once per machine, into files that all processes map and share. Opening it again takes milliseconds,
and access in any order costs nothing.
"""

from __future__ import annotations

import logging
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import remote, schema
from pipelines.dataset import columns, parts, split_cache
from pipelines.dataset.location import Location, local
from pipelines.dataset.manifest import MANIFEST as MANIFEST
from pipelines.dataset.manifest import is_structure
from pipelines.dataset.manifest import read_counts as read_counts
from pipelines.dataset.manifest import read_manifest as read_manifest
from pipelines.display import shown
from pipelines.errors import DatasetError, ResourceError
from pipelines.tokens.tokenizer import Tokenizer

_log = logging.getLogger(__name__)


def is_whole(directory: Path, manifest: dict[str, Any]) -> bool:
    """Whether every file of a dataset exists with the bytes its manifest gives; reads all of them, at over 1 GB/s."""
    try:
        if Tokenizer.load(directory).fingerprint != manifest["tokenizer"]["fingerprint"]:
            return False
        files = [*manifest["files"], *manifest.get("left_out", {}).get("files", [])]
        if not all("bytes" in file and "sha256" in file for file in files):
            return False
        # Sizes first: they cost nothing.
        for part in parts.of_files(directory, files):
            part.verify()
    except DatasetError:
        return False
    return True


def _load_tokenizer(directory: Path, described: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a dataset, after checking that it is the one that the manifest describes."""
    tokenizer = Tokenizer.load(directory)
    actual = {"fingerprint": tokenizer.fingerprint, **tokenizer.parameters, "size": tokenizer.vocabulary_size}
    if tokenizer.fingerprint != described["fingerprint"]:
        raise DatasetError(f"{directory}: tokenizer.json is not the one the dataset was built with", "build it again")
    for key, value in actual.items():
        if described.get(key, value) != value:
            raise DatasetError(
                f"{directory / MANIFEST}: tokenizer.{key}: {reprlib.repr(described[key])} is not the {value!r} of "
                "tokenizer.json",
                parts.REBUILD,
                code="damaged",
            )
    return tokenizer


@dataclass(frozen=True, repr=False)
class TokenDataset:
    """Random access to the rows of one split; a map-style dataset in the sense of PyTorch.

    Attributes:
        manifest: the dataset's manifest.
        tokenizer: the tokenizer of its token ids.
        split: train, validation or test.
        tokens: all token ids end to end, shape (tokens,), uint16 or uint32.
        offsets: start of each row in `tokens`, and the end of the last one; shape (rows + 1,), int64.
        labels: 1 gene, 0 negative, shape (rows,), int8.
        table: the other columns of the rows (interval columns, gc, unknown and soft-masked share).
        states: of every base, both strands in a byte (`pipelines.structure.states`), shape (tokens,), uint8; None for a
            dataset of another task than `structure`.
        note: why this process holds a copy of its own instead of sharing the machine's; None if it shares, or if the
            dataset was created from arrays.
    """

    manifest: dict[str, Any]
    tokenizer: Tokenizer
    split: str
    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int8]
    table: pa.Table
    states: NDArray[np.uint8] | None = None

    note: str | None = field(default=None, init=False, repr=False, compare=False)
    _opened_from: Location | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def open(cls, location: Location, split: str, fingerprint: str | None = None) -> TokenDataset:
        """Open one split of a finished dataset; its arrays are views of files that all processes of this machine share.

        If the cache (`RAYGENE_CACHE`) cannot hold them, this process reads its own copy; a warning and `note` say why.

        Args:
            location: the dataset's directory, or its address in a store, from which this node fetches the split once.
            split: train, validation or test.
            fingerprint: of the dataset as it was opened earlier, if it must still be the same.

        Raises:
            DatasetError: not a finished dataset, another one than expected, an unknown or empty split, or a missing or
                damaged file.
        """
        directory = local(location, [split])
        manifest = read_manifest(directory)
        if fingerprint not in (None, manifest["fingerprint"]):
            raise DatasetError(
                f"{directory}: the dataset was replaced since it was first opened (fingerprint "
                f"{manifest['fingerprint'][:12]}, not {fingerprint[:12]})",
                "start again with the new one, or restore the old one",
                code="replaced",
            )
        if split not in schema.SPLITS:
            raise DatasetError(f"{directory}: no split {split!r}", f"choose one of {', '.join(schema.SPLITS)}")
        tokenizer = _load_tokenizer(directory, manifest["tokenizer"])
        files = parts.of_split(directory, manifest, split)
        note, has_states = None, is_structure(manifest)
        try:
            split_columns = split_cache.open_columns(
                manifest["fingerprint"], files, split, tokenizer.vocabulary_size, has_states=has_states
            )
        except ResourceError as error:
            note = f"{error}; until then every process reads its own copy of split {split}"
            _log.warning(note)
            split_columns = columns.read_columns(files, split, tokenizer.vocabulary_size, has_states=has_states)
        opened = cls(
            manifest,
            tokenizer,
            split,
            split_columns.tokens,
            split_columns.offsets,
            split_columns.labels,
            split_columns.table,
            split_columns.states,
        )
        # The dataclass is frozen, and its constructor does not take these two.
        object.__setattr__(opened, "note", note)
        object.__setattr__(opened, "_opened_from", directory if remote.local_path(location) is not None else location)
        return opened

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle as the location to open, so that a copy shares its node's files; a dataset of arrays pickles them."""
        if self._opened_from is None:
            return super().__reduce_ex__(protocol)
        return TokenDataset.open, (self._opened_from, self.split, self.manifest["fingerprint"])

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, shape (rows,); read-only, computed once."""
        lengths = np.diff(self.offsets)
        lengths.flags.writeable = False
        return lengths

    @cached_property
    def stretches(self) -> NDArray[np.int64]:
        """First token of the stretch that each row lies in, and the token after its last; shape (rows, 2), read-only.

        A stretch is a run of rows of one chromosome, each of which begins where the one before it ends.
        """
        genome, chromosome = (
            self.table[name].combine_chunks().dictionary_encode().indices.to_numpy()
            for name in ("genome", "chromosome")
        )
        continues = (genome[1:] == genome[:-1]) & (chromosome[1:] == chromosome[:-1])
        continues &= self.table["start"].to_numpy()[1:] == self.table["end"].to_numpy()[:-1]
        firsts = np.flatnonzero(np.append(True, ~continues))
        sizes = np.diff(np.append(firsts, len(self)))
        bounds = np.stack([self.offsets[firsts], self.offsets[firsts + sizes]], axis=1)
        stretches = np.repeat(bounds, sizes, axis=0)
        stretches.flags.writeable = False
        return stretches

    def __repr__(self) -> str:
        genomes = self.manifest.get("config", {}).get("sources", [])
        names = ", ".join(str(source["genome"]) for source in genomes if "genome" in source)
        named = f" of {names}" if names else ""
        fingerprint = f", fingerprint {self.manifest['fingerprint'][:12]}" if "fingerprint" in self.manifest else ""
        return shown(
            f"<TokenDataset: split {self.split}{named}, {len(self):,} rows, {len(self.tokens):,} tokens, "
            f"{self.tokenizer.k}-mers every {self.tokenizer.stride}{fingerprint}>"
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[NDArray[Any], int]:
        """Token ids of a row, shape (tokens of the row,), and its label.

        Raises:
            IndexError: no such row.
        """
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self.tokens[self.offsets[row] : self.offsets[row + 1]], int(self.labels[row])
