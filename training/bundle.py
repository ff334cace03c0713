"""A model bundle: weights, tokenizer, vocabulary and what they were trained on, as one directory.

Nothing in it is a pickle; loading executes nothing. A bundle appears whole or not at all.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from pipelines import storage
from pipelines.errors import BundleError, DatasetError
from pipelines.tokenizer import Tokenizer
from training import models
from training.card import model_card
from training.config import ModelConfig

FORMAT = "raygene-bundle"
FORMAT_VERSION = 1
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"


@dataclass(frozen=True)
class Bundle:
    """A trained model and all that belongs to it.

    Attributes:
        model: in evaluation mode, on the CPU.
        tokenizer: the one its embedding belongs to.
        config: model sizes, threshold, genomes, metrics, fingerprints and versions; see `docs/formats.md`.
    """

    model: nn.Module
    tokenizer: Tokenizer
    config: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """What tells this bundle from another."""
        return str(self.config["run"])

    def require_tokenizer(self, tokenizer: Tokenizer, what: str) -> None:
        """Refuse data of another tokenizer.

        Raises:
            BundleError: with both fingerprints and the parameters that differ.
        """
        if tokenizer.fingerprint == self.tokenizer.fingerprint:
            return
        differing = ", ".join(self.tokenizer.differences(tokenizer)) or "the vocabulary"
        raise BundleError(
            f"{what}: tokenizer {tokenizer.fingerprint[:12]} is not the model's {self.tokenizer.fingerprint[:12]} "
            f"(model against data: {differing})",
            "build the data with tokenizer.from naming the bundle",
        )

    def save(self, directory: Path) -> None:
        """Write the bundle, replacing an earlier one when the new one is whole.

        Raises:
            ResourceError: the place cannot be written.
        """
        staging = storage.staging_for(directory, self.tokenizer.fingerprint)
        shutil.rmtree(staging, ignore_errors=True)
        storage.make_directory(staging)
        self.tokenizer.save(staging)
        weights = {name: tensor.contiguous().cpu() for name, tensor in self.model.state_dict().items()}
        with storage.replacing(staging / WEIGHTS) as temporary:
            save_file(weights, temporary, metadata={"tokenizer": self.tokenizer.fingerprint})
        storage.write_text(staging / CONFIG, json.dumps(self.config, indent=1, sort_keys=True) + "\n")
        storage.write_text(staging / CARD, model_card(self.config))
        storage.swap_in(staging, directory)


def load(path: Path | str) -> Bundle:
    """Read a bundle.

    Raises:
        BundleError: missing, damaged, of a newer format, or with a tokenizer that is not its own.
    """
    directory = Path(path)
    config = _config(directory / CONFIG)
    try:
        tokenizer = Tokenizer.load(directory)
    except DatasetError as error:
        raise BundleError(error.problem, "restore the bundle from where it was made") from error
    if tokenizer.fingerprint != config["tokenizer"]["fingerprint"]:
        raise BundleError(
            f"{directory}: tokenizer.json ({tokenizer.fingerprint[:12]}) is not the one the model was trained with "
            f"({config['tokenizer']['fingerprint'][:12]})",
            "restore the bundle from where it was made",
        )
    try:
        model = models.make(ModelConfig.model_validate(config["model"]), tokenizer.vocabulary_size)
        model.load_state_dict(load_file(directory / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError, ValidationError) as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise BundleError(f"{directory / WEIGHTS}: cannot be loaded ({reason})", "restore the bundle") from error
    return Bundle(model.eval(), tokenizer, config)


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(
            f"{path.parent}: no model bundle there (no {CONFIG})", "name a directory RUN/bundle"
        ) from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: cannot be read ({error})", "restore the bundle") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise BundleError(f"{path}: not the configuration of a raygene bundle", "name a directory RUN/bundle")
    if config.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{path}: bundle format {config.get('format_version')} is not the known {FORMAT_VERSION}", "update raygene"
        )
    if missing := {"model", "threshold", "tokenizer"} - set(config):
        raise BundleError(f"{path}: {min(missing)}: missing", "restore the bundle")
    if not isinstance(config["tokenizer"], dict) or "fingerprint" not in config["tokenizer"]:
        raise BundleError(f"{path}: tokenizer.fingerprint: missing", "restore the bundle")
    return config


def describe(
    model: ModelConfig,
    training: dict[str, Any],
    manifest: dict[str, Any],
    record: dict[str, Any],
    threshold: float,
    versions: dict[str, str],
) -> dict[str, Any]:
    """The content of `config.json`.

    Args:
        model: sizes of the model.
        training: the training section.
        manifest: of the dataset trained on.
        record: metrics of the epoch whose weights are kept.
        threshold: from which probability on an interval is called a gene.
        versions: of the software.
    """
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": model.architecture(),
        "training": training,
        "labels": ["negative", "gene"],
        "threshold": threshold,
        "tokenizer": manifest["tokenizer"],
        "dataset": {
            "fingerprint": manifest["fingerprint"],
            "config": manifest["config"],
            "longest": manifest["longest"],
        },
        "genomes": [source["genome"] for source in manifest["config"]["sources"]],
        "metrics": record,
        "versions": versions | {"torch": torch.__version__},
    }
