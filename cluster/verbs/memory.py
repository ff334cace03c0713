"""`raygene memory`: whether training fits into memory, and with what token budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cluster.context import Context
from cluster.options.flags import add_dataset_flag, add_experiment_argument, add_start_flag
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole
from pipelines import storage

if TYPE_CHECKING:
    from training.memory.analysis import Analysis

SECTIONS = ("model", "training")
DESCRIPTION = """\
Estimates by a formula the memory of parameters, gradients, optimizer and activations at the longest sequence, tries
that sequence on this machine's device, and shows the largest token budget that fits with headroom. If not even one
sequence fits, it fails and names what would make it fit. Needs no Ray. With --device-memory it plans for another
machine's device, by the formula alone. Training does the same before it starts."""
EXAMPLE = "raygene memory examples/yeast/experiment.yaml --dataset yeast --device-memory 24GiB"


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    add_experiment_argument(parser)
    add_dataset_flag(parser)
    add_start_flag(parser)
    parser.add_argument(
        "--device-memory",
        metavar="SIZE",
        help="memory of another device, such as 24GiB, 16GB or 512MiB (default: what is free on this machine)",
    )
    parser.add_argument(
        "--device-kind",
        choices=("cpu", "cuda"),
        help="kind of that device (default: cuda with --device-memory, else what training would use on this machine)",
    )
    parser.add_argument(
        "--json", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write the figures as JSON, sizes in bytes"
    )


def run(context: Context) -> None:
    """Plan, and show parts, peak and budget."""
    from pipelines.dataset import location
    from training.memory import capacity
    from training.memory.analysis import analyse

    arguments, experiment = context.arguments, context.experiment()
    device_memory = capacity.parse_size(arguments.device_memory) if arguments.device_memory else None
    dataset = location.of_argument(arguments.dataset)
    with context.terminal.stage("planning memory"):
        analysis = analyse(
            experiment.model,
            experiment.training,
            dataset,
            device_memory,
            arguments.device_kind,
        )
    show(context, analysis)
    if arguments.json:
        storage.write_json(Path(arguments.json), analysis.to_json())


def show(context: Context, analysis: Analysis) -> None:
    """Show what training starts from, the parts of a step's memory, and the token budget."""
    from pipelines.display import format_size
    from training.bundle import start
    from training.memory.analysis import HEADER

    plan, longest, say = analysis.plan, analysis.longest, context.terminal.say
    if analysis.start is not None:
        say(start.described(analysis.start, context.experiment().training))
    context.terminal.table("Memory of a training step", HEADER, analysis.rows())
    say(f"longest sequence: {longest.tokens:,} tokens, {longest.interval} in {longest.split}")
    owner = "GPU" if plan.device.kind == "cuda" else "machine"
    say(
        f"memory of the {owner}, for each worker: {format_size(plan.device.size)}, "
        f"of which a step may take {format_size(plan.usable - plan.copies)}"
    )
    if plan.device.kind == "cpu":
        say(f"a worker at its peak, with all it holds: {format_size(plan.worker)}")
    say(
        f"fitting the {analysis.fitting.name} after training, in the process that was started: "
        f"{format_size(analysis.fitting.needed)} more"
    )
    if plan.probe is not None:
        say(
            f"one longest sequence, measured: {format_size(plan.probe.peak)}; estimated: {format_size(plan.alone.peak)}"
        )
    elif plan.device.kind == "cuda":
        context.terminal.note("the estimate for GPUs has not been compared with a GPU yet")
    if plan.device.kind == "cuda" and analysis.operations:
        say(
            f"work of a step: {analysis.operations / 1e3:,.0f} thousand operations a token, "
            f"{analysis.operations * plan.token_budget / 1e9:,.1f} billion in the largest batch"
        )
    if analysis.filling_batch and analysis.filling_batch > context.experiment().training.global_batch_size:
        say(
            f"a step fits up to training.global_batch_size {analysis.filling_batch:,} at once: more sequences keep a "
            "GPU busier, and may need another training.learning_rate"
        )
    say(f"token budget: {plan.token_budget:,}, or {plan.sequences:,} of the longest at once")
