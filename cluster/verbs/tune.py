"""`raygene tune`: a search campaign, which resumes by itself."""

from __future__ import annotations

from pathlib import Path

from cluster.context import Context
from cluster.flags import Parser

SUMMARY = "a search over configurations that cannot run out of memory, and its report"
SECTIONS = ("tuning", "model", "training", "tokenizer", "cluster")
DESCRIPTION = """\
Searches keys of the configuration with Ray Tune. Before a trial starts, the memory analysis at the longest sequence
decides: what does not fit is recorded with the bytes it needs and never run, and small trials share a device. The same
command goes on after a kill. At its end, or of what there is, a table, CSV, Parquet, one HTML page, the best configuration
as best.yaml and its bundle."""
EXAMPLE = "raygene tune examples/yeast/experiment.yaml --dataset yeast --output campaign --tuning.trials 16"


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument("experiment", metavar="EXPERIMENT.yaml", help="the experiment; its paths are relative to it")
    parser.add_argument(
        "--dataset",
        metavar="DATASET",
        help="a dataset made by raygene build (default: built from the experiment, one for each value of its keys)",
    )
    parser.add_argument("--output", required=True, metavar="CAMPAIGN", help="directory of the campaign")


def run(context: Context) -> None:
    """Search, and tell what was found."""
    from tuning.campaign import Campaign, tune

    experiment, arguments = context.experiment(), context.arguments
    output = Path(arguments.output).absolute()
    dataset = Path(arguments.dataset).absolute() if arguments.dataset else None
    if dataset is None:
        experiment.dataset(arguments.experiment)
    base = {name: value for name, value in experiment.resolved().items() if name != "tuning"}
    campaign = Campaign(experiment.tuning, base, dataset, output)
    trials = tune(campaign, context.connector(experiment.cluster), context.terminal)
    print(len(trials))
