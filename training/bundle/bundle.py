"""A model bundle: weights, tokenizer, vocabulary and what they were trained on, as one directory.

Nothing in it is a pickle. Loading executes nothing, needs no Ray, and reads no weight before everything around it is
checked. A bundle appears whole or not at all. Loading costs a hash (1.5 GB/s) and a copy of the weights, and for an
address elsewhere one download.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from pipelines import os_errors, remote, storage
from pipelines.display import shown
from pipelines.errors import BundleError, DatasetError, InputError
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.tokenizer_file import FILE_NAME
from training import tasks
from training.bundle import digests, included_models, weights
from training.bundle.card import model_card
from training.bundle.digests import CONFIG, RESTORE
from training.bundle.download import downloaded
from training.bundle.sequence_codes import codes_of
from training.engine import scoring
from training.tasks import RECOGNISE, STRUCTURE, Name, Task

WEIGHTS, CARD = "model.safetensors", "README.md"
DIGESTED_FILES = [WEIGHTS, FILE_NAME]
# `Path` makes one slash of the two in an address.
_ADDRESS_AS_PATH = re.compile(r"[a-z][a-z0-9+.-]+:/[^/]")


@dataclass(frozen=True, repr=False)
class Bundle:
    """A trained model and everything that belongs to it.

    Attributes:
        model: in evaluation mode, on the CPU.
        tokenizer: whose ids its embedding has vectors for.
        config: model sizes, threshold, genomes, metrics, fingerprints and versions; see `docs/formats.md`.
        digest: of the `config.json` it was loaded from; None if it was not loaded.
    """

    model: nn.Module
    tokenizer: Tokenizer
    config: dict[str, Any]
    digest: str | None = None

    @property
    def task(self) -> Task:
        """What the model was trained for."""
        return Task.of_bundle(self.config)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over configuration, tokenizer and weights: the `digest` it was loaded with or would be saved with."""
        return self.digest or str(self._config_with_digests(self._weights())["digest"])

    def __repr__(self) -> str:
        weights_count = sum(parameter.numel() for parameter in self.model.parameters())
        genomes = ", ".join(map(str, self.config.get("genomes", []))) or "no genome"
        loaded = f", fingerprint {self.digest[:12]}" if self.digest else ""
        body = self.config.get("model", {}).get("kind", type(self.model).__name__)
        return shown(
            f"<Bundle: task {self.task.name}, {body} of {weights_count:,} weights, {self.tokenizer.k}-mers every "
            f"{self.tokenizer.stride}, trained on {genomes}{loaded}>"
        )

    def score(self, sequences: Iterable[str], token_budget: int | None = None) -> NDArray[np.float64]:
        """The probability that each sequence is a gene, or has each class, on the device of the model.

        Sequences are read as they are written.

        Args:
            sequences: letters of the IUPAC code, of either case.
            token_budget: maximum of padded tokens in a batch (default: by the kind of device).

        Returns:
            Probabilities, shape (sequences,), in the order given; `config["threshold"]` is that of a call. Of a model
            of classes shape (sequences, classes), in the order of `config["classes"]`.

        Raises:
            BundleError: a model of gene structure.
            InputError: a sequence that is empty, or that has characters other than letters of the IUPAC code.
            UsageError: one sequence in place of a list.
        """
        if self.task.name == STRUCTURE:
            self.require_task(RECOGNISE, "Bundle.score")
        codes, lengths = codes_of(sequences)
        if not len(lengths):
            return np.empty(scoring.shape_of_scores(self.model, 0))
        tokens, counts = self.tokenizer.encode_many(codes, lengths)
        device = next(self.model.parameters()).device
        budget = token_budget or scoring.default_token_budget(device)
        return scoring.probabilities(self.model, tokens, counts, budget, device)

    def require_task(self, name: Name, what: str) -> None:
        """Refuse a model of another task.

        Args:
            name: of the task that is needed.
            what: names the bundle in the error.

        Raises:
            BundleError: with the verbs that use this model.
        """
        tasks.require_bundle(self.config, name, what)

    def require_tokenizer(self, tokenizer: Tokenizer, what: str) -> None:
        """Refuse data of another tokenizer.

        Args:
            tokenizer: of the data.
            what: names the data in the error.

        Raises:
            BundleError: with both fingerprints and the parameters that differ.
        """
        if tokenizer.fingerprint == self.tokenizer.fingerprint:
            return
        differing = ", ".join(self.tokenizer.differences(tokenizer))
        raise BundleError(
            f"{what}: tokenizer {tokenizer.fingerprint[:12]} is not the model's {self.tokenizer.fingerprint[:12]} "
            f"(model against data: {differing})",
            "build the data with tokenizer.from naming the bundle",
            code="tokenizer",
            key="tokenizer.from",
        )

    def save(self, directory: Path) -> None:
        """Write the bundle, and replace an earlier one when the new one is whole. The same bundle gives the same bytes.

        Raises:
            StorageError: the directory cannot be written.
        """
        content = self._weights()
        described = digests.text(self._config_with_digests(content))
        # The card is made from the written text, so that the order of keys in memory does not show.
        card = model_card(json.loads(described))
        staging = storage.staging_directory(directory, self.tokenizer.fingerprint)
        shutil.rmtree(staging, ignore_errors=True)
        storage.make_directory(staging)
        self.tokenizer.save(staging)
        with storage.replacing(staging / WEIGHTS) as temporary:
            temporary.write_bytes(content)
        storage.write_text(staging / CONFIG, described)
        storage.write_text(staging / CARD, card)
        storage.swap_in(staging, directory)

    def _weights(self) -> bytes:
        tensors = {name: tensor.contiguous().cpu() for name, tensor in self.model.state_dict().items()}
        return save(tensors, metadata={"tokenizer": self.tokenizer.fingerprint})

    def _config_with_digests(self, content: bytes) -> dict[str, Any]:
        contents = {WEIGHTS: content, FILE_NAME: self.tokenizer.text.encode()}
        files = {name: digests.entry_of_bytes(data) for name, data in contents.items()}
        return digests.with_digests(self.config, files)


def load(path: Path | str) -> Bundle:
    """Read a bundle.

    Args:
        path: a directory, or as text the address of one: `file://…`, `s3://…`, `gs://…`, `https://…`, and whatever
            fsspec has a driver for; or the name of a model that comes with raygene, unless there is a path of that
            name. The files of an address are copied into the cache once.

    Raises:
        BundleError: missing, not reachable, damaged, of a newer format, or with a tokenizer that is not its own.
        DependencyError: no driver for that kind of address.
    """
    if name := included_models.named(path):
        return _read(included_models.directory(name), name)
    try:
        directory = remote.local_path(path)
    except InputError as error:
        raise BundleError(error.problem, error.fix) from error
    if directory is not None:
        return _read(directory, str(directory))
    with downloaded(str(path), DIGESTED_FILES) as (copy, shown):
        return _read(copy, shown)


def _read(directory: Path, shown: str) -> Bundle:
    stored = digests.read(_read_config(directory / CONFIG, shown), f"{shown}/{CONFIG}", DIGESTED_FILES)
    config = stored.config
    architecture = weights.architecture(config["model"], f"{shown}/{CONFIG}")
    try:
        tokenizer = Tokenizer.load(directory, shown=f"{shown}/{FILE_NAME}")
    except DatasetError as error:
        raise BundleError(error.problem, RESTORE) from error
    if tokenizer.fingerprint != config["tokenizer"]["fingerprint"]:
        raise BundleError(
            f"{shown}: {FILE_NAME} ({tokenizer.fingerprint[:12]}) is not the one the model was trained with "
            f"({config['tokenizer']['fingerprint'][:12]})",
            RESTORE,
        )
    files = stored.files or digests.entries_of_files(directory, DIGESTED_FILES, shown)
    digests.check(directory, files, shown)
    task = Task.of_bundle(config)
    model = weights.read(directory / WEIGHTS, architecture, tokenizer.vocabulary_size, f"{shown}/{WEIGHTS}", task)
    return Bundle(model.eval(), tokenizer, config, stored.digest or digests.with_digests(config, files)["digest"])


def _read_config(path: Path, shown: str) -> bytes:
    try:
        if path.stat().st_size > digests.LARGEST:
            raise BundleError(f"{shown}/{CONFIG}: too large for a configuration", RESTORE)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path.parent, shown) from error
    except OSError as error:
        raise BundleError(
            f"{shown}/{CONFIG}: cannot be read ({os_errors.cause(error)})", os_errors.read_fix(error, RESTORE)
        ) from error


def _missing(directory: Path, shown: str) -> BundleError:
    """The error for a path without a bundle, and for a name that no model has."""
    names = included_models.catalogue()
    problem, fix = f"{shown}: no model bundle there (no {CONFIG})", "name a directory RUN/bundle"
    if _ADDRESS_AS_PATH.match(shown):
        fix = "give an address as text, since a Path changes it"
    elif included_models.hidden_by_path(shown):
        fix += f", or {included_models.directory(shown)} for the model of this name that comes with raygene"
    elif names and shown not in names and not directory.exists() and directory.name == shown:
        problem = f"{shown}: no model of this name comes with raygene, and there is no such path"
        fix = f"name one of {', '.join(names)}, or a path such as RUN/bundle"
    return BundleError(problem, fix, code="missing")
