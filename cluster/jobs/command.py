"""A command line made fit for a job: checked here, its paths such as every node understands, its experiment brought along.

A job runs in a temporary directory of another machine: what a relative path means here, it does not mean there. Which
arguments are paths is told by their metavar, which is also what the help shows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.experiment import load, portable, with_paths
from cluster.flags import Overrides, Parser, chosen_parser, parse
from cluster.former_commands import require_current
from cluster.path_keys import absolute
from pipelines.errors import UsageError

PATHS = frozenset(
    {"BUNDLE", "CALLS", "DATASET", "DIR", "FASTA", "FILE", "FILE.bed", "FILE.gff3", "PATH", "RUN", "STUDY"}
)
"""Metavars of arguments that are paths."""
ADDRESSES = frozenset({"BUNDLE", "PATH"})
"""Those that may be addresses (`s3://…`) as well."""
EXPERIMENT = "EXPERIMENT.yaml"
LOCAL_ONLY = frozenset({"submit"})
SHIPPED = "submitted/experiment.yaml"
"""Where a job finds its experiment."""
_MARK = "\0experiment"


@dataclass(frozen=True)
class Command:
    """What a job runs.

    Attributes:
        verb: of raygene.
        arguments: the verb and what follows it, as the job is given them.
        files: path below the job's directory to text.
        assumed: keys of the experiment whose relative paths were made absolute, as they are read on the cluster.
    """

    verb: str
    arguments: list[str]
    files: dict[str, str] = field(default_factory=dict)
    assumed: dict[str, str] = field(default_factory=dict)


def prepare(given: Sequence[str], parser: Parser) -> Command:
    """Check a command line and make it fit for a job.

    Args:
        given: the verb and what follows it.
        parser: of all verbs.

    Raises:
        UsageError: no such verb or argument, or a path that means nothing on the cluster.
        InputError: the experiment is missing or not YAML.
    """
    if not given:
        raise UsageError("raygene submit run: no verb", "put it after --, as in 'raygene submit run -- build …'")
    require_current(given)
    namespace, overrides = parse(parser, given)
    verb = str(namespace.verb)
    if verb in LOCAL_ONLY:
        raise UsageError(f"raygene submit run: {verb} runs no work of its own", "submit another verb")
    chosen = chosen_parser(parser, namespace)
    for name, metavar, value in _given_paths(chosen, namespace):
        _require_everywhere(name, value, addresses=metavar in ADDRESSES)
    for name, value in _overridden_paths(overrides):
        _require_everywhere(name, value, addresses=False)
    _require_kept(verb, namespace)
    action = next((one for one in chosen._actions if one.metavar == EXPERIMENT), None)
    if action is None or getattr(namespace, action.dest) is None:
        return Command(verb, list(given))
    path = str(getattr(namespace, action.dest))
    load(Path(path), overrides)
    text, assumed = portable(Path(path))
    arguments = _replaced(path, given, parser, action.dest)
    replaced = {".".join(map(str, keys)) for keys in overrides}
    return Command(
        verb, arguments, {SHIPPED: text}, {key: there for key, there in assumed.items() if key not in replaced}
    )


def _given_paths(parser: argparse.ArgumentParser, namespace: argparse.Namespace) -> Iterator[tuple[str, str, str]]:
    """Name, metavar and value of every argument of a verb that is a path; defaults too, for the job would have them."""
    for action in parser._actions:
        if action.metavar not in PATHS:
            continue
        value = getattr(namespace, action.dest, None)
        name = action.option_strings[0] if action.option_strings else str(action.metavar)
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                yield name, str(action.metavar), str(one)


def _overridden_paths(overrides: Overrides) -> list[tuple[str, str]]:
    """Flag and value of every path that is given for a key of the experiment."""
    found: list[tuple[str, str]] = []

    def take(key: str, value: Any) -> Any:
        found.extend(
            (f"--{key}", one) for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)
        )
        return value

    for keys, value in overrides.items():
        with_paths(keys, value, take)
    return found


def _require_everywhere(name: str, value: str, *, addresses: bool) -> None:
    """See that a path means the same on every node."""
    if "://" in value:
        if addresses:
            return
        raise UsageError(
            f"{name} {value}: an address, where raygene reads and writes files only",
            "give an absolute path on storage that every node mounts",
        )
    if not value.startswith("/"):
        raise UsageError(
            f"{name} {value}: relative, and a job runs in a temporary directory that is removed after it",
            f"give an absolute path on storage that every node reaches (on this machine it would be {absolute(value, Path.cwd())})",
        )


def _require_kept(verb: str, namespace: argparse.Namespace) -> None:
    """Refuse what would be written into the job's temporary directory by default."""
    bundles: Any = getattr(namespace, "bundles", None) or []
    if verb == "evaluate" and any("://" in str(one) for one in bundles) and not namespace.report:
        raise UsageError(
            "--report: missing, and the page would be written into the job's temporary directory",
            "give an absolute path",
        )


def _replaced(value: str, given: Sequence[str], parser: Parser, name: str) -> list[str]:
    """A command line in which the argument of that name is the one that goes along.

    Another argument may have the same value, and a flag be written as `--flag=value`: each place is tried with a mark.
    """
    for index, one in enumerate(given):
        flag = one.removesuffix(value) if one.startswith("--") and one.endswith(f"={value}") else ""
        if one != value and not flag:
            continue
        trial = [*given[:index], flag + _MARK, *given[index + 1 :]]
        if getattr(parse(parser, trial)[0], name) == _MARK:
            return [*given[:index], flag + SHIPPED, *given[index + 1 :]]
    raise UsageError(
        f"raygene submit run: {value}: cannot tell where it stands", "give the experiment right after the verb"
    )


def assumed_lines(assumed: Mapping[str, str]) -> list[str]:
    """What to tell of relative paths in an experiment."""
    return [f"{key}: relative to the experiment; read on the cluster as {path}" for key, path in assumed.items()]
