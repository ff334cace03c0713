"""Prepares a command line for a job: checks it and its paths, and adds the experiment file.

A job runs in a temporary directory on another machine, where a relative path means something else. Which arguments are
paths follows from their metavar, the name that the help shows for the value.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.experiment import inputs, load, names_bundle, portable, with_paths
from cluster.options.flags import Overrides, chosen_parser, parse
from cluster.options.former_commands import require_current
from cluster.options.parser import Parser
from cluster.paths.output_paths import takes_addresses
from cluster.paths.path_keys import absolute
from pipelines import remote
from pipelines.address import has_credentials
from pipelines.errors import UsageError
from pipelines.inputs import spool
from training.bundle import included_models

PATHS = frozenset(
    {
        "BUNDLE",
        "CALLS",
        "CSV",
        "DATASET",
        "DIR",
        "FASTA",
        "FILE",
        "FILE.bed",
        "FILE.bw",
        "FILE.gff3",
        "GFF3",
        "PATH",
        "RUN",
        "STUDY",
    }
)
"""Metavars of arguments that are paths."""
EXPERIMENT = "EXPERIMENT.yaml"
LOCAL_ONLY = frozenset({"submit"})
SENT_EXPERIMENT = "submitted/experiment.yaml"
"""The experiment file in a job's directory."""
_PLACEHOLDER = "\0experiment"


@dataclass(frozen=True)
class Command:
    """What a job runs.

    Attributes:
        verb: of raygene.
        arguments: the verb and its arguments, as the job runs them.
        files: path in the job's directory to text.
        made_absolute: key of the experiment to the absolute path that replaces its relative one.
    """

    verb: str
    arguments: list[str]
    files: dict[str, str] = field(default_factory=dict)
    made_absolute: dict[str, str] = field(default_factory=dict)


def prepare(arguments: Sequence[str], parser: Parser) -> Command:
    """Check a command line and prepare it for a job.

    Args:
        arguments: the verb and its arguments.
        parser: of all verbs.

    Raises:
        UsageError: no such verb or argument, or a path that another node would not understand.
        InputError: the experiment is missing or not YAML.
    """
    if not arguments:
        raise UsageError("raygene submit run: no verb", "put it after --, as in 'raygene submit run -- build …'")
    require_current(arguments)
    for argument in arguments:
        _require_no_credentials(argument.partition("=")[0] if argument.startswith("--") else "an argument", argument)
    namespace, overrides = parse(parser, arguments)
    verb = str(namespace.verb)
    if verb in LOCAL_ONLY:
        raise UsageError(f"raygene submit run: {verb} does no work of its own", "submit another verb")
    chosen = chosen_parser(parser, namespace)
    for action, value in _argument_paths(chosen, namespace):
        # The job has the models that come with raygene, under the same names.
        if action.metavar != "BUNDLE" or not included_models.named(value):
            name = action.option_strings[0] if action.option_strings else str(action.metavar)
            _require_portable(name, value, addresses=takes_addresses(action))
    for name, value, is_bundle in _overridden_paths(overrides):
        if not is_bundle or not included_models.named(value):
            _require_portable(name, value, addresses=True)
    _require_persistent_report(verb, namespace)
    experiment = next((action for action in chosen._actions if action.metavar == EXPERIMENT), None)
    if experiment is None or getattr(namespace, experiment.dest) is None:
        return Command(verb, list(arguments))
    path = str(getattr(namespace, experiment.dest))
    if remote.local_path(path) is None:
        raise UsageError(
            f"{experiment.metavar} {path}: an address, but it is sent with the job", "copy it to a local file"
        )
    require_job_file(str(experiment.metavar), path)
    for named, key in inputs(load(Path(path), overrides)).items():
        require_job_file(key, named)
    text, absolute_paths = portable(Path(path))
    for word in text.split():
        _require_no_credentials(path, word.strip("'\",[]{}"))
    overridden = {".".join(map(str, keys)) for keys in overrides}
    return Command(
        verb,
        _with_sent_experiment(path, arguments, parser, experiment.dest),
        {SENT_EXPERIMENT: text},
        {key: absolute_path for key, absolute_path in absolute_paths.items() if key not in overridden},
    )


def _argument_paths(
    parser: argparse.ArgumentParser, namespace: argparse.Namespace
) -> Iterator[tuple[argparse.Action, str]]:
    """Every argument that is a path, with its value; also of defaults, because the job would have them."""
    for action in parser._actions:
        if action.metavar not in PATHS:
            continue
        value = getattr(namespace, action.dest, None)
        for path in value if isinstance(value, list) else [value]:
            if path is not None:
                yield action, str(path)


def _overridden_paths(overrides: Overrides) -> list[tuple[str, str, bool]]:
    """Flag and value of every path that is given for a key of the experiment, and whether it is a bundle's."""
    paths: list[tuple[str, str, bool]] = []

    def collect(key: str, value: Any) -> Any:
        values = value if isinstance(value, list) else [value]
        is_bundle = names_bundle(key.rpartition(" ")[2])
        paths.extend((f"--{key}", path, is_bundle) for path in values if isinstance(path, str))
        return value

    for keys, value in overrides.items():
        with_paths(keys, value, collect)
    return paths


def _require_portable(name: str, value: str, *, addresses: bool) -> None:
    """Refuse a path that does not mean the same on every node."""
    require_job_file(name, value)
    if "://" in value:
        if addresses:
            return
        raise UsageError(
            f"{name} {value}: an address, where only a path is taken",
            "give an absolute path on storage that every node mounts",
        )
    if not value.startswith("/"):
        raise UsageError(
            f"{name} {value}: relative, and a job runs in a temporary directory that is removed after it",
            "give an absolute path on storage that every node reaches "
            f"(on this machine it would be {absolute(value, Path.cwd())})",
        )


def _require_no_credentials(origin: str, text: str) -> None:
    """Refuse an address with a password: Ray keeps a job's command line and code, and shows them in its dashboard."""
    address = text.partition("=")[2] if text.startswith("--") else text
    if has_credentials(address):
        raise UsageError(
            f"raygene submit run: {origin}: {address}: has credentials in it, which the cluster would keep and show",
            "leave them out, and give them to the driver by variables that the nodes have",
        )


def require_job_file(name: str, value: str) -> None:
    """Refuse a pipe, a socket or a device of this machine.

    Raises:
        UsageError: with the option or key.
    """
    fix = "write it to a file on storage that every node mounts"
    spool.require_no_pipe(name, value, fix)
    if value.startswith(("/dev/", "/proc/")) and value != "/dev/null":
        raise UsageError(f"{name} {value}: of this process, which a job does not have", fix)


def _require_persistent_report(verb: str, namespace: argparse.Namespace) -> None:
    """Refuse an evaluation whose page would be written into the job's temporary directory and be lost."""
    bundles: Any = getattr(namespace, "bundles", None) or []
    elsewhere = any("://" in str(bundle) or included_models.named(str(bundle)) for bundle in bundles)
    if verb == "evaluate" and elsewhere and not namespace.report:
        raise UsageError(
            "--report: missing, and the page would be written into the job's temporary directory",
            "give an absolute path",
        )


def _with_sent_experiment(value: str, arguments: Sequence[str], parser: Parser, name: str) -> list[str]:
    """A command line in which the experiment is the file in the job's directory.

    Another argument may have the same value, and a flag may be written as `--flag=value`: at each possible position a
    placeholder is put in, and the command line parsed, to see whether that position is the experiment's.

    Args:
        value: the path of the experiment, as typed.
        arguments: the command line.
        parser: of all verbs.
        name: attribute of the parsed arguments that holds the experiment.
    """
    for index, argument in enumerate(arguments):
        flag = argument.removesuffix(value) if argument.startswith("--") and argument.endswith(f"={value}") else ""
        if argument != value and not flag:
            continue
        trial = [*arguments[:index], flag + _PLACEHOLDER, *arguments[index + 1 :]]
        if getattr(parse(parser, trial)[0], name) == _PLACEHOLDER:
            return [*arguments[:index], flag + SENT_EXPERIMENT, *arguments[index + 1 :]]
    raise UsageError(
        f"raygene submit run: {value}: cannot tell which argument it is", "give the experiment right after the verb"
    )


def made_absolute_lines(made_absolute: Mapping[str, str]) -> list[str]:
    """A line for each relative path of an experiment that was made absolute."""
    return [f"{key}: relative to the experiment; read on the cluster as {path}" for key, path in made_absolute.items()]
