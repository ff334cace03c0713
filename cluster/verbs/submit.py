"""`raygene submit`: any other verb as a Ray job, followed to its end."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import tempfile
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cluster.context import Context
from cluster.flags import Parser
from pipelines import __version__
from pipelines.errors import InputError, ResourceError, UsageError

if TYPE_CHECKING:
    from cluster.jobs.command import Command
    from cluster.jobs.follow import Follower
    from cluster.terminal import Terminal

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
INTERRUPTED = 130
STOP_WAIT_S = 60
"""Ray kills a job 3 s after asking it to stop, in which training may not have saved where it is."""
GRACE_S = 30
QUEUED_S = 5


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
        "--runtime-env", metavar="YAML", help="a file with a Ray runtime environment (pip, conda, image_uri, …)"
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
    _require_sense(arguments.action, job, arguments.follow)
    address = server.address_of(arguments.address, os.environ)
    if not job:
        return _ask(context, address)
    return _submit(context, address, _command(job))


def _require_sense(action: Sequence[str], job: Sequence[str], follow: bool) -> None:
    from cluster.cli import VERBS

    if job:
        if action:
            raise UsageError(f"raygene submit: {action[0]}: does not go with a verb after --", "leave one out")
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
        raise UsageError(f"raygene submit {action[0]}: takes {wanted}", "see 'raygene submit list'")
    if follow and action[0] != "logs":
        raise UsageError("--follow: serves logs alone", "leave it out")


def _command(job: Sequence[str]) -> Command:
    from cluster import cli
    from cluster.jobs.command import prepare

    parser, verbs = cli.parsers()
    return prepare(job, parser, {name: verb for name, (verb, _) in verbs.items()})


def environment(given: Sequence[str], path: str | None) -> dict[str, Any]:
    """The runtime environment of a job, without its files.

    Args:
        given: `NAME=VALUE`, each.
        path: of a YAML file with further keys of Ray's.

    Raises:
        UsageError: not of that form, or files are named in it.
        InputError: the file is missing or not YAML.
    """
    found: Any = {}
    if path is not None:
        try:
            found = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            told = " ".join(str(getattr(error, "strerror", None) or error).split())
            raise InputError(f"--runtime-env {path}: {told}", "name a YAML file") from error
        if not isinstance(found, dict) or "working_dir" in found:
            raise UsageError(f"--runtime-env {path}: holds working_dir or no keys", "raygene sends its own files")
    variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S), **(found.get("env_vars") or {})}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise UsageError(f"--env {name}: not of the form NAME=VALUE", "write --env NAME=VALUE")
        variables[name] = value
    return {**found, "env_vars": {name: str(value) for name, value in variables.items()}}


def _submit(context: Context, address: str, command: Command) -> int:
    from cluster.jobs import package, server
    from cluster.jobs.command import assumed_lines

    arguments, terminal = context.arguments, context.terminal
    runtime = environment(arguments.env, arguments.runtime_env)
    for line in assumed_lines(command.assumed):
        terminal.note(line)
    client = server.connect(address)
    wanted = {"CPU": arguments.cpus, "GPU": arguments.gpus}
    _require_resources(address, wanted, arguments.wait)
    job = f"raygene-{command.verb}-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory(prefix="raygene-job-") as folder:
        root = Path(__file__).parents[2]
        made = package.stage(root, Path(folder), command.files, example="yeast" if command.verb == "demo" else None)
        for name, size in made.left.items():
            terminal.warn(f"{name}: {size / 2**20:,.0f} MiB is no code, and stays behind")
        with terminal.stage("sending the code"), server.answering(address):
            client.submit_job(
                entrypoint=shlex.join(["python", "-m", "cluster", *command.arguments]),
                submission_id=job,
                runtime_env={**runtime, "working_dir": folder},
                metadata={"raygene": __version__, "verb": command.verb},
                entrypoint_num_cpus=arguments.cpus or None,
                entrypoint_num_gpus=arguments.gpus or None,
            )
    terminal.say(f"job {job}: {made.files} files, {made.size / 1e6:,.1f} MB sent to {address}")
    if arguments.detach:
        terminal.say(_hints(job, arguments.address))
        return 0
    return _follow(context, client, address, job, wanted)


def _require_resources(address: str, wanted: dict[str, float], wait: bool) -> None:
    from cluster.jobs import server

    if wait or not any(wanted.values()):
        return
    nodes = server.machines(address)
    lacking = server.missing(wanted, nodes) if nodes is not None else None
    if lacking:
        asked = " ".join(f"--{name.lower()}s {amount:g}" for name, amount in wanted.items() if amount)
        raise ResourceError(f"{asked}: {lacking}", "ask for less, or give --wait where nodes come on demand")


def _follow(context: Context, client: Any, address: str, job: str, wanted: dict[str, float]) -> int:
    from cluster.jobs import outcome
    from cluster.jobs.follow import Follower

    terminal = context.terminal
    try:
        details = Follower(client, address, job, terminal, terminal.pass_on, wanted).follow()
    except KeyboardInterrupt:
        terminal.note(f"no longer following; the job goes on. {_hints(job, context.arguments.address)}")
        return INTERRUPTED
    terminal.note(outcome.sentence(job, details))
    return outcome.exit_status(details)


def _hints(job: str, address: str | None) -> str:
    to = f" --address {address}" if address else ""
    return (
        f"Follow it: raygene submit logs {job} --follow{to}; how it does: raygene submit status {job}{to}; "
        f"end it: raygene submit stop {job}{to}"
    )


def _ask(context: Context, address: str) -> int:
    from cluster.jobs import outcome, server
    from cluster.jobs.follow import Follower

    action, *rest = context.arguments.action
    terminal, client = context.terminal, server.connect(address)
    if action == "list":
        with server.answering(address):
            jobs = client.list_jobs()
        rows = [row(one) for one in sorted(jobs, key=lambda one: one.start_time or 0) if one.submission_id]
        terminal.table(f"Jobs of {address}", HEADER, rows)
        return 0
    job = rest[0]
    follower = Follower(client, address, job, terminal, terminal.pass_on, {})
    details = follower.details()
    if action == "status":
        terminal.table(f"Job {job}", HEADER, [row(details)])
        if details.status.is_terminal():
            terminal.say(outcome.sentence(job, details))
    elif action == "logs" and context.arguments.follow:
        return _follow(context, client, address, job, {})
    elif action == "logs":
        terminal.pass_on(follower.log())
    elif details.status.is_terminal():
        terminal.say(f"nothing to stop: {outcome.sentence(job, details)}")
    else:
        with server.answering(address, job):
            client.stop_job(job)
        details = _ended(follower, terminal)
        terminal.say(
            outcome.sentence(job, details) if details.status.is_terminal() else outcome.unfinished(job, details)
        )
        return 0 if details.status.is_terminal() else 1
    return 0


def _ended(follower: Follower, terminal: Terminal) -> Any:
    """Wait for a job that was told to stop; one that is queued does not hear it."""
    began = time.monotonic()
    with terminal.stage("waiting for the job to save and end (s)") as stage:
        while not (details := follower.details()).status.is_terminal():
            limit = QUEUED_S if details.status == "PENDING" else STOP_WAIT_S + GRACE_S
            if time.monotonic() - began > limit:
                break
            time.sleep(1)
            stage.advance()
    return details


HEADER = ("job", "status", "exit", "began", "seconds", "command")


def row(details: Any) -> tuple[object, ...]:
    """A job as a row of `HEADER`."""
    began, ended = details.start_time, details.end_time
    code = details.driver_exit_code
    return (
        details.submission_id or details.job_id,
        str(details.status).lower(),
        "–" if code is None else code,
        datetime.fromtimestamp(began / 1000).isoformat(" ", "seconds") if began else "–",
        round((ended - began) / 1000) if began and ended else "–",
        details.entrypoint.removeprefix("python -m cluster ")[:200],
    )
