"""Every configuration key as a flag: `--tokenizer.k 6`. Flags and YAML are checked by the same typed models."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cluster.experiment import Experiment
from pipelines.config import SourceConfig, renamed_key
from pipelines.errors import UsageError
from training.model_registry import RegisteredKind

_SOURCE_FLAG = re.compile(r"--sources\.(\d+|N)\.(\w+)(?:=(.*))?$", re.DOTALL)
_BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
Overrides = dict[tuple[str | int, ...], Any]


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and part of raygene's family."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.prog}: {message}", f"see {self.prog} --help")


def positive(text: str) -> int:
    """A whole number from 1 on, as the type of an argument."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def add_output_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that every verb has."""
    parser.add_argument("--verbose", action="store_true", help="show Ray's own messages too")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def has_actions(parser: argparse.ArgumentParser) -> bool:
    """Whether a verb is several commands, each with a parser of its own."""
    return any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)


def add_sections(parser: argparse.ArgumentParser, shown: Sequence[str]) -> None:
    """Add a flag for every key of every section; only sections in `shown` appear in the help."""
    for name, field in Experiment.model_fields.items():
        section = field.annotation
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            continue
        lines = (section.__doc__ or "").strip()
        group = parser.add_argument_group(f"section {name}", lines if name in shown else argparse.SUPPRESS)
        for key, inner in section.model_fields.items():
            _add(group, name, inner.alias or key, inner, visible=name in shown)
        if name not in shown:
            group.title = group.description = None
    if "sources" in shown:
        group = parser.add_argument_group("section sources", f"{SourceConfig.__doc__} N counts the genomes from 0.")
        for key, inner in SourceConfig.model_fields.items():
            _add(group, "sources.N", key, inner, visible=True)


def _add(group: Any, section: str, key: str, field: FieldInfo, *, visible: bool) -> None:
    group.add_argument(
        f"--{section}.{key}",
        dest=f"{section}.{key}",
        default=argparse.SUPPRESS,
        nargs="+" if _many(field) else None,
        metavar=_metavar(field),
        help=_help(field) if visible else argparse.SUPPRESS,
    )


def _annotation(field: FieldInfo) -> str:
    return str(field.annotation)


def _many(field: FieldInfo) -> bool:
    return "list[" in _annotation(field) or "dict[" in _annotation(field)


def _metavar(field: FieldInfo) -> str:
    text = _annotation(field)
    for item in field.metadata:
        if isinstance(item, RegisteredKind):
            return "{" + ",".join(item.choices()) + "}"
    if "Literal[" in text:
        return "{" + ",".join(re.findall(r"'([\w-]+)'", text)) + "}"
    if "float" in text and "list" in text:
        return "SHARE|NAME"
    for kind, shown in (("int", "N"), ("float", "X"), ("bool", "true|false")):
        if kind in text and "list" not in text:
            return shown
    return "PATH" if isinstance(field.json_schema_extra, dict) else "NAME"


def _help(field: FieldInfo) -> str:
    bounds = [
        f"{word} {getattr(item, name):g}"
        for item in field.metadata
        for name, word in _BOUNDS
        if getattr(item, name, None) is not None
    ]
    facts = [" and ".join(bounds)] if bounds else []
    if not field.is_required() and field.default is not None:
        default = field.default
        facts.append(f"default {' '.join(default) if isinstance(default, list | dict) else default}")
    text = (field.description or "") + (f" ({'; '.join(facts)})" if facts else "")
    return text.replace("%", "%%")


def chosen_parser(parser: argparse.ArgumentParser, namespace: argparse.Namespace) -> argparse.ArgumentParser:
    """The parser of the verb that a command line names, or of the verb's action: what knows its flags."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            chosen = getattr(namespace, action.dest, None)
            return chosen_parser(action.choices[chosen], namespace) if chosen else parser
    return parser


def parse(parser: Parser, arguments: Sequence[str]) -> tuple[argparse.Namespace, Overrides]:
    """Parse a command line into its plain arguments and the configuration keys it sets.

    Args:
        parser: of all verbs.
        arguments: the verb and what follows it.

    Raises:
        UsageError: an unknown verb or flag (with the nearest known one), or a missing argument.
    """
    typed = {spelled(argument).split("=")[0]: argument.split("=")[0] for argument in arguments}
    rest, overrides = _source_flags(list(map(spelled, arguments)))
    namespace, unknown = parser.parse_known_args(rest)
    chosen = chosen_parser(parser, namespace)
    known = [option for action in chosen._actions for option in action.option_strings]
    if not any(option.startswith("--sources.") for option in known):
        unknown += [f"--{'.'.join(map(str, keys))}" for keys in overrides]
    if unknown:
        flag = unknown[0].split("=")[0]
        if today := _renamed(flag):
            raise UsageError(f"{chosen.prog}: {typed.get(flag, flag)}: renamed", f"write {today}")
        near = difflib.get_close_matches(flag, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"see {chosen.prog} --help"
        raise UsageError(f"{chosen.prog}: unknown argument {typed.get(flag, flag)}", hint)
    for name in [name for name in vars(namespace) if "." in name]:
        section, key = name.split(".", 1)
        raw = vars(namespace).pop(name)
        field = _field(section, key)
        overrides[section, key] = _value(raw, field)
    return namespace, overrides


def spelled(argument: str) -> str:
    """A flag as it is defined: keys of sections with underscores, a verb's own with dashes; other arguments as they are."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument[2:].partition("=")
    if " " in name:
        return argument
    return f"--{name.replace('-', '_') if '.' in name else name.replace('_', '-')}{equals}{value}"


RENAMED_FLAGS = {"--judged": "--eval-chromosomes"}
"""Flags of verbs by the names they once had; keys of sections have theirs in `Section.RENAMED`."""


def _renamed(flag: str) -> str | None:
    """Today's name of a flag that once had another."""
    section, _, key = flag.removeprefix("--").partition(".")
    field = Experiment.model_fields.get(section)
    if field is not None and isinstance(field.annotation, type) and (today := renamed_key(field.annotation, key)):
        return f"--{section}.{today}"
    return RENAMED_FLAGS.get(flag)


def _field(section: str, key: str) -> FieldInfo:
    model: Any = Experiment.model_fields[section].annotation
    return next(field for name, field in model.model_fields.items() if (field.alias or name) == key)


def _source_flags(arguments: list[str]) -> tuple[list[str], Overrides]:
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
            raise UsageError(f"{argument}: N stands for a number", "count the genomes from 0")
        field = SourceConfig.model_fields.get(key)
        raw = [inline] if inline is not None else []
        while (
            inline is None and arguments and not arguments[0].startswith("--") and (not raw or (field and _many(field)))
        ):
            raw.append(arguments.pop(0))
        if not raw:
            raise UsageError(f"--sources.{number}.{key}: no value", "give one after the flag")
        overrides["sources", int(number), key] = raw if field and _many(field) else raw[0]
    return rest, overrides


def _value(raw: Any, field: FieldInfo) -> Any:
    text = _annotation(field)
    if isinstance(raw, list):
        share = _scalar(raw[0]) if "float" in text and len(raw) == 1 else None
        return share if isinstance(share, float | str) or raw == ["0"] else raw
    if text in {"<class 'str'>", "str | None", "typing.Optional[str]"}:
        return raw
    return _scalar(raw)


def _scalar(text: str) -> Any:
    try:
        return float(text) if re.fullmatch(r"[+-]?[\d.]+[eE][+-]?\d+", text) else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text
