"""The command `raygene`: parses a command line, runs one verb, and turns every error into one line and an exit status.

Exit status: 0 done, 1 failure, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import signal
import sys
import textwrap
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from cluster import connection, output_paths
from cluster.context import Context
from cluster.flags import Parser, add_output_flags, add_sections, chosen_parser, has_actions, parse
from cluster.former_commands import require_current
from cluster.terminal import Terminal, clean_messages_of_libraries
from cluster.verbs import VERBS
from pipelines import __version__, os_errors
from pipelines.errors import RaygeneError, one_line

RESUMING = ("demo", "build", "train", "tune", "scan")
"""Verbs that keep finished work when they are interrupted."""
_HELP = "raygene finds genes: annotated genomes in; token datasets, trained models and gene calls out."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, by default that of this process; return its exit status."""
    command_line = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in split_job(command_line)[0]
    terminal = Terminal()
    clean_messages_of_libraries()
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        return _run(command_line, terminal)
    except RaygeneError as error:
        if debug:
            raise
        terminal.error(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        terminal.error(interruption(command_line))
        return 130
    except BrokenPipeError:
        return 1
    except (OSError, MemoryError) as error:
        if debug:
            raise
        terminal.error(str(os_errors.explained(error, "raygene")))
        return 1
    except Exception as error:
        if debug:
            raise
        message = one_line(error, 300)
        terminal.error(
            f"internal error, {type(error).__name__}: {message}: run again with --debug and report the traceback"
        )
        return 1
    finally:
        terminal.flush()


def interruption(arguments: Sequence[str]) -> str:
    """The message for an interrupted command line: whether its finished work is kept."""
    if arguments and arguments[0] in RESUMING:
        return "interrupted; finished work is kept, and the same command resumes"
    if arguments and arguments[0] == "submit":
        return "interrupted; a job that was sent keeps running: 'raygene submit list' shows it"
    return "interrupted; no work is kept, and the same command starts again"


def split_job(command_line: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line of `submit` at `--` into its own arguments and the job's; another has no second part."""
    if "submit" in command_line[:1] and "--" in command_line:
        index = list(command_line).index("--")
        return list(command_line[:index]), list(command_line[index + 1 :])
    return list(command_line), []


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _run(command_line: list[str], terminal: Terminal) -> int:
    parser = parser_of_all()
    arguments, job_command = split_job(command_line)
    require_current(arguments, job_command)
    namespace, overrides = parse(parser, arguments)
    namespace.job_command = job_command
    if namespace.verb is None:
        parser.print_help()
        return 0
    connection.prepare_environment(verbose=namespace.verbose)
    verb = import_module(f"cluster.verbs.{namespace.verb}")
    context = Context(namespace, overrides, terminal)
    _require_outputs_apart(context, verb, chosen_parser(parser, namespace))
    return verb.run(context) or 0


def _require_outputs_apart(context: Context, verb: Any, parser: argparse.ArgumentParser) -> None:
    """Refuse a command line whose outputs would overwrite what it reads, or each other.

    A verb may have functions `written` and `read`, which add the paths that follow from an option.
    """
    read, written = output_paths.declared(parser, context.arguments)
    if not written or getattr(context.arguments, "dry_run", False):
        return
    written += verb.written(context) if hasattr(verb, "written") else []
    read += verb.read(context) if hasattr(verb, "read") else []
    if getattr(context.arguments, "experiment", None) is not None:
        read += output_paths.read_by(context.experiment())
    output_paths.require_apart(written, read)


def parser_of_all() -> Parser:
    """The parser of all verbs."""
    parser = Parser(prog="raygene", description=_HELP, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"raygene {__version__}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs (see raygene VERB --help)")
    for name in VERBS:
        module = import_module(f"cluster.verbs.{name}")
        verb = subparsers.add_parser(
            name,
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            epilog=textwrap.dedent(f"example:\n  {module.EXAMPLE}"),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(verb)
        if not has_actions(verb):
            add_output_flags(verb)
        if module.SECTIONS:
            add_sections(verb, module.SECTIONS)
    return parser
