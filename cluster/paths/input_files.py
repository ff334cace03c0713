"""Inputs of every verb that are no regular files: copied into a file, or refused, before the verb starts.

Readers open their input more than once, and workers open it again in other processes; what a pipe gave the first of
them would be missing for the others.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.experiment import Experiment, inputs, portable
from cluster.paths.output_paths import READ, PathRole
from pipelines import remote
from pipelines.errors import UsageError
from pipelines.inputs import downloads
from pipelines.inputs.spool import Spool, require_no_pipe
from training.bundle import included_models

if TYPE_CHECKING:
    from cluster.screen.terminal import Terminal

READ_ONCE = frozenset({"annotation", "calls", "experiment", "fasta", "intervals", "sequences"})
"""Arguments that may be pipes; others name folders, or files that are no streams."""
_TO_FILE = "write it to a file first, and name that"


def take_arguments(parser: argparse.ArgumentParser, namespace: argparse.Namespace, spool: Spool) -> None:
    """Replace the pipes and addresses among a verb's arguments by files, in place.

    Args:
        parser: of the verb.
        namespace: its parsed arguments.
        spool: reads the pipes.

    Raises:
        UsageError: a pipe, socket or device where none can be used, or one pipe in two places.
        InputError: a pipe or address that cannot be read.
        DependencyError: no driver for that kind of address.
    """
    for action in parser._actions:
        if action.type not in (*READ, PathRole.SEARCHED):
            continue
        option = action.option_strings[0] if action.option_strings else str(action.metavar)
        value = getattr(namespace, action.dest, None)
        for path in value if isinstance(value, list) else [value]:
            if path is None:
                continue
            if action.dest not in READ_ONCE:
                require_no_pipe(option, path, "name the directory or file itself")
                continue
            is_elsewhere = remote.local_path(path) is None
            copy = str(downloads.local(path, spool.note)) if is_elsewhere else spool.file_of(option, path)
            _replace(namespace, action.dest, path, copy)
            if action.dest == "experiment" and (is_elsewhere or spool.has_copied(copy)):
                _require_absolute(option, path, copy)


def note_included_models(parser: argparse.ArgumentParser, namespace: argparse.Namespace, terminal: Terminal) -> None:
    """Say which model is taken where a name could be that of an included one or of a path.

    Args:
        parser: of the verb.
        namespace: its parsed arguments.
        terminal: shows the lines.
    """
    for action in parser._actions:
        if action.type is not PathRole.MODEL:
            continue
        value = getattr(namespace, action.dest, None)
        for text in value if isinstance(value, list) else [value]:
            if text is None:
                continue
            if name := included_models.named(text):
                model = included_models.catalogue()[name]
                terminal.note(f"{name}: the model that comes with raygene, for {model.organisms}")
            elif included_models.hidden_by_path(text):
                terminal.note(
                    f"{text}: the path of this name, not the model that comes with raygene; that is in "
                    f"{included_models.directory(text)}"
                )


def _replace(namespace: argparse.Namespace, name: str, old: str, new: str) -> None:
    value = getattr(namespace, name)
    setattr(namespace, name, [new if item == old else item for item in value] if isinstance(value, list) else new)


def _require_absolute(option: str, name: str, copy: str) -> None:
    """Refuse relative paths in an experiment that lies in no folder of this machine."""
    _, relative = portable(Path(copy))
    if relative:
        key = next(iter(relative))
        raise UsageError(
            f"{option} {name}: {key} is a relative path, and the experiment is in no local folder", "write it in full"
        )


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
