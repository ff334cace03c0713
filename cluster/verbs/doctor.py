"""`raygene doctor`: what to fix on this machine or cluster before work is sent there."""

from __future__ import annotations

import os
from pathlib import Path

from cluster.connection import address_of
from cluster.context import Context
from cluster.experiment import ClusterConfig, Experiment, inputs
from cluster.options.flags import not_negative
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole
from cluster.paths.path_keys import absolute
from pipelines import storage
from pipelines.config import validate
from pipelines.errors import UsageError

SECTIONS = ("sources", "cluster")
DESCRIPTION = """\
Checks Python, Ray, torch and its GPU driver, bedtools, GPUs, memory, shared memory, disks, clocks and CPU frequency of
this machine, or with --cluster.address of every node of a cluster; with --experiment whether every node reads its
inputs, with --storage whether every node writes there and sees what others wrote, or, in a store (s3://…), can do all
that verbs do. Each line is ok, a warning, or a
failure with its fix; one failure makes the exit status 1. Starts no Ray of its own."""
EXAMPLE = """\
raygene doctor
  raygene doctor --cluster.address auto --gpus 4 --experiment mine/experiment.yaml --storage /data/runs"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "--gpus", type=not_negative, metavar="N", help="GPUs required (default: as many as the experiment requires)"
    )
    parser.add_argument(
        "--experiment",
        type=PathRole.READ_FILE,
        metavar="EXPERIMENT.yaml",
        help="an experiment whose inputs every node must read",
    )
    parser.add_argument(
        "--storage",
        type=PathRole.PROBED,
        nargs="+",
        default=[],
        metavar="PATH",
        help="directories or addresses (s3://…) for outputs, to which every node must write",
    )
    parser.add_argument(
        "--json",
        type=PathRole.WRITTEN_FILE,
        metavar="FILE",
        help="write every line, and what every node reported, as JSON",
    )


def run(context: Context) -> int:
    """Examine the machine or cluster and print the findings; return 1 if one is a failure."""
    from cluster.doctor.diagnosis import diagnose

    arguments, terminal = context.arguments, context.terminal
    if arguments.gpus is not None and arguments.gpus < 0:
        raise UsageError(f"--gpus {arguments.gpus}: a negative number", "give a number of at least 0")
    experiment, config = _configuration(context)
    outputs = [str(absolute(path, Path.cwd())) for path in arguments.storage]
    gpus = _required_gpus(experiment) if arguments.gpus is None else arguments.gpus
    is_local = address_of(config, os.environ.get("RAY_ADDRESS", "")) == "local"
    with terminal.stage("checking"):
        connect = None if is_local else context.connector(config)
        diagnosis = diagnose(connect, inputs(experiment) if experiment else {}, outputs, gpus)
    terminal.heading(diagnosis.title)
    for finding in diagnosis.findings:
        terminal.say(str(finding))
    terminal.say(diagnosis.summary)
    if arguments.json:
        storage.write_json(Path(arguments.json), diagnosis.to_json())
    return int(diagnosis.status == "failure")


def _configuration(context: Context) -> tuple[Experiment | None, ClusterConfig]:
    """The experiment, if there is one, and the section that says where Ray is."""
    if context.arguments.experiment is None:
        return None, context.cluster()
    experiment = context.experiment()
    return experiment, validate(ClusterConfig, experiment.cluster.model_dump(), "cluster")


def _required_gpus(experiment: Experiment | None) -> int:
    """One for each worker of a training that demands GPUs."""
    if experiment is None or experiment.training.device != "cuda":
        return 0
    return experiment.training.workers
