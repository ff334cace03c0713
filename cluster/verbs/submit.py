"""`raygene submit`: any other verb as a job of a Ray cluster, and what can be done with such jobs."""

from __future__ import annotations

import argparse
import os
import re
import textwrap

from cluster.context import Context
from cluster.options.flags import add_output_flags
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole

SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Runs a verb as a job of a Ray cluster, through the cluster's job server, and lists, follows and stops such jobs. A token
is taken from RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token."""
EXAMPLE = """\
raygene submit run --address http://HEAD:8265 -- build /data/experiment.yaml --output /data/yeast
  raygene submit logs raygene-train-3f9a1c20 --follow"""
RUN_DESCRIPTION = """\
Sends the code of this checkout and the experiment, without data, to the job server of a Ray cluster, runs the verb
after -- there, shows its log as it grows, and exits with its status. Paths must mean the same on every node, and are
checked before anything is sent. Ctrl-C ends the following, not the job."""
RUN_EXAMPLE = """\
raygene submit run --address http://HEAD:8265 -- build /data/experiment.yaml --output /data/yeast
  raygene submit run --detach -- train /data/experiment.yaml --dataset /data/yeast --output /data/run"""


def add_arguments(parser: Parser) -> None:
    """Add a parser for each action."""
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, title="actions (see raygene submit ACTION --help)"
    )
    _add_run(actions)
    _add_action(actions, "list", "list all jobs, the newest first", "raygene submit list")
    status = _add_action(actions, "status", "show how a job is doing", "raygene submit status raygene-train-3f9a1c20")
    logs = _add_action(actions, "logs", "show a job's log", "raygene submit logs raygene-train-3f9a1c20 --follow")
    stop = _add_action(
        actions,
        "stop",
        "have a job save its work and end, and wait for it",
        "raygene submit stop raygene-train-3f9a1c20",
    )
    for action in (status, logs, stop):
        action.add_argument("job", metavar="JOB", help="the job's id, as raygene submit list shows it")
    logs.add_argument(
        "--follow", action="store_true", help="show the log as it grows until the job ends, and exit with its status"
    )


def _add_run(actions: argparse._SubParsersAction[Parser]) -> None:
    parser = _add_action(actions, "run", "run the verb after -- as a job, and follow it", RUN_EXAMPLE, RUN_DESCRIPTION)
    parser.usage = "raygene submit run [OPTIONS] -- VERB …"
    parser.add_argument("--detach", action="store_true", help="exit once the job is sent, without following it")
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an environment variable for the job; may be repeated",
    )
    parser.add_argument(
        "--runtime-env",
        type=PathRole.READ,
        metavar="YAML",
        help="a file with a Ray runtime environment (pip, conda, uv, …; no container)",
    )
    parser.add_argument(
        "--send",
        action="append",
        default=[],
        metavar="NAME",
        help="a file of the packages that is sent although it looks like a secret; may be repeated",
    )
    parser.add_argument(
        "--cpus", type=_amount, default=0.0, metavar="X", help="CPUs that the job's own process reserves (default 0)"
    )
    parser.add_argument(
        "--gpus",
        type=_amount,
        default=0.0,
        metavar="X",
        help="GPUs that the job's own process reserves, for verbs that compute in it (default 0; workers reserve "
        "their own)",
    )
    parser.add_argument(
        "--wait", action="store_true", help="queue even where no node has these resources: nodes are added on demand"
    )


def _add_action(
    actions: argparse._SubParsersAction[Parser], name: str, summary: str, example: str, description: str | None = None
) -> Parser:
    parser = actions.add_parser(
        name,
        help=summary,
        description=description or f"{summary[0].upper()}{summary[1:]}.",
        epilog=textwrap.dedent(f"example:\n  {example}"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--address",
        metavar="URL",
        help="of the dashboard (default RAY_API_SERVER_ADDRESS, RAY_ADDRESS or http://127.0.0.1:8265)",
    )
    add_output_flags(parser)
    return parser


def _amount(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of at least 0")
    return float(text)


def run(context: Context) -> int:
    """Do what the action says; return the exit status."""
    from cluster.cli import parser_of_all
    from cluster.jobs import server
    from cluster.jobs.actions import JobActions, Resources
    from cluster.jobs.command import prepare

    arguments = context.arguments
    address = server.address_of(arguments.address, os.environ, context.terminal.note)
    actions = JobActions(address, arguments.address, context.terminal)
    match arguments.action:
        case "run":
            command = prepare(arguments.job_command, parser_of_all())
            resources = Resources(arguments.cpus, arguments.gpus, wait=arguments.wait)
            return actions.run(
                command,
                resources,
                arguments.env,
                arguments.runtime_env,
                detach=arguments.detach,
                send_anyway=arguments.send,
            )
        case "list":
            return actions.list()
        case "status":
            return actions.status(arguments.job)
        case "logs":
            return actions.follow(arguments.job) if arguments.follow else actions.logs(arguments.job)
        case _:
            return actions.stop(arguments.job)
