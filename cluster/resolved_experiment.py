"""An experiment as YAML with every key, and a comment that says where its value comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cluster.experiment import Experiment
from cluster.options.flags import Overrides
from pipelines.documents import yaml_reader, yaml_writer

FLAG, DEFAULT = "flag", "default"


def lines(experiment: Experiment, path: str, overrides: Overrides) -> Iterator[str]:
    """The lines of the YAML, which `cluster.experiment.load` reads as the same experiment.

    Args:
        experiment: with the values of flags.
        path: its file.
        overrides: keys given as flags.
    """
    document = yaml_reader.read(Path(path), "an experiment file")
    name = " ".join(Path(path).name.split())
    # A file without a task has the default one, which it does not name when it is written.
    for section, values in ({"task": experiment.task} | experiment.resolved()).items():
        if isinstance(values, Mapping):
            yield f"{section}:" if values else f"{section}: {{}}"
            for key, value in values.items():
                yield f"  {_pair(key, value)}  # {_origin((section, key), document, overrides, name)}"
        elif section == "sources":
            yield f"{section}:"
            for number, item in enumerate(values):
                yield from _item(item, (section, number), document, overrides, name)
        else:
            yield f"{_pair(section, values)}  # {_origin((section,), document, overrides, name)}"


def _item(
    item: Mapping[str, Any], keys: tuple[str, int], document: Any, overrides: Overrides, name: str
) -> Iterator[str]:
    """An item of a list of mappings, such as a genome."""
    for place, (key, value) in enumerate(item.items()):
        start = "  - " if place == 0 else "    "
        yield f"{start}{_pair(key, value)}  # {_origin((*keys, key), document, overrides, name)}"


def _pair(key: str, value: Any) -> str:
    """A key with its value, on one line."""
    return yaml_writer.dump({key: value}, flow=True).strip()[1:-1]


def _origin(keys: tuple[str | int, ...], document: Any, overrides: Overrides, name: str) -> str:
    """Where the value of a key comes from: a flag, the file of this name, or the default."""
    if keys in overrides:
        return FLAG
    for key in keys:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return DEFAULT
    return DEFAULT if document is None else name
