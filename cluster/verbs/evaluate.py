"""`raygene evaluate`: metrics of models on a split of a dataset."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import in_process
from cluster.context import Context
from cluster.options.flags import add_dataset_flag, not_negative
from cluster.options.parser import Parser
from cluster.options.scoring_flags import add_scoring_options, device_errors_name_the_flag
from cluster.paths import output_paths
from cluster.paths.output_paths import PathRole, Written
from cluster.screen.terminal import Terminal
from pipelines import remote, storage
from pipelines.config import TokenizerConfig
from pipelines.errors import DatasetError, RaygeneError, UsageError
from pipelines.progress import Progress
from training.bundle import included_models

if TYPE_CHECKING:
    from pipelines.dataset.location import Location
    from training.bundle.bundle import Bundle
    from training.evaluation.recognition import Evaluation
    from training.evaluation.row_source import ScoreRows

TOKEN_BUDGET, SAMPLES = 65_536, 1000
SECTIONS = ("cluster",)
RARE = ("samples", "seed", "resample", "token_budget")
DESCRIPTION = """\
Scores every interval of a split and prints AUROC, AUPRC, MCC, F1, precision, recall and accuracy of each model at its
own decision threshold, with the same figures of trivial rules in the same table, and of the 5-mer regression on the
training data of a model that was trained on another dataset; 95 % intervals and paired differences by bootstrap;
figures by genome, chromosome, length and biotype; and recall on the genes that the dataset leaves out. Writes one
self-contained HTML page with the curves, calibration and worst mistakes, and all mistakes as BED. Several bundles are
compared on the same rows. A threshold that does something else than on the model's own validation is warned about. A
dataset of another tokenizer is refused. Models of classes (task classify) get macro-F1, MCC, the table of classes and
of what they are called, and figures and curves of each class, beside a multinomial regression on 5-mers. To compare
called genes with an annotation, use raygene compare."""
EXAMPLE = "raygene evaluate run/bundle --dataset yeast --split test --json figures.json"


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "bundles",
        type=PathRole.MODEL,
        nargs="+",
        metavar="BUNDLE",
        help="a model made by raygene train, its address (s3://…), or the name of one of raygene models; several are "
        "compared on the same rows",
    )
    add_dataset_flag(parser)
    parser.add_argument(
        "--split", choices=("train", "validation", "test"), default="test", help="which rows (default test)"
    )
    parser.add_argument("--json", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--report",
        type=PathRole.WRITTEN_FILE,
        metavar="FILE",
        help="the HTML page (default report-SPLIT.html next to BUNDLE, report-SPLIT.A.B.html for several, or in this "
        "directory if the first is an address or a name)",
    )
    parser.add_argument(
        "--mistakes",
        type=PathRole.WRITTEN_FILE,
        metavar="FILE.bed",
        help="every mistake as BED9 (default mistakes-SPLIT.bed next to the page); a file for each model and genome",
    )
    parser.add_argument(
        "--predictions",
        type=PathRole.WRITTEN_FILE,
        metavar="FILE",
        help="the probability of every row, for figures of your own: FILE.tsv or FILE.parquet",
    )
    parser.add_argument(
        "--samples",
        type=not_negative,
        default=SAMPLES,
        metavar="N",
        help=f"bootstrap samples, at least 100 (default {SAMPLES})",
    )
    parser.add_argument("--seed", type=not_negative, default=0, metavar="N", help="seed of the bootstrap (default 0)")
    parser.add_argument(
        "--resample",
        choices=("interval", "chromosome"),
        default="interval",
        help="what a bootstrap sample draws: single intervals, from genes and negatives separately, or whole "
        "chromosomes (default interval)",
    )
    add_scoring_options(parser, "none; this process scores alone", f"(default {TOKEN_BUDGET})")


def written(context: Context) -> list[Written]:
    """The page and the mistakes, which have default names, and a file of mistakes for each model and genome."""
    from pipelines.dataset import location
    from pipelines.dataset.token_dataset import read_counts
    from training.evaluation import model_names
    from training.evaluation.recognition import mistakes

    arguments = context.arguments
    report, mistakes_path = _default_outputs(arguments)
    models = model_names.short_names(arguments.bundles)
    try:
        counts = read_counts(location.local(arguments.dataset, ()))
    except DatasetError:
        # Said when it is opened.
        counts = []
    genomes = sorted({row["genome"] for row in counts if row["split"] == arguments.split})
    others = mistakes.output_paths(mistakes_path, models, genomes).values()
    defaults = [("--report", report, arguments.report), ("--mistakes", mistakes_path, arguments.mistakes)]
    if _has_classes(arguments.dataset):
        # Sequences with classes have no place in a genome that a BED file could name.
        others, defaults = {}.values(), defaults[:1]
    return [
        *(Written(flag, output_paths.output_file(flag, str(path))) for flag, path, given in defaults if not given),
        *(Written("--mistakes", path) for path in others if path != mistakes_path),
    ]


def _has_classes(dataset: str) -> bool:
    """Whether a dataset is one of sequences with classes; one that cannot be opened is not, and is refused later."""
    from pipelines.dataset import location
    from pipelines.dataset.manifest import classes, read_manifest

    try:
        return bool(classes(read_manifest(location.local(location.of_argument(dataset), ()))))
    except RaygeneError:
        return False


def _warn_of_unknown_tokens(dataset: Location, split: str, progress: Progress) -> None:
    """Warn if many tokens of the split are `<unk>`; a build has already refused those of which most are."""
    from pipelines.dataset import location
    from pipelines.dataset.token_dataset import read_manifest
    from pipelines.tokens import unknown_share

    files = [
        file
        for file in read_manifest(location.local(dataset, ()))["files"]
        if file["path"].startswith(f"split={split}/")
    ]
    tokens = sum(file.get("tokens", 0) for file in files)
    if tokens:
        share = sum(file.get("unknown_tokens", 0) for file in files) / tokens
        unknown_share.check(f"{dataset}, split {split}", share, TokenizerConfig().warn_unknown, 1.0, None, progress)


def run(context: Context) -> None:
    """Evaluate, show the tables, and write the files."""
    from pipelines.dataset import location
    from training import load
    from training.evaluation import model_names, predictions
    from training.evaluation.recognition import evaluate, json_report, mistakes, page
    from training.tasks import RECOGNISE

    arguments, terminal = context.arguments, context.terminal
    split, names = arguments.split, model_names.short_names(arguments.bundles)
    bundles = {name: load(bundle) for name, bundle in zip(names, arguments.bundles, strict=True)}
    if all(bundle.task.has_classes for bundle in bundles.values()):
        _run_classes(context, bundles)
        return
    for shown, bundle in zip(arguments.bundles, bundles.values(), strict=True):
        bundle.require_task(RECOGNISE, shown)
    report, mistakes_path = _default_outputs(arguments)
    if arguments.predictions:
        predictions.require_ending(Path(arguments.predictions))
    for path in (report, mistakes_path, *map(Path, filter(None, (arguments.json, arguments.predictions)))):
        # One that cannot be created fails before the work.
        storage.make_directory(path.parent)
    with _scoring(context) as score:
        evaluation = evaluate(
            bundles,
            location.of_argument(arguments.dataset),
            split,
            arguments.token_budget or TOKEN_BUDGET,
            arguments.samples,
            arguments.seed,
            arguments.resample,
            terminal,
            score,
        )
    _show(evaluation, terminal)
    _warn_of_unknown_tokens(location.of_argument(arguments.dataset), split, terminal)
    if arguments.json:
        storage.write_json(Path(arguments.json), json_report.to_json(evaluation), allow_nan=False)
    if arguments.predictions:
        predictions.write(evaluation, Path(arguments.predictions))
    paths = mistakes.write(evaluation, mistakes_path)
    page.build_page(evaluation, context.command).write(report)
    terminal.say(f"mistakes: {', '.join(map(str, paths))}")
    terminal.say(f"report: {report}")


def _run_classes(context: Context, bundles: Mapping[str, Bundle]) -> None:
    """Evaluate models of classes, show the tables, and write the files."""
    from pipelines.dataset import location
    from training.evaluation import other_datasets, predictions
    from training.evaluation.bootstrap import Resampling
    from training.evaluation.classes import conclusions, json_report, page, tables
    from training.evaluation.classes.evaluate import evaluate_classes

    arguments, terminal = context.arguments, context.terminal
    for flag, given in (("--mistakes", arguments.mistakes), ("--resample", arguments.resample == "chromosome")):
        if given:
            raise UsageError(f"{flag}: sequences with classes have no place in a genome", "leave it out")
    report, _ = _default_outputs(arguments)
    if arguments.predictions:
        predictions.require_ending(Path(arguments.predictions))
    for path in (report, *map(Path, filter(None, (arguments.json, arguments.predictions)))):
        storage.make_directory(path.parent)
    resampling, dataset = Resampling(arguments.samples, arguments.seed), location.of_argument(arguments.dataset)
    with _scoring(context) as score:
        budget = arguments.token_budget or TOKEN_BUDGET
        evaluation = evaluate_classes(bundles, dataset, arguments.split, budget, resampling, terminal, score)
    for text in conclusions.warnings(evaluation):
        terminal.warn(text)
    for table in tables.terminal_tables(evaluation):
        terminal.table(table.caption, table.header, table.rows)
    if explanation := other_datasets.explain_no_regression(evaluation):
        terminal.say(explanation)
    for text in conclusions.conclude(evaluation):
        terminal.say(text)
    _warn_of_unknown_tokens(dataset, arguments.split, terminal)
    if arguments.json:
        storage.write_json(Path(arguments.json), json_report.to_json(evaluation), allow_nan=False)
    if arguments.predictions:
        predictions.write_classes(evaluation, Path(arguments.predictions))
    page.build_page(evaluation, context.command).write(report)
    terminal.say(f"report: {report}")


@contextmanager
def _scoring(context: Context) -> Iterator[ScoreRows]:
    """How rows are scored: by a pool of actors with --workers, else in this process."""
    import torch

    from training.evaluation.row_source import score_here
    from training.hardware import devices

    arguments, config = context.arguments, context.cluster()
    if not arguments.workers and context.overrides:
        flag = ".".join(map(str, next(iter(context.overrides))))
        raise UsageError(f"--{flag}: has an effect with --workers only", "leave it out, or add --workers")
    if not arguments.workers or in_process.suffices_to_score(config, arguments.workers, arguments.device):
        with device_errors_name_the_flag():
            device = torch.device(devices.require(arguments.device))
        yield score_here(device)
        return
    from training.distributed.nodes import actor_pool
    from training.inference.row_scores import score_on

    with context.connector(config)(), device_errors_name_the_flag():
        yield score_on(actor_pool.on_cluster(arguments.workers, arguments.device))


def _show(evaluation: Evaluation, terminal: Terminal) -> None:
    from training.evaluation import other_datasets
    from training.evaluation.recognition import conclusions, tables

    for text in conclusions.warnings(evaluation):
        terminal.warn(text)
    for table in tables.terminal_tables(evaluation):
        terminal.table(table.caption, table.header, table.rows)
    if explanation := tables.explain_no_left_out(evaluation):
        terminal.say(explanation)
    if explanation := other_datasets.explain_no_regression(evaluation):
        terminal.say(explanation)
    for number in range(len(evaluation.models)):
        terminal.say(tables.explain_calibration(evaluation, number))
    for text in conclusions.conclude(evaluation):
        terminal.say(text)


def complete(arguments: argparse.Namespace) -> None:
    """Name the file of mistakes beside a page at an address, while both are addresses."""
    if arguments.mistakes is None and arguments.report and remote.local_path(arguments.report) is None:
        folder, _ = remote.parent_of(arguments.report)
        arguments.mistakes = remote.file_in(folder, f"mistakes-{arguments.split}.bed")


def _default_outputs(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """The paths of the page and of the mistakes, as given or next to the first bundle.

    The page of several bundles is named for all of them, so that it never replaces that of the first alone.
    """
    from training.evaluation import model_names

    first = arguments.bundles[0]
    bundle = None if included_models.named(first) else remote.local_path(first)
    folder = bundle.absolute().parent if bundle else Path.cwd()
    names = model_names.file_suffix(model_names.short_names(arguments.bundles))
    report = Path(remote.local_path(arguments.report or str(folder / f"report-{arguments.split}{names}.html")) or "")
    given = remote.local_path(arguments.mistakes) if arguments.mistakes else None
    return report, given or report.parent / f"mistakes-{arguments.split}.bed"
