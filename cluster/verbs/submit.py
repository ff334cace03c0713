"""`raygene submit`: any other verb as a Ray job, followed to its end."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.context import Context
from cluster.flags import Parser
from pipelines import __version__
from pipelines.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from cluster.jobs.command import Command

SUMMARY = "any other verb as a job of a cluster: submit -- VERB …"
SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Sends the code of this checkout and the experiment, without data, to the job server of a Ray cluster, runs the verb after --
there, shows its log as it grows, and leaves with its exit status. Paths must mean the same on every node, and are checked
before anything is sent. Ctrl-C ends the following, not the job. Other forms: submit list; submit status JOB; submit logs JOB
[--follow]; submit stop JOB. A token is taken from RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token."""
EXAMPLE = """\
raygene submit --address http://HEAD:8265 -- build /data/experiment.yaml --output /data/yeast
  raygene submit --detach -- train /data/experiment.yaml --dataset /data/yeast --output /data/run
  raygene submit logs raygene-train-3f9a1c20 --follow"""
ACTIONS = {"list": 0, "status": 1, "logs": 1, "stop": 1}
OF_A_JOB = ("detach", "env", "runtime_env", "cpus", "gpus", "wait")
INTERRUPTED = 130


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.usage = (
        "raygene submit [OPTIONS] -- VERB …\n       raygene submit [OPTIONS] list | status JOB | logs JOB | stop JOB"
    )
    parser.add_argument(
        "action", nargs="*", metavar="ACTION", help="list, status JOB, logs JOB or stop JOB; absent with -- VERB …"
    )
    parser.add_argument(
        "--address",
        metavar="URL",
        help="of the dashboard (default RAY_API_SERVER_ADDRESS, RAY_ADDRESS or http://127.0.0.1:8265)",
    )
    parser.add_argument("--detach", action="store_true", help="leave once the job is handed over")
    parser.add_argument(
        "--follow", action="store_true", help="with logs: go on until the job ends, and leave with its status"
    )
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="a variable for the job; may be repeated"
    )
    parser.add_argument(
        "--runtime-env", metavar="YAML", help="a file with a Ray runtime environment (pip, conda, uv, …; no container)"
    )
    parser.add_argument(
        "--cpus", type=_amount, default=0.0, metavar="X", help="CPUs that the job's own process reserves (default 0)"
    )
    parser.add_argument(
        "--gpus",
        type=_amount,
        default=0.0,
        metavar="X",
        help="GPUs that the job's own process reserves, for verbs that compute in it (default 0; workers ask for their own)",
    )
    parser.add_argument(
        "--wait", action="store_true", help="queue even where no node has what is asked for: nodes come on demand"
    )


def _amount(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return float(text)


def run(context: Context) -> int:
    """Submit and follow, or ask about jobs; return the exit status."""
    from cluster.jobs import server

    arguments = context.arguments
    job: list[str] = arguments.job
    _require_sense(arguments, job)
    address = server.address_of(arguments.address, os.environ, context.terminal.note)
    if not job:
        return _ask(context, address)
    return _submit(context, address, _command(job))


def _require_sense(arguments: argparse.Namespace, job: Sequence[str]) -> None:
    from cluster.cli import VERBS
    from cluster.jobs import hints

    action: list[str] = arguments.action
    if job:
        if action:
            raise UsageError(f"raygene submit: {action[0]}: does not go with a verb after --", "leave one out")
        if arguments.follow:
            raise UsageError("--follow: serves logs alone; a job is followed unless --detach is given", "leave it out")
        return
    if not action:
        raise UsageError("raygene submit: nothing to submit", "put a verb after --, as in 'raygene submit -- build …'")
    if action[0] in VERBS:
        raise UsageError(f"raygene submit: {action[0]}: stands before --", f"write 'raygene submit -- {action[0]} …'")
    if action[0] not in ACTIONS:
        raise UsageError(
            f"raygene submit: {action[0]}: no such action", f"there are {', '.join(ACTIONS)}, and -- VERB …"
        )
    if len(action) - 1 != ACTIONS[action[0]]:
        wanted = "one job" if ACTIONS[action[0]] else "no more"
        raise UsageError(f"raygene submit {action[0]}: takes {wanted}", f"see '{hints.jobs(arguments.address)}'")
    if arguments.follow and action[0] != "logs":
        raise UsageError("--follow: serves logs alone", "leave it out")
    if idle := [name for name in OF_A_JOB if getattr(arguments, name)]:
        flag = f"--{idle[0].replace('_', '-')}"
        raise UsageError(f"{flag}: belongs to a job that is sent, not to {action[0]}", "leave it out")


def _command(job: Sequence[str]) -> Command:
    from cluster import cli
    from cluster.jobs.command import prepare

    parser, verbs = cli.parsers()
    return prepare(job, parser, {name: verb for name, (verb, _) in verbs.items()})


def _submit(context: Context, address: str, command: Command) -> int:
    from cluster.jobs import hints, server
    from cluster.jobs.command import assumed_lines
    from cluster.jobs.environment import environment

    arguments, terminal = context.arguments, context.terminal
    runtime = environment(arguments.env, arguments.runtime_env)
    for line in assumed_lines(command.assumed):
        terminal.note(line)
    client = server.connect(address)
    wanted = {"CPU": arguments.cpus, "GPU": arguments.gpus}
    if not arguments.wait:
        server.require_resources(address, wanted)
    job = f"raygene-{command.verb}-{uuid.uuid4().hex[:8]}"
    try:
        _send(context, client, address, job, command, runtime)
    except KeyboardInterrupt:
        terminal.note(f"interrupted while the code was sent; job {job} may run: {hints.every(job, arguments.address)}")
        return INTERRUPTED
    if arguments.detach:
        terminal.say(hints.every(job, arguments.address))
        return 0
    return _follow(context, client, address, job, wanted)


def _send(context: Context, client: Any, address: str, job: str, command: Command, runtime: Mapping[str, Any]) -> None:
    """Hand a job over."""
    from cluster.jobs import environment, hints, package, server

    arguments, terminal = context.arguments, context.terminal
    with tempfile.TemporaryDirectory(prefix="raygene-job-") as folder:
        root = Path(__file__).parents[2]
        made = package.stage(root, Path(folder), command.files, example="yeast" if command.verb == "demo" else None)
        for name, size in made.left.items():
            terminal.warn(f"{name}: {size / 2**20:,.0f} MiB is no code, and stays behind")
        terminal.say(f"job {job}: sending {made.files} files, {made.size / 1e6:,.1f} MB, to {address}")
        try:
            with (
                terminal.stage("sending the code"),
                server.answering(address),
                environment.judged(arguments.runtime_env),
            ):
                client.submit_job(
                    entrypoint=shlex.join(["python", "-m", "cluster", *command.arguments]),
                    submission_id=job,
                    runtime_env={**runtime, "working_dir": folder},
                    entrypoint_num_cpus=arguments.cpus or None,
                    entrypoint_num_gpus=arguments.gpus or None,
                    metadata={"raygene": __version__, "verb": command.verb},
                )
        except server.UnansweredError as error:
            look = hints.follow(job, arguments.address)
            raise ResourceError(
                f"{error.problem}; the job may have been made", f"before sending it again, see '{look}'"
            ) from error


def _follow(context: Context, client: Any, address: str, job: str, wanted: Mapping[str, float]) -> int:
    from cluster.jobs import hints, outcome
    from cluster.jobs.follow import Follower

    terminal, given = context.terminal, context.arguments.address
    try:
        details = Follower(client, address, job, terminal, terminal.pass_on, wanted, given).follow()
    except KeyboardInterrupt:
        terminal.note(f"no longer following; the job goes on. {hints.every(job, given)}")
        return INTERRUPTED
    terminal.note(outcome.sentence(job, details))
    return outcome.exit_status(details)


def _ask(context: Context, address: str) -> int:
    from cluster.jobs import hints, listing, outcome, server
    from cluster.jobs.follow import Follower
    from cluster.jobs.stop import stopped

    action, *rest = context.arguments.action
    terminal, client, given = context.terminal, server.connect(address), context.arguments.address
    if action == "list":
        with server.answering(address):
            jobs = client.list_jobs()
        terminal.table(f"Jobs of {address}, newest first", listing.HEADER, listing.rows(jobs))
        return 0
    job = rest[0]
    if action == "logs" and context.arguments.follow:
        return _follow(context, client, address, job, {})
    follower = Follower(client, address, job, terminal, terminal.pass_on, {}, given)
    with server.answering(address, job):
        details = client.get_job_info(job)
    if action == "status":
        terminal.table(f"Job {job}", listing.HEADER, [listing.row(details)])
        if details.status.is_terminal():
            terminal.say(outcome.sentence(job, details))
    elif action == "logs":
        if log := follower.log():
            terminal.pass_on(log)
        else:
            terminal.note(f"no log yet: job {job} is {str(details.status).lower()}")
    elif details.status.is_terminal():
        terminal.say(f"nothing to stop: {outcome.sentence(job, details)}")
    else:
        try:
            details = stopped(client, address, job, follower, terminal)
        except KeyboardInterrupt:
            terminal.note(f"no longer waiting; job {job} was told to stop. {hints.every(job, given)}")
            return INTERRUPTED
        ended = details.status.is_terminal()
        terminal.say(outcome.sentence(job, details) if ended else outcome.unfinished(job, details, given))
        return 0 if ended else 1
    return 0
