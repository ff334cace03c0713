"""Values as YAML that every reader of YAML reads as the same values: names that look like numbers are quoted."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.nodes import Node, ScalarNode

from pipelines.documents import yaml_reader
from pipelines.documents.yaml_reader import PlainFloat

_PREFIX = "tag:yaml.org,2002:"
# What YAML 1.2 takes for numbers and PyYAML, which decides by YAML 1.1, does not.
_NUMBER = re.compile(r"[-+]?(0o[0-7]+|[0-9][0-9_.]*[eE][-+]?[0-9]+|\.[0-9]+[eE][-+]?[0-9]+)")
_YAML_1_1 = yaml.resolver.Resolver()


class _Dumper(yaml.SafeDumper):
    """Quotes text that a reader of YAML 1.1, of YAML 1.2 or `yaml_reader` could take for anything else."""

    def resolve(self, kind: type[Node], value: Any, implicit: Any) -> str:
        """The tag that a reader gives to an unquoted scalar; "float" for every number that is written as text."""
        if kind is ScalarNode and implicit[0] and isinstance(yaml_reader.scalar(value), PlainFloat):
            return f"{_PREFIX}float"
        return str(super().resolve(kind, value, implicit))


def _represent_text(dumper: yaml.SafeDumper, text: str) -> ScalarNode:
    if not text.isprintable():
        # A line break of any kind is folded to a blank in other styles.
        return dumper.represent_scalar(f"{_PREFIX}str", text, '"')
    is_text = (
        yaml_reader.scalar(text) == text
        and not _NUMBER.fullmatch(text)
        and _YAML_1_1.resolve(ScalarNode, text, (True, False)) == f"{_PREFIX}str"
    )
    return dumper.represent_scalar(f"{_PREFIX}str", text, None if is_text else "'")


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(PlainFloat, lambda dumper, number: dumper.represent_scalar(f"{_PREFIX}float", number.text))


def dump(values: Any, *, flow: bool = False) -> str:
    """A value as YAML, keys in their order.

    Args:
        values: nested mappings and lists of text, numbers, booleans and None.
        flow: on one line, in brackets.
    """
    layout: dict[str, Any] = {"default_flow_style": True, "width": float("inf")} if flow else {}
    return str(yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, **layout))
