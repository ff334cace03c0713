"""`raygene tune`: a hyperparameter study, which resumes by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.context import Context
from cluster.options.flags import add_experiment_argument
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole, Written
from cluster.screen.terminal import Terminal

if TYPE_CHECKING:
    from tuning.results.study_report import StudyReport
    from tuning.trial import Trial

SECTIONS = ("tuning", "sources", "model", "training", "tokenizer", "cluster")
DESCRIPTION = """\
Searches keys of the configuration with Ray Tune. Before a trial starts, the memory analysis at the longest sequence
decides: what does not fit is recorded with the bytes it needs and never run, and small trials share a device. The
same command resumes after a kill. At its end, or for the trials so far with --report-only, it writes a table, CSV,
Parquet, one HTML page, the best configuration as best.yaml, and its bundle."""
# With more columns, headings break inside words at a width of 120. Page and files have the number of weights anyway.
MAX_COLUMNS = 12
EXAMPLE = "raygene tune examples/yeast/experiment.yaml --dataset yeast --output study --tuning.configurations 16"


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    add_experiment_argument(parser)
    parser.add_argument(
        "--dataset",
        type=PathRole.READ_DATASET,
        metavar="DATASET",
        help="a dataset made by raygene build (default: built from the experiment, one for each value of its keys)",
    )
    parser.add_argument(
        "--output", type=PathRole.WRITTEN_FOLDER, required=True, metavar="STUDY", help="directory of the study"
    )
    parser.add_argument(
        "--report-only", action="store_true", help="report the trials so far, also of a running study; train nothing"
    )


def written(context: Context) -> list[Written]:
    """The files of a study, and the best bundle."""
    from tuning import identity
    from tuning.results import best, study_report, tables
    from tuning.trials.store import TABLE

    output = Path(context.arguments.output)
    names = (best.EXPERIMENT, identity.STUDY, identity.FINISHED, study_report.PAGE, tables.CSV, tables.PARQUET, TABLE)
    files = [Written("--output", output / name) for name in names]
    return [*files, Written("--output", output / best.RUN / "bundle", PathRole.WRITTEN_BUNDLE)]


def run(context: Context) -> None:
    """Run the study, or only report it, and show the results."""
    from pipelines.dataset import location
    from training.distributed.launching.launch import ENVIRONMENT
    from tuning.study import Study, report_only, tune

    experiment, arguments = context.experiment(), context.arguments
    output = Path(arguments.output).absolute()
    dataset = location.of_argument(arguments.dataset) if arguments.dataset else None
    if dataset is None:
        experiment.dataset(arguments.experiment)
    base = {name: value for name, value in experiment.resolved().items() if name != "tuning"}
    study = Study(experiment.tuning, base, dataset, output, context.command).for_task()
    if arguments.report_only:
        store, report = report_only(study, context.terminal)
    else:
        store, report = tune(study, context.connector(experiment.cluster, ENVIRONMENT), context.terminal)
    show(store.trials, report, study.config.metric, study.config.seeds, context.terminal)
    say = context.terminal.say
    say(f"page: {report.page}")
    say(f"tables: {output / 'trials.csv'}, {output / 'trials.parquet'}, {output / 'trials.jsonl'}")
    if report.bundle is not None:
        say(f"best configuration: {output / 'best.yaml'}")
        say(f"bundle: {report.bundle}")
    if report.error is not None:
        raise report.error


def show(trials: Sequence[Trial], report: StudyReport, metric: str, seeds: int, terminal: Terminal) -> None:
    """Show the tables of a study, and the conclusion from them."""
    from tuning import summary
    from tuning.results import importance

    weights = len(summary.header(trials, metric)) <= MAX_COLUMNS
    terminal.table(
        "Trials, the best configuration first",
        summary.header(trials, metric, weights=weights),
        summary.rows(trials, metric, seeds, weights=weights),
    )
    if len(report.sizes) > 1:
        terminal.table("By size", summary.SIZE_HEADER, summary.size_rows(report.sizes))
        if note := summary.pooling_note(trials):
            terminal.say(note)
    if report.shares:
        terminal.table(f"Importance: {importance.METHOD}", importance.HEADER, importance.rows(report.shares))
        terminal.say(importance.caveat(trials, metric, seeds))
    terminal.say(f"{summary.count_by_state(trials)}.")
    terminal.say(summary.conclusion(trials, metric, seeds))
    for caution in summary.cautions(trials):
        terminal.warn(caution)
