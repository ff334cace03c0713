"""`raygene doctor`: what to mend on this machine or cluster before work is sent there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.connection import address_of
from cluster.context import Context
from cluster.experiment import ClusterConfig, Experiment, inputs, load
from cluster.flags import Parser
from cluster.paths import absolute
from pipelines import storage
from pipelines.config import validate
from pipelines.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from cluster.doctor.lines import Line
    from cluster.doctor.seen import NodeReport

SUMMARY = "checks this machine or cluster and says what to mend"
SECTIONS = ("sources", "cluster")
DESCRIPTION = """\
Looks at Python, Ray, torch and its GPU driver, bedtools, GPUs, memory, shared memory, disks, clocks and CPU frequency of this
machine, or with --cluster.address of every node of a cluster; with --experiment whether every node reads its inputs, with
--storage whether every node writes there and sees what others wrote. Each line is ok, a warning, or a failure with what to do;
one failure makes the exit status 1. Starts no Ray of its own."""
EXAMPLE = """\
raygene doctor
  raygene doctor --cluster.address auto --gpus 4 --experiment mine/experiment.yaml --storage /data/runs"""


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument(
        "--gpus", type=int, metavar="N", help="GPUs that there must be (default: what the experiment wants)"
    )
    parser.add_argument(
        "--experiment", metavar="EXPERIMENT.yaml", help="an experiment whose inputs every node must read"
    )
    parser.add_argument(
        "--storage",
        nargs="+",
        default=[],
        metavar="PATH",
        help="folders or addresses (s3://…) for outputs, which every node must write",
    )
    parser.add_argument("--json", metavar="FILE", help="write every line, and what every node told, as JSON")


def run(context: Context) -> int:
    """Look, judge and tell; return 1 if something fails."""
    from cluster.doctor import judge, pace, reach, room
    from cluster.doctor.facts import versions
    from cluster.doctor.lines import worst

    arguments, terminal = context.arguments, context.terminal
    if arguments.gpus is not None and arguments.gpus < 0:
        raise UsageError(f"--gpus {arguments.gpus}: less than none", "give a number from 0 on")
    experiment, config = _configured(context)
    names = inputs(experiment) if experiment else {}
    places = tuple(str(absolute(place, Path.cwd())) for place in arguments.storage)
    asked = _asked(arguments.gpus, experiment)
    lines: list[Line] = []
    with terminal.stage("looking"):
        machines, troubles = _seen(context, config, tuple(names), places)
    if machines:
        lines += judge.versions(versions(), machines)
        for check in (judge.torch, judge.bedtools):
            lines += check(machines)
        lines += judge.gpus(machines, asked)
        for check in (room.memory, room.disks, pace.clocks, pace.governor):
            lines += check(machines)
        lines += reach.inputs(machines, names)
        lines += reach.outputs(machines, places)
    lines += troubles
    terminal.heading(_caption(machines))
    for line in lines:
        terminal.say(str(line))
    terminal.say(_verdict(lines))
    if arguments.json:
        document = {
            "status": worst(lines),
            "lines": [vars(line) for line in lines],
            "nodes": {
                one.name: {"gpus": one.gpus, "skew": one.skew, "bound": one.bound} | one.facts.to_json()
                for one in machines
            },
        }
        storage.write_text(Path(arguments.json), json.dumps(document, indent=1) + "\n")
    return int(worst(lines) == "failure")


def _configured(context: Context) -> tuple[Experiment | None, ClusterConfig]:
    """The experiment, if there is one, and where Ray is."""
    if context.arguments.experiment is None:
        return None, context.cluster()
    experiment = load(Path(context.arguments.experiment), context.overrides)
    return experiment, validate(ClusterConfig, experiment.cluster.model_dump(), "cluster")


def _asked(given: int | None, experiment: Experiment | None) -> int:
    if given is not None:
        return given
    wanted = experiment is not None and experiment.training.device == "cuda"
    return experiment.training.workers if wanted and experiment else 0


def _caption(machines: list[NodeReport]) -> str:
    if not machines:
        return "This machine cannot reach the cluster"
    if machines[0].gpus is None:
        return "This machine"
    return f"A cluster of {len(machines)} {'node' if len(machines) == 1 else 'nodes'}"


def _verdict(lines: list[Line]) -> str:
    counts = [(sum(line.level == level for line in lines), level) for level in ("failure", "warning")]
    told = [f"{count} {level}{'s' if count > 1 else ''}" for count, level in counts if count]
    return " and ".join(told) or "nothing to mend"


def _here(read: tuple[str, ...], written: tuple[str, ...]) -> NodeReport:
    from cluster.doctor import trial
    from cluster.doctor.facts import Request, gather
    from cluster.doctor.seen import NodeReport

    facts = gather(Request(read, written))
    return NodeReport(facts.host, facts, failed=trial.here(facts.torch.usable if facts.torch else 0))


def _seen(
    context: Context, config: ClusterConfig, read: tuple[str, ...], written: tuple[str, ...]
) -> tuple[list[NodeReport], list[Line]]:
    """The machines: those of the cluster, or this one where there is none or it lets nobody in."""
    from cluster.doctor.lines import Line

    if address_of(config, os.environ.get("RAY_ADDRESS", "")) == "local":
        return [_here(read, written)], []
    from cluster.doctor.facts import Request
    from cluster.doctor.nodes import look

    try:
        with context.connector(config)(), _probes(written) as probes:
            return look(Request(read, written, probes))
    except ResourceError as error:
        return [_here(read, written)], [Line("failure", "Ray", error.problem, error.fix)]


@contextmanager
def _probes(places: tuple[str, ...]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Files written from here into folders for outputs, for other machines to see."""
    from cluster.doctor.files import UNWRITABLE, keep, probe_in, remove

    written = []
    try:
        for place in places:
            with suppress(*UNWRITABLE):
                probe = probe_in(place)
                keep(probe)
                written.append((place, probe))
        yield tuple(written)
    finally:
        for _, probe in written:
            with suppress(*UNWRITABLE):
                remove(probe)
