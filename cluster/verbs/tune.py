"""`raygene tune`: a search campaign, which resumes by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.context import Context
from cluster.flags import Parser
from cluster.terminal import Terminal

if TYPE_CHECKING:
    from tuning.results.study_report import Report
    from tuning.trial import Trial

SUMMARY = "a search over configurations, each held against the memory first, and its report"
SECTIONS = ("tuning", "model", "training", "tokenizer", "cluster")
DESCRIPTION = """\
Searches keys of the configuration with Ray Tune. Before a trial starts, the memory analysis at the longest sequence
decides: what does not fit is recorded with the bytes it needs and never run, and small trials share a device. The same
command goes on after a kill. At its end, or of what there is with --report-only: a table, CSV, Parquet, one HTML page, the
best configuration as best.yaml, and its bundle."""
# With more the headings of 120 letters break inside words; the number of weights then stands on the page and in the files.
MOST_COLUMNS = 12
EXAMPLE = "raygene tune examples/yeast/experiment.yaml --dataset yeast --output campaign --tuning.configurations 16"


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument("experiment", metavar="EXPERIMENT.yaml", help="the experiment; its paths are relative to it")
    parser.add_argument(
        "--dataset",
        metavar="DATASET",
        help="a dataset made by raygene build (default: built from the experiment, one for each value of its keys)",
    )
    parser.add_argument("--output", required=True, metavar="STUDY", help="directory of the study")
    parser.add_argument(
        "--report-only", action="store_true", help="report what there is, also of a campaign that runs; train nothing"
    )


def run(context: Context) -> None:
    """Search, and tell what was found."""
    from training.distributed.launch import ENVIRONMENT
    from tuning.study import Study, so_far, tune

    experiment, arguments = context.experiment(), context.arguments
    output = Path(arguments.output).absolute()
    dataset = Path(arguments.dataset).absolute() if arguments.dataset else None
    if dataset is None:
        experiment.dataset(arguments.experiment)
    base = {name: value for name, value in experiment.resolved().items() if name != "tuning"}
    campaign = Study(experiment.tuning, base, dataset, output)
    if arguments.report_only:
        ledger, made = so_far(campaign, context.terminal)
    else:
        ledger, made = tune(campaign, context.connector(experiment.cluster, ENVIRONMENT), context.terminal)
    show(ledger.trials, made, experiment.tuning.metric, experiment.tuning.seeds, context.terminal)
    say = context.terminal.say
    say(f"page: {made.page}")
    say(f"tables: {output / 'trials.csv'}, {output / 'trials.parquet'}, {output / 'trials.jsonl'}")
    if made.bundle is not None:
        say(f"best configuration: {output / 'best.yaml'}")
        say(f"bundle: {made.bundle}")
    if made.owed is not None:
        raise made.owed


def show(trials: Sequence[Trial], made: Report, metric: str, seeds: int, terminal: Terminal) -> None:
    """The tables of a campaign, and what they come to."""
    from tuning import summary
    from tuning.results import importance

    weights = len(summary.header(trials, metric)) <= MOST_COLUMNS
    terminal.table(
        "Trials, the best configuration first",
        summary.header(trials, metric, weights=weights),
        summary.rows(trials, metric, seeds, weights=weights),
    )
    if len(made.sizes) > 1:
        terminal.table("By size", summary.SIZE_HEADER, summary.size_rows(made.sizes))
        if pooled := summary.pooling(trials):
            terminal.say(pooled)
    if made.shares:
        terminal.table(f"Importance: {importance.METHOD}", importance.HEADER, importance.rows(made.shares))
    terminal.say(f"{summary.account(trials)}.")
    terminal.say(summary.verdict(trials, metric, seeds))
    for text in summary.cautions(trials):
        terminal.warn(text)
