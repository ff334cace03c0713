"""`raygene profile`: where a training step's time goes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cluster.connection import address_of, usable_cpus
from cluster.context import Context
from cluster.flags import Parser
from pipelines import storage

SUMMARY = "where a training step spends its time, with a trace"
SECTIONS = ("model", "training", "cluster")
DESCRIPTION = """\
Trains for a few steps, as raygene train would, and tells where their time goes: waiting for batches, copying them, forward,
backward, adding up gradients over workers, the optimizer, the rest. Names the bottleneck and what to do about it, lists the
longest operators, and writes a trace of three steps for https://ui.perfetto.dev. No model is kept."""
EXAMPLE = (
    "raygene profile examples/yeast/experiment.yaml --dataset yeast --output profile --training.token_budget 32768"
)
STEPS = 50


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument("experiment", metavar="EXPERIMENT.yaml", help="the experiment; its paths are relative to it")
    parser.add_argument("--dataset", required=True, metavar="DATASET", help="a dataset made by raygene build")
    parser.add_argument("--output", required=True, metavar="DIR", help="directory for the traces, one a worker")
    parser.add_argument(
        "--steps", type=int, default=STEPS, metavar="N", help=f"steps whose phases are timed (default {STEPS})"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON")


def run(context: Context) -> None:
    """Profile, and show the tables."""
    from pipelines.errors import UsageError
    from training.profile.profiler import Plan
    from training.profile.run import OPERATOR_HEADER, PHASE_HEADER, profile

    arguments, terminal = context.arguments, context.terminal
    if arguments.steps < 1:
        raise UsageError(f"--steps {arguments.steps}: no step to time", "give at least 1")
    experiment = context.experiment()
    dataset, output = Path(arguments.dataset).absolute(), Path(arguments.output).absolute()
    here = address_of(experiment.cluster, os.environ.get("RAY_ADDRESS", "")) == "local"
    alone = here and experiment.training.workers == 1
    found = profile(
        experiment.model,
        experiment.training,
        dataset,
        output,
        Plan(timed=arguments.steps),
        terminal,
        None if alone else context.connector(experiment.cluster),
        experiment.cluster.cpus or usable_cpus(),
    )
    terminal.table("Where a step's time goes", PHASE_HEADER, found.phase_rows())
    terminal.table("The longest operators, by their own time", OPERATOR_HEADER, found.operator_rows())
    for sentence in found.sentences():
        terminal.say(sentence)
    if arguments.json:
        storage.write_text(Path(arguments.json), json.dumps(found.to_json(), indent=1) + "\n")
    for one in found.measured:
        terminal.say(f"trace: {one.trace} (open it at https://ui.perfetto.dev)")
