"""Inputs of every verb that are no regular files: read once into a file, or refused, before the verb starts.

Readers open their input more than once, and workers open it again in other processes; what a pipe gave the first of
them would be missing for the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.experiment import Experiment, inputs, portable
from pipelines.errors import UsageError
from pipelines.inputs.spool import Spool, require_no_pipe

READ_ONCE = frozenset({"annotation", "calls", "experiment", "fasta", "intervals", "sequences"})
"""Arguments that may be pipes."""
WHOLE = frozenset({"bundle", "bundles", "dataset", "example", "runtime_env"})
"""Arguments that name folders, or files that are no streams."""
OUTPUTS = frozenset({"export_to", "json", "mistakes", "output", "predictions", "report", "storage"})
"""Arguments that name what is written: whole, by renaming, which would replace a pipe or a device."""
_TO_FILE = "write it to a file first, and name that"


def take_arguments(parser: argparse.ArgumentParser, namespace: argparse.Namespace, spool: Spool) -> None:
    """Replace the pipes among a verb's arguments by files, in place.

    Args:
        parser: of the verb.
        namespace: its parsed arguments.
        spool: reads the pipes.

    Raises:
        UsageError: a pipe, socket or device where none can be used, or one pipe in two places.
        InputError: a pipe that cannot be read.
    """
    for name, option, value in _paths(parser, namespace):
        if name in OUTPUTS:
            _require_replaceable(option, value)
        elif name in WHOLE:
            require_no_pipe(option, value, "name the directory or file itself")
    for name, option, value in _paths(parser, namespace):
        if name in READ_ONCE:
            copy = spool.file_of(option, value)
            _replace(namespace, name, value, copy)
            if name == "experiment" and copy != value:
                _require_absolute(option, value, copy)


def _require_replaceable(option: str, name: str) -> None:
    """Refuse an output that is there and no file: what is written appears by renaming, in its place."""
    path = Path(name)
    is_special = path.absolute().is_relative_to("/proc") or (path.exists() and not (path.is_file() or path.is_dir()))
    is_of_process = path.absolute().is_relative_to("/dev") and not path.absolute().is_relative_to("/dev/shm")
    if is_special or is_of_process:
        raise UsageError(f"{option} {name}: is a device or stream, and results are written whole", "name a file")


def _paths(parser: argparse.ArgumentParser, namespace: argparse.Namespace) -> Iterator[tuple[str, str, str]]:
    """Attribute, option and value of every argument that is a path."""
    for action in parser._actions:
        if action.dest not in READ_ONCE | WHOLE | OUTPUTS:
            continue
        value = getattr(namespace, action.dest, None)
        option = action.option_strings[0] if action.option_strings else str(action.metavar)
        for path in value if isinstance(value, list) else [value]:
            if path is not None:
                yield action.dest, option, str(path)


def _replace(namespace: argparse.Namespace, name: str, old: str, new: str) -> None:
    value = getattr(namespace, name)
    setattr(namespace, name, [new if item == old else item for item in value] if isinstance(value, list) else new)


def _require_absolute(option: str, name: str, copy: str) -> None:
    """Refuse relative paths in an experiment that lies in no folder."""
    _, relative = portable(Path(copy))
    if relative:
        key = next(iter(relative))
        raise UsageError(f"{option} {name}: {key} is a relative path, and a pipe is in no folder", "write it in full")


def take_experiment(experiment: Experiment, verb: str, spool: Spool | None) -> Experiment:
    """An experiment with files in place of the pipes that its keys name.

    Args:
        experiment: as loaded, with all flags.
        verb: that reads it. `build` reads pipes; other verbs refuse them in keys that they read.
        spool: reads the pipes; None refuses them.

    Raises:
        UsageError: a pipe, socket or device where none can be used, or one pipe in two places.
        InputError: a pipe that cannot be read.
    """
    reads_sources = verb in ("build", "doctor", "tune")
    sources: list[dict[str, Any]] = [{} for _ in experiment.sources]
    for path, key in inputs(experiment).items():
        if not key.startswith("sources."):
            require_no_pipe(key, path, _TO_FILE)
        elif verb == "build" and spool is not None:
            _, number, name = key.split(".", 2)
            if (copy := spool.file_of(key, path)) != path:
                sources[int(number)][name] = copy
        elif reads_sources:
            require_no_pipe(key, path, _TO_FILE)
    if not any(sources):
        return experiment
    changed = [source.model_copy(update=update) for source, update in zip(experiment.sources, sources, strict=True)]
    return experiment.model_copy(update={"sources": changed})
