"""The command `raygene`: parses a command line, runs one verb, and turns every error into one line and an exit status.

Exit status: 0 done, 1 failure, 2 usage, 129, 130 and 143 ended by SIGHUP, SIGINT and SIGTERM.

What takes long to import is imported by the functions that need it, after signals are handled.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
import textwrap
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cluster.options.former_commands import require_current
from cluster.process import kept_work, signals
from cluster.verbs import VERBS
from pipelines import __version__, os_errors
from pipelines.errors import RaygeneError, one_line

if TYPE_CHECKING:
    from cluster.context import Context
    from cluster.options.parser import Parser
    from cluster.screen.terminal import Terminal

_HELP = "raygene finds genes: annotated genomes in; token datasets, trained models and gene calls out."
_WITHOUT_VERB: tuple[list[str], ...] = ([], ["-h"], ["--help"], ["--version"])
"""Command lines that are answered at once, before anything else is imported."""
_begun: tuple[argparse.Namespace, float] | None = None
"""The verb's arguments, and when it began (`time.time`); None before."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit status.

    Args:
        arguments: the command line; None: that of this process, which is ended as defined when a signal comes.
    """
    if arguments is not None:
        return _run_and_report(list(arguments))
    # Imports make a great many objects, none of them garbage: looking for it takes a sixth of their time.
    gc.set_threshold(100_000)
    command_line = sys.argv[1:]
    options = split_job(command_line)[0]
    silence = not _shows_others(options)
    signals.install(lambda number: interruption(command_line, number), silence=silence)
    return signals.finish(_run_and_report(command_line))


def _run_and_report(command_line: list[str]) -> int:
    """Run a command line, and turn what it raises into one line and an exit status."""
    if command_line in _WITHOUT_VERB:
        # It prints, and leaves by SystemExit.
        parser_of_all([]).parse_args(command_line or ["--help"])
    from cluster.screen.terminal import Terminal, clean_messages_of_libraries

    debug = "--debug" in split_job(command_line)[0]
    terminal = Terminal()
    clean_messages_of_libraries()
    try:
        status = run(command_line, terminal)
    except BaseException as error:
        number = signals.received()
        if isinstance(error, KeyboardInterrupt) and number is None:
            number = next((number for number in error.args if number in signals.NUMBERS), signal.SIGINT)
        if number is not None:
            # Where code in C was interrupted, something else than KeyboardInterrupt may arrive here.
            with suppress(OSError, ValueError):
                # The terminal may be closed.
                terminal.interrupted(interruption(command_line, number))
            signals.mark_reported(number)
            return 128 + number
        if debug or not isinstance(error, Exception):
            raise
        return _report(error, terminal)
    finally:
        terminal.flush()
    number = signals.received()
    return status if number is None or status == 0 else 128 + number


def _report(error: Exception, terminal: Terminal) -> int:
    """Show an error as one line; return the exit status."""
    if isinstance(error, RaygeneError):
        terminal.error(str(error))
        return error.exit_status
    if isinstance(error, BrokenPipeError):
        return 1
    if isinstance(error, OSError | MemoryError):
        terminal.error(str(os_errors.explained(error, "raygene")))
        return 1
    message = one_line(error, 300)
    terminal.error(
        f"internal error, {type(error).__name__}: {message}: run again with --debug and report the traceback"
    )
    return 1


def interruption(arguments: Sequence[str], number: int = signal.SIGINT) -> str:
    """The message for an interrupted command line: whether its finished work is kept.

    Args:
        arguments: the command line.
        number: the signal that ended it.
    """
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    verb = arguments[0] if arguments else ""
    if _begun is None:
        return f"interrupted{by} before anything was begun"
    if verb == "submit" and "run" in arguments[1:2] and not kept_work.has_sent_job():
        return f"interrupted{by} before a job was sent"
    if verb == "submit":
        return f"interrupted{by}; a job that was sent keeps running: 'raygene submit list' shows it"
    if kept_work.is_kept(verb, *_begun):
        return f"interrupted{by}; finished work is kept, and the same command resumes"
    if verb in kept_work.PATTERNS:
        return f"interrupted{by}; nothing was finished yet, and the same command starts again"
    return f"interrupted{by}; no work is kept, and the same command starts again"


def _shows_others(options: Sequence[str]) -> bool:
    """Whether a command line asks for the messages of others too."""
    asks = {"--debug", "--verbose", "--log-level=debug"} & set(options)
    return bool(asks) or ("--log-level", "debug") in pairwise(options)


def split_job(command_line: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line of `submit` at `--` into its own arguments and the job's; another has no second part."""
    if "submit" in command_line[:1] and "--" in command_line:
        index = list(command_line).index("--")
        return list(command_line[:index]), list(command_line[index + 1 :])
    return list(command_line), []


def run(command_line: Sequence[str], terminal: Terminal) -> int:
    """Run one command line in this process, for a caller that handles errors; return its exit status.

    Args:
        command_line: the verb and what follows it.
        terminal: shows progress and results.

    Raises:
        RaygeneError: what the command would show as one line.
    """
    from cluster import connection
    from cluster.context import Context
    from cluster.options.flags import LOG_LEVELS, chosen_parser, parse, require_nothing
    from cluster.paths import input_files
    from cluster.screen import command_text
    from pipelines.inputs.spool import Spool

    arguments, job_command = split_job(command_line)
    parser = parser_of_all(arguments)
    require_current(arguments, job_command)
    if "--print-config" in arguments:
        require_nothing(parser, arguments[0])
    namespace, overrides = parse(parser, arguments)
    namespace.job_command = job_command
    if namespace.verb is None:
        parser.print_help()
        return 0
    namespace.verbose = namespace.verbose or namespace.log_level == "debug"
    terminal.level = LOG_LEVELS.index(namespace.log_level)
    connection.prepare_environment(verbose=namespace.verbose)
    verb = import_module(f"cluster.verbs.{namespace.verb}")
    _begin(namespace)
    with Spool(terminal.note) as spool:
        chosen = chosen_parser(parser, namespace)
        input_files.take_arguments(chosen, namespace, spool)
        input_files.note_included_models(chosen, namespace, terminal)
        command = command_text.of(chosen, arguments)
        context = Context(namespace, overrides, terminal, spool, command)
        if getattr(namespace, "print_config", False):
            from cluster import resolved_experiment

            for line in resolved_experiment.lines(context.experiment(), namespace.experiment, overrides):
                terminal.say(line)
            return 0
        from cluster.paths import stored_outputs

        if complete := getattr(verb, "complete", None):
            complete(namespace)
        with stored_outputs.local(chosen, namespace, terminal.note):
            _require_outputs_apart(context, verb, chosen)
            return verb.run(context) or 0


def _begin(arguments: argparse.Namespace) -> None:
    """Note that a verb begins: from now on it has work to save when a signal comes."""
    global _begun
    _begun = arguments, time.time()
    signals.begin_work()


def _require_outputs_apart(context: Context, verb: Any, parser: argparse.ArgumentParser) -> None:
    """Refuse a command line whose outputs would overwrite what it reads, or each other; a dry run refuses the same.

    A verb may have functions `written` and `read`, which add the paths that follow from an option.
    """
    from cluster.paths import output_paths

    read, declared = output_paths.declared(parser, context.arguments)
    if not declared:
        return
    derived = verb.written(context) if hasattr(verb, "written") else []
    # Next to the options that they follow from: of two clashing options the error names the other first.
    flags = {output.flag for output in derived}
    written = [*(output for output in declared if output.flag in flags), *derived] + [
        output for output in declared if output.flag not in flags
    ]
    read += verb.read(context) if hasattr(verb, "read") else []
    if getattr(context.arguments, "experiment", None) is not None:
        read += output_paths.read_by(context.experiment())
    output_paths.require_apart(written, read, declared)


def parser_of_all(complete: Collection[str] = VERBS.keys()) -> Parser:
    """The parser of all verbs.

    Args:
        complete: these verbs are imported, and their arguments and configuration keys added; of others there are the
            names and what they do. A command line will do.
    """
    from cluster.options.completion import SHELLS
    from cluster.options.parser import Parser, PrintCompletion

    parser = Parser(prog="raygene", description=_HELP, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"raygene {__version__}")
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=SHELLS,
        help="print what has a shell complete verbs, flags and paths (needs raygene[completion])",
    )
    # Making a parser takes half a millisecond: verbs that are not completed share one, which parses nothing.
    parser_class: Any = partial(_parser_of, complete, Parser())
    subparsers = parser.add_subparsers(
        dest="verb", metavar="VERB", title="verbs (see raygene VERB --help)", parser_class=parser_class
    )
    for name, summary in VERBS.items():
        verb = subparsers.add_parser(
            name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
        )
        if name in complete:
            _complete(verb, import_module(f"cluster.verbs.{name}"))
    return parser


def _parser_of(complete: Collection[str], placeholder: Parser, *, prog: str, **options: Any) -> Parser:
    """A parser of a verb's own if it is to be completed, or the one for all others."""
    from cluster.options.parser import Parser

    return Parser(prog=prog, **options) if prog.split()[-1] in complete else placeholder


def _complete(verb: Parser, module: Any) -> None:
    """Add to a verb's parser what its module says."""
    from cluster.options.flags import add_output_flags, add_print_config, add_sections
    from cluster.options.parser import has_actions

    verb.description = module.DESCRIPTION
    verb.epilog = textwrap.dedent(f"example:\n  {module.EXAMPLE}")
    module.add_arguments(verb)
    if not has_actions(verb):
        add_output_flags(verb)
    verb.rare = frozenset(getattr(module, "RARE", ()))
    if any(action.dest == "experiment" for action in verb._actions):
        add_print_config(verb)
    if module.SECTIONS:
        add_sections(verb, module.SECTIONS)
