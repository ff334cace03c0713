"""`raygene profile`: where a training step spends its time."""

from __future__ import annotations

import os
from pathlib import Path

from cluster.connection import address_of, usable_cpus
from cluster.context import Context
from cluster.options.flags import add_dataset_flag, add_experiment_argument, not_negative
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole, Written
from pipelines import storage

SECTIONS = ("model", "training", "cluster")
DESCRIPTION = """\
Trains for a few steps, as raygene train would, and shows where they spend their time: waiting for batches, copying
them, forward, backward, summing gradients over workers, the optimizer, and the rest. Names the bottleneck and what to
do about it, lists the longest operators, and writes a trace of three steps for https://ui.perfetto.dev. The model is
not saved."""
EXAMPLE = (
    "raygene profile examples/yeast/experiment.yaml --dataset yeast --output profile --training.token_budget 32768"
)
STEPS, MAX_STEPS = 50, 1_000_000


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    add_experiment_argument(parser)
    add_dataset_flag(parser)
    parser.add_argument(
        "--output",
        type=PathRole.WRITTEN_FOLDER,
        required=True,
        metavar="DIR",
        help="directory for the traces, one per worker",
    )
    parser.add_argument(
        "--steps", type=not_negative, default=STEPS, metavar="N", help=f"steps whose phases are timed (default {STEPS})"
    )
    parser.add_argument("--json", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write the figures as JSON")


def written(context: Context) -> list[Written]:
    """The traces, one for each worker."""
    from training.profile.run import TRACE

    output, workers = Path(context.arguments.output), context.experiment().training.workers
    return [Written("--output", output / TRACE.format(rank)) for rank in range(workers)]


def run(context: Context) -> None:
    """Profile, and show the tables."""
    from pipelines.dataset import location
    from pipelines.errors import UsageError
    from training.profile.profiler import Plan
    from training.profile.run import OPERATOR_HEADER, PHASE_HEADER, profile

    arguments, terminal = context.arguments, context.terminal
    if not 1 <= arguments.steps <= MAX_STEPS:
        raise UsageError(f"--steps {arguments.steps}: no number of steps to time", f"give 1 to {MAX_STEPS:,}")
    experiment = context.experiment()
    dataset, output = location.of_argument(arguments.dataset), Path(arguments.output).absolute()
    is_local = address_of(experiment.cluster, os.environ.get("RAY_ADDRESS", "")) == "local"
    needs_ray = not is_local or experiment.training.workers > 1
    result = profile(
        experiment.model,
        experiment.training,
        dataset,
        output,
        Plan(timed=arguments.steps),
        terminal,
        context.connector(experiment.cluster) if needs_ray else None,
        experiment.cluster.cpus or usable_cpus(),
    )
    terminal.table("Where a step's time goes", PHASE_HEADER, result.phase_rows())
    terminal.table("The longest operators, by their own time", OPERATOR_HEADER, result.operator_rows())
    for sentence in result.sentences():
        terminal.say(sentence)
    if arguments.json:
        storage.write_json(Path(arguments.json), result.to_json())
    for worker in result.measured:
        terminal.say(f"trace: {worker.trace} (open it at https://ui.perfetto.dev)")
