"""Models that come with raygene: bundles in the folder `included`, each known by a name such as `yeast`.

`included/models.json` has what is known of each: for which organisms it is, the SHA-256 and bytes of its files, and the
sequences on which it was measured with what it reached there. examples/models/README.md says how they are made.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipelines import os_errors
from pipelines.errors import BundleError

FOLDER = Path(__file__).with_name("included")
CATALOGUE = "models.json"


@dataclass(frozen=True)
class IncludedModel:
    """A model that comes with raygene.

    Attributes:
        name: that a command line takes in place of a path.
        organisms: for which it is, in the words of the list.
        experiment: path in raygene's repository of the experiment that it was trained by.
        files: SHA-256 and bytes of each file of its bundle.
        measured: `on`, `annotated` genes and `f1` by level, for each set of sequences that it was measured on.
    """

    name: str
    organisms: str
    experiment: str
    files: dict[str, dict[str, Any]]
    measured: list[dict[str, Any]]

    @property
    def directory(self) -> Path:
        """Where its bundle is on this machine."""
        return directory(self.name)

    @property
    def size(self) -> int:
        """Bytes of all of its files."""
        return sum(int(entry["bytes"]) for entry in self.files.values())

    def card(self) -> str:
        """Its model card in Markdown, without the block for model hubs at its head.

        Raises:
            BundleError: the file is missing or cannot be read.
        """
        text = self._read("README.md")
        return text.partition("\n---\n")[2].lstrip() if text.startswith("---\n") else text

    def to_json(self) -> dict[str, Any]:
        """All that is known of it, with what its `config.json` says of task, genomes, split and digest.

        Raises:
            BundleError: a file is missing or cannot be read.
        """
        config = json.loads(self._read("config.json"))
        train = config["dataset"].get("splits", {}).get("train", {})
        return {
            "name": self.name,
            "task": config.get("task", "recognise"),
            "organisms": self.organisms,
            "genomes": config["genomes"],
            "train": {name: train.get(name, 0) for name in ("bases", "genes")},
            "measured": self.measured,
            "experiment": self.experiment,
            "bytes": self.size,
            "digest": config["digest"],
            "directory": str(self.directory),
        }

    def _read(self, name: str) -> str:
        try:
            return (self.directory / name).read_text(encoding="utf-8")
        except OSError as error:
            problem = f"{self.name}: {self.directory / name}: cannot be read ({os_errors.cause(error)})"
            raise BundleError(problem, "reinstall raygene") from error


@cache
def catalogue() -> dict[str, IncludedModel]:
    """The models by name, in alphabetical order."""
    try:
        entries = json.loads((FOLDER / CATALOGUE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        # An installation may be stripped of them.
        return {}
    return {name: IncludedModel(name, **entry) for name, entry in sorted(entries.items())}


def directory(name: str) -> Path:
    """Where the bundle of a name is on this machine."""
    return FOLDER / name


def named(location: object, folder: Path = Path()) -> str | None:
    """The name of the included model that is meant; None for an address, and for anything that is a path here.

    Args:
        location: as a user gave it. A `Path` is a path, whatever its name.
        folder: that a relative path is relative to (default: the current one).
    """
    return str(location) if is_name(location) and not os.path.lexists(folder / str(location)) else None


def hidden_by_path(location: object) -> bool:
    """Whether a path of the current folder has the name of an included model, and is meant in its place."""
    return is_name(location) and os.path.lexists(str(location))


def is_name(text: object) -> bool:
    """Whether a text is the name of an included model, whatever paths there are."""
    return isinstance(text, str) and text in catalogue()
