"""Command lines: the parser of a verb, and every configuration key as a flag, such as `--tokenizer.k 6`.

Values of flags are validated by the same typed models as those of an experiment file.
"""

from __future__ import annotations

import argparse
import difflib
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cluster.experiment import Experiment
from cluster.options import flag_types
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole
from pipelines.config import SourceConfig, renamed_key
from pipelines.config.section import MAX_WHOLE
from pipelines.config.tasks import CLASSES
from pipelines.errors import UsageError

_SOURCES = (
    "N counts the genomes from 0. An experiment may name a table in place of its list, with these keys as columns: "
    "sources: {table: genomes.tsv}."
)
_SOURCE_FLAG = re.compile(r"--sources\.([0-9]+|N)\.(\w+)(?:=(.*))?$", re.DOTALL)
GENERAL = "general options"
LOG_LEVELS = ("debug", "info", "warning", "error")
_MAX_SOURCES = 10_000
Overrides = dict[tuple[str | int, ...], Any]


SHORT_FLAGS: dict[str, tuple[str | int, ...]] = {"start_from": ("training", "start_from")}
"""A verb's own argument that stands for a configuration key, by its attribute."""


class _ListOnce(argparse.Action):
    """Stores the values of a flag, and refuses the flag a second time, where its first values would be lost."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        if hasattr(namespace, self.dest):
            raise _given_twice(parser.prog, f"--{self.dest}")
        setattr(namespace, self.dest, values)


def _given_twice(prog: str, flag: str) -> UsageError:
    return UsageError(f"{prog}: {flag} is given twice", "list all its values after one")


def positive(text: str) -> int:
    """Read a whole number of at least 1; for the `type` of an argument."""
    return _whole(text, 1)


def not_negative(text: str) -> int:
    """Read a whole number of at least 0; for the `type` of an argument."""
    return _whole(text, 0)


def _whole(text: str, lowest: int) -> int:
    if not re.fullmatch("[0-9]+", text) or (not text.strip("0") and lowest):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number of at least {lowest}")
    if len(text) > len(str(MAX_WHOLE)) or int(text) > MAX_WHOLE:
        raise argparse.ArgumentTypeError(f"{text[:40]} is larger than {MAX_WHOLE:,}")
    return int(text)


def add_experiment_argument(parser: argparse.ArgumentParser) -> None:
    """Add the experiment that a verb reads."""
    parser.add_argument(
        "experiment",
        type=PathRole.READ_FILE,
        metavar="EXPERIMENT.yaml",
        help="the experiment; its paths are relative to it",
    )


def add_dataset_flag(parser: argparse.ArgumentParser) -> None:
    """Add the finished dataset that a verb requires."""
    parser.add_argument(
        "--dataset",
        type=PathRole.READ_DATASET,
        required=True,
        metavar="DATASET",
        help="a dataset made by raygene build: its directory, or its address such as s3://BUCKET/NAME",
    )


def add_start_flag(parser: argparse.ArgumentParser) -> None:
    """Add the bundle that training starts from."""
    parser.add_argument(
        "--from",
        dest="start_from",
        type=PathRole.MODEL,
        metavar="BUNDLE",
        help="the bundle, as a path, an address or a name of raygene models, whose weights training starts from "
        "(training.start_from)",
    )


def add_output_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that every verb has."""
    group = parser.add_argument_group(GENERAL)
    group.add_argument(
        "--log-level",
        choices=LOG_LEVELS,
        default="info",
        help="what is shown besides results: errors; warnings too; notes and progress too (info, the default); all, "
        "with Ray's own messages (debug)",
    )
    group.add_argument("--verbose", action="store_true", help="the same as --log-level debug")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def general(parser: argparse.ArgumentParser) -> Any:
    """The group of the flags that every verb has."""
    groups = (group for group in parser._action_groups if group.title == GENERAL)
    return next(groups, None) or parser.add_argument_group(GENERAL)


def add_sections(parser: Parser, visible: Sequence[str]) -> None:
    """Add a flag for every key of every section.

    Args:
        parser: of a verb.
        visible: the sections that the verb's help shows. The flags of others are accepted too, for an experiment holds
            all sections.
    """
    task = Experiment.model_fields["task"]
    text = flag_types.help_text(task) if "sources" in visible else argparse.SUPPRESS
    group = parser.add_argument_group(*(("key of no section",) if "sources" in visible else ()))
    group.add_argument("--task", default=argparse.SUPPRESS, metavar=flag_types.metavar(task), help=text)
    parser.keys.append(("task", group))
    classes = Experiment.model_fields[CLASSES]
    text = flag_types.help_text(classes) if "sources" in visible else argparse.SUPPRESS
    group.add_argument(f"--{CLASSES}", default=argparse.SUPPRESS, nargs="+", metavar="CLASS", help=text)
    parser.keys.append((CLASSES, group))
    for name, field in Experiment.model_fields.items():
        section = field.annotation
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            continue
        is_visible = name in visible
        group = parser.add_argument_group(*((f"section {name}", _description(section)) if is_visible else ()))
        parser.keys.append((name, group))
        for key, inner in section.model_fields.items():
            _add_key(group, name, inner.alias or key, inner, is_visible=is_visible)
    if "sources" in visible:
        group = parser.add_argument_group("section sources", _description(SourceConfig, _SOURCES))
        parser.keys.append(("sources", group))
        for key, inner in SourceConfig.model_fields.items():
            _add_key(group, "sources.N", key, inner, is_visible=True)


def _description(section: type[BaseModel], addition: str = "") -> str:
    """A section's docstring as lines of at most 118 characters."""
    return textwrap.fill(" ".join([*(section.__doc__ or "").split(), addition]), 118)


def _add_key(group: Any, section: str, key: str, field: FieldInfo, *, is_visible: bool) -> None:
    several: dict[str, Any] = {"nargs": "+", "action": _ListOnce} if flag_types.takes_many(field) else {}
    group.add_argument(
        f"--{section}.{key}",
        dest=f"{section}.{key}",
        default=argparse.SUPPRESS,
        **several,
        metavar=flag_types.metavar(field),
        help=flag_types.help_text(field) if is_visible else argparse.SUPPRESS,
    )


def add_print_config(parser: Parser) -> None:
    """Add the flag that prints the experiment of a verb."""
    general(parser).add_argument(
        "--print-config",
        action="store_true",
        help="print every key with its value and where that comes from, as YAML, and do nothing else",
    )


def require_nothing(parser: argparse.ArgumentParser, verb: str) -> None:
    """Have a verb's options be optional, for a command line that only prints its experiment."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and verb in action.choices:
            for option in action.choices[verb]._actions:
                option.required = option.required and not option.option_strings


def chosen_parser(parser: argparse.ArgumentParser, namespace: argparse.Namespace) -> argparse.ArgumentParser:
    """The parser of the verb that a command line names, or of the verb's action."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            name = getattr(namespace, action.dest, None)
            return chosen_parser(action.choices[name], namespace) if name else parser
    return parser


def parse(parser: Parser, arguments: Sequence[str]) -> tuple[argparse.Namespace, Overrides]:
    """Parse a command line into the arguments of its verb and the configuration keys that it sets.

    Args:
        parser: of all verbs.
        arguments: the verb and what follows it.

    Raises:
        UsageError: an unknown verb or flag (with the nearest known one), or a missing argument.
    """
    rest, overrides = _split_source_flags([normalized(argument) for argument in arguments])
    namespace, unknown = parser.parse_known_args(rest)
    chosen = chosen_parser(parser, namespace)
    flags = [option for action in chosen._actions for option in action.option_strings]
    if not any(flag.startswith("--sources.") for flag in flags):
        unknown += [f"--{'.'.join(map(str, keys))}" for keys in overrides]
    if unknown:
        raise _unknown_argument(chosen.prog, unknown[0].split("=")[0], flags, arguments)
    for name in ("task", CLASSES):
        if name in namespace:
            overrides[name,] = vars(namespace).pop(name)
    for name in [name for name in vars(namespace) if "." in name]:
        section, key = name.split(".", 1)
        overrides[section, key] = flag_types.parse_value(vars(namespace).pop(name), _field(section, key))
    for name, keys in SHORT_FLAGS.items():
        if (value := getattr(namespace, name, None)) is not None and overrides.setdefault(keys, value) != value:
            flags_of_key = f"--{name.removeprefix('start_')} and --{'.'.join(map(str, keys))}"
            raise UsageError(f"{chosen.prog}: {flags_of_key} differ", "give one of the two")
    return namespace, overrides


def _unknown_argument(prog: str, flag: str, flags: Sequence[str], arguments: Sequence[str]) -> UsageError:
    """The error for a flag that a verb does not have, spelled as the user typed it."""
    typed = {normalized(argument).split("=")[0]: argument.split("=")[0] for argument in arguments}.get(flag, flag)
    if current := _current_flag(flag):
        return UsageError(f"{prog}: {typed}: renamed", f"write {current}")
    if flag in flags:
        return UsageError(f"{prog}: {typed} is in front of the verb", f"write it behind: {prog} … {typed}")
    near = difflib.get_close_matches(flag, flags, n=1, cutoff=0.6)
    return UsageError(f"{prog}: unknown argument {typed}", f"did you mean {near[0]}?" if near else f"see {prog} --help")


def normalized(argument: str) -> str:
    """A flag with underscores in a section's key, and dashes in a verb's own flag; other arguments stay as they are."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument[2:].partition("=")
    if " " in name:
        return argument
    return f"--{name.replace('-', '_') if '.' in name else name.replace('_', '-')}{equals}{value}"


RENAMED_FLAGS = {"--judged": "--eval-chromosomes"}
"""Former flag of a verb to its current name; former names of keys are in `Section.RENAMED`."""


def _current_flag(flag: str) -> str | None:
    """The current name of a flag or key that had another."""
    section, _, key = flag.removeprefix("--").partition(".")
    field = Experiment.model_fields.get(section)
    if field is not None and isinstance(field.annotation, type) and (current := renamed_key(field.annotation, key)):
        return f"--{section}.{current}"
    return RENAMED_FLAGS.get(flag)


def _field(section: str, key: str) -> FieldInfo:
    model: Any = Experiment.model_fields[section].annotation
    return next(field for name, field in model.model_fields.items() if (field.alias or name) == key)


def _split_source_flags(arguments: list[str]) -> tuple[list[str], Overrides]:
    """Take flags of single genomes, such as `--sources.0.fasta`, out of a command line: argparse cannot count."""
    rest: list[str] = []
    overrides: Overrides = {}
    while arguments:
        argument = arguments.pop(0)
        match = _SOURCE_FLAG.match(argument)
        if not match:
            rest.append(argument)
            continue
        number, key, inline = match.groups()
        if number == "N":
            raise UsageError(f"{argument}: N must be a number", "count the genomes from 0")
        # A flag can name the genome after the last one; the list is as long as its number says.
        if len(number) > len(str(_MAX_SOURCES)) or int(number) >= _MAX_SOURCES:
            raise UsageError(f"--sources.{number[:20]}.{key}: more than {_MAX_SOURCES:,} genomes", "count them from 0")
        field = SourceConfig.model_fields.get(key)
        many = field is not None and flag_types.takes_many(field)
        values = [] if inline is None else [inline]
        while inline is None and arguments and not arguments[0].startswith("--") and (many or not values):
            values.append(arguments.pop(0))
        if not values:
            raise UsageError(f"--sources.{number}.{key}: no value", "give one after the flag")
        keys = ("sources", int(number), key)
        if many and keys in overrides:
            raise _given_twice("raygene", f"--sources.{number}.{key}")
        overrides[keys] = values if many else values[0]
    return rest, overrides
