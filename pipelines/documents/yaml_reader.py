"""YAML as text: plain scalars keep what is written, so that a name such as 010, 1_2, on or 1:30 stays that name.

PyYAML follows YAML 1.1, where these are 8, 12, true and 90. Here only what every reader takes for the same value is
one: `null`, `true` and `false`, whole numbers in their shortest decimal form, and decimal fractions, which remember
their text. Everything else is text, from which the typed sections of a configuration parse numbers themselves.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipelines import os_errors
from pipelines.display import format_size
from pipelines.errors import InputError

MAX_BYTES = 4 << 20
MAX_DEPTH = 64
MAX_NODES = 500_000

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_FRACTION = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]{1,4})?")
_MAX_FRACTION = 64
_PREFIX = "tag:yaml.org,2002:"
_PLAIN, _STR, _SEQ, _MAP = "plain", f"{_PREFIX}str", f"{_PREFIX}seq", f"{_PREFIX}map"
_READ_AS_PLAIN = {_PLAIN, *(f"{_PREFIX}{kind}" for kind in ("int", "float", "bool", "null"))}


class PlainFloat(float):
    """A decimal fraction that was not quoted, with the text that it was written as.

    Attributes:
        text: such as `3.10`; also what `str` returns.
    """

    text: str

    def __new__(cls, text: str) -> PlainFloat:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __reduce__(self) -> tuple[Any, ...]:
        return (PlainFloat, (self.text,))

    def __str__(self) -> str:
        return self.text


def scalar(text: str) -> Any:
    """The value of an unquoted scalar: None, a boolean, a whole number, a `PlainFloat`, or the text itself."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return PlainFloat(text) if len(text) <= _MAX_FRACTION and _FRACTION.fullmatch(text) else text


def read(path: Path, content: str) -> Any:
    """The value of a YAML file.

    Args:
        path: of the file.
        content: what the file should be, for errors, such as "an experiment file".

    Raises:
        InputError: missing, not UTF-8, larger than `MAX_BYTES`, or not a single YAML document of plain values.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = os_errors.cause(error)
        raise InputError(f"{path}: {reason[0].lower()}{reason[1:]}", f"name {content}") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: larger than {format_size(MAX_BYTES)}", f"name {content}")
    try:
        return parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}: line {line}: not UTF-8 text", f"name {content}, saved as UTF-8") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: {problem_of(error)}", "correct the line") from error


def parse(text: str) -> Any:
    """The value of a text in YAML.

    Raises:
        yaml.YAMLError: not a single YAML document of plain values; `problem_of` describes it.
    """
    try:
        node = _Composer(text).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        mark = yaml.Mark("", error.position, line, 0, None, 0)
        raise yaml.MarkedYAMLError(
            problem=f"the character {error.character:#x} is not allowed", problem_mark=mark
        ) from error
    return None if node is None else _Constructor().value(node, 0)


def problem_of(error: yaml.YAMLError) -> str:
    """The line and the cause of an error of `parse`, in a few words."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = f"line {mark.line + 1}: " if mark else ""
    if isinstance(error, _Refusal):
        return f"{line}{error.problem}"
    parts = (getattr(error, "context", None), getattr(error, "problem", None))
    return f"{line}not YAML ({', '.join(part for part in parts if part) or error})"


class _Refusal(yaml.MarkedYAMLError):
    """What is YAML and is not read."""

    def __init__(self, problem: str, node: Any) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


class _Composer(yaml.SafeLoader):
    """Composes nodes whose plain scalars have the tag `plain` and bounds how many there are and how deep they lie."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._nodes = 0

    def resolve(self, kind: type[Node], value: Any, implicit: Any) -> str:
        """The tag of a node without an explicit one."""
        if kind is ScalarNode:
            return _PLAIN if implicit[0] else _STR
        return _SEQ if kind is SequenceNode else _MAP

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Compose the next node.

        Raises:
            YAMLError: nested too deep, or too many nodes.
        """
        self._nodes += 1
        _require_bounds(self._depth, self._nodes, self.peek_event())
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _require_bounds(depth: int, nodes: int, node: Any) -> None:
    if depth > MAX_DEPTH:
        raise _Refusal(f"nested more than {MAX_DEPTH} levels deep", node)
    if nodes > MAX_NODES:
        raise _Refusal(f"more than {MAX_NODES:,} values", node)


class _Constructor:
    """Turns nodes into values; aliases count as often as they are used."""

    def __init__(self) -> None:
        self._nodes = 0

    def value(self, node: Node, depth: int) -> Any:
        self._nodes += 1
        _require_bounds(depth, self._nodes, node)
        if isinstance(node, ScalarNode) and node.tag in _READ_AS_PLAIN:
            return scalar(node.value)
        if isinstance(node, ScalarNode) and node.tag == _STR:
            return node.value
        if isinstance(node, SequenceNode) and node.tag == _SEQ:
            return [self.value(item, depth + 1) for item in node.value]
        if isinstance(node, MappingNode) and node.tag == _MAP:
            return self._mapping(node, depth)
        tag = node.tag.replace(_PREFIX, "!!")
        raise _Refusal(f"the tag {tag[:60]} is not read; remove it", node)

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, ScalarNode):
                raise _Refusal("a key that is not text", key)
            if key.tag == _PLAIN and key.value == "<<":
                merged = {**self._merged(item, depth), **merged}
            elif key.value in values:
                raise yaml.MarkedYAMLError(problem=f"{key.value[:60]} occurs twice", problem_mark=key.start_mark)
            else:
                values[key.value] = self.value(item, depth + 1)
        return {**merged, **values}

    def _merged(self, node: Node, depth: int) -> dict[str, Any]:
        """The keys that `<<` brings in; where several mappings have one, the first counts."""
        merged: dict[str, Any] = {}
        for item in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(item, MappingNode):
                raise _Refusal("<< needs a mapping, or a list of mappings", item)
            merged = {**self.value(item, depth + 1), **merged}
        return merged
