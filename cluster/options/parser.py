"""The parser of a command line, with a help that shows what matters, and errors of raygene's family.

It imports next to nothing, so that `raygene --help` answers at once.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from pipelines.errors import UsageError

_MAX_SHOWN = 1_000
COMMON_KEYS = (
    *("task", "negatives.kinds", "crop.length", "tokenizer.k", "tokenizer.stride"),
    *("split.by", "split.validation", "split.test", "window.length", "embedding.epochs"),
    *("model.kind", "model.hidden", "training.epochs", "training.learning_rate", "training.global_batch_size"),
    *(
        "training.workers",
        "training.device",
        "training.seed",
        "tuning.search",
        "tuning.configurations",
        "tuning.metric",
    ),
    *("cluster.address", "cluster.cpus"),
)
"""Configuration keys that `--help` shows; `--help-all` shows all."""


class _Help(argparse.Action):
    """Prints the help, and ends.

    Args:
        shows_all: with every configuration key.
    """

    def __init__(self, option_strings: Sequence[str], dest: str, *, shows_all: bool = False, help: str = "") -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)
        self._shows_all = shows_all

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        parser._print_message(parser.format_help(shows_all=self._shows_all), sys.stdout)
        parser.exit()


class PrintCompletion(argparse.Action):
    """Prints the script with which a shell completes command lines, and ends."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        from cluster import cli
        from cluster.options import completion

        parser._print_message(completion.script(cli.parser_of_all(), values), sys.stdout)
        parser.exit()


class Parser(argparse.ArgumentParser):
    """An argument parser with a short help, whose errors are one line and part of raygene's family.

    Attributes:
        keys: section to its configuration keys, which only `--help-all` shows in full.
        rare: options, by their attribute, that only `--help-all` shows.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "add_help": False})
        self.add_argument("-h", "--help", action=_Help, help="show this help")
        self.add_argument(
            "--help-all", action=_Help, shows_all=True, help="show every option and every configuration key"
        )
        self.keys: list[tuple[str, Any]] = []
        self.rare: frozenset[str] = frozenset()

    def format_usage(self) -> str:
        """One line: what is required, and the output."""
        return self._usage() or super().format_usage()

    def _usage(self) -> str:
        if has_actions(self):
            return ""
        words = [self.prog]
        for action in self._actions:
            if not action.option_strings:
                words.append(str(action.metavar or action.dest))
            elif action.required or action.dest == "output":
                words += [action.option_strings[-1], str(action.metavar or action.dest.upper())]
        return f"usage: {' '.join(words)} [options]\n"

    def format_help(self, *, shows_all: bool = False) -> str:
        """The help.

        Args:
            shows_all: with rare options and every configuration key, not only `COMMON_KEYS`.
        """
        formatter = self._get_formatter()
        if usage := self._usage():
            formatter.add_text(usage.rstrip())
        else:
            formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        of_keys = {id(group) for _, group in self.keys}
        rare = set() if shows_all else self.rare
        for group in self._action_groups:
            if shows_all or id(group) not in of_keys:
                actions = [action for action in group._group_actions if action.dest not in rare]
                self._add_section(formatter, group.title, group.description, actions)
        if flags := [action.option_strings[0] for action in self._actions if action.dest in rare]:
            text = f"{self.prog} --help-all explains {', '.join(flags)}."
            self._add_section(formatter, "more options", textwrap.fill(text, 118, break_on_hyphens=False), [])
        visible = [(name, group) for name, group in self.keys if group.title]
        if visible and not shows_all:
            common = [action for _, group in visible for action in group._group_actions if action.dest in COMMON_KEYS]
            names = ", ".join(name for name, _ in visible)
            text = f"Each takes the place of the experiment's value. {self.prog} --help-all shows all of {names}."
            self._add_section(formatter, "configuration keys", textwrap.fill(text, 118), common)
        formatter.add_text(self.epilog)
        return formatter.format_help()

    @staticmethod
    def _add_section(
        formatter: argparse.HelpFormatter, title: str | None, text: str | None, actions: Sequence[argparse.Action]
    ) -> None:
        formatter.start_section(title)
        formatter.add_text(text)
        formatter.add_arguments(actions)
        formatter.end_section()

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print.

        Raises:
            UsageError: always.
        """
        shown = message if len(message) <= _MAX_SHOWN else f"{message[:_MAX_SHOWN]}…"
        raise UsageError(f"{self.prog}: {shown}", f"see {self.prog} --help")


def has_actions(parser: argparse.ArgumentParser) -> bool:
    """Whether a verb is several commands, each with a parser of its own."""
    return any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)
