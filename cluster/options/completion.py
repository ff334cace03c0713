"""Completion of verbs, flags and paths by a shell: a script that it reads once, so that no key press starts Python."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from pipelines.errors import DependencyError

SHELLS = ("bash", "zsh", "tcsh")


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script.

    Args:
        parser: of all verbs.
        shell: one of `SHELLS`.

    Raises:
        DependencyError: what writes it is missing.
    """
    try:
        import shtab
    except ImportError as error:
        raise DependencyError(
            "--print-completion: the package shtab is missing", "install it with 'pip install \"raygene[completion]\"'"
        ) from error
    from cluster.paths.output_paths import PathRole

    for action in _actions(parser):
        if isinstance(action.type, PathRole) or action.metavar == "PATH":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of the parsers of its verbs."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from _actions(verb)
