"""`raygene evaluate`: models judged on a split."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cluster import output_paths
from cluster.context import Context
from cluster.flags import Parser, positive
from cluster.terminal import Terminal
from pipelines import remote, storage
from pipelines.dataset.token_dataset import read_manifest

if TYPE_CHECKING:
    from training.evaluation import Evaluation

TOKEN_BUDGET, SAMPLES = 65_536, 1000
SUMMARY = "models' metrics on a split, with intervals, beside trivial rules"
SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Scores every interval of a split and prints AUROC, AUPRC, MCC, F1, precision, recall and accuracy of each model at its own
decision threshold, with the same figures of trivial rules in the same table; 95 % intervals and paired differences by
bootstrap; figures by genome, chromosome, length and biotype; and recall on the genes that the dataset leaves out. Writes
one self-contained HTML page with the curves, calibration and worst mistakes, and all mistakes as BED. Several bundles are
compared on the same rows. A dataset of another tokenizer is refused. To compare called genes with an annotation, use raygene
compare."""
EXAMPLE = "raygene evaluate run/bundle --dataset yeast --split test --json figures.json"


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument(
        "bundles",
        nargs="+",
        metavar="BUNDLE",
        help="a model made by raygene train, or its address (s3://…); several are compared on the same rows",
    )
    parser.add_argument("--dataset", required=True, metavar="DATASET", help="a dataset made by raygene build")
    parser.add_argument(
        "--split", choices=("train", "validation", "test"), default="test", help="which rows (default test)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="the HTML page (default report-SPLIT.html beside BUNDLE, or here if that is an address)",
    )
    parser.add_argument(
        "--mistakes",
        metavar="FILE.bed",
        help="every mistake as BED9 (default mistakes-SPLIT.bed beside the page); several models or genomes: a file each",
    )
    parser.add_argument(
        "--predictions",
        metavar="FILE",
        help="the probability of every row, for figures of your own: FILE.tsv or FILE.parquet",
    )
    parser.add_argument(
        "--samples", type=int, default=SAMPLES, metavar="N", help=f"bootstrap samples (default {SAMPLES})"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the bootstrap (default 0)")
    parser.add_argument(
        "--resample",
        choices=("interval", "chromosome"),
        default="interval",
        help="what a bootstrap sample draws: single intervals, genes and negatives apart, or whole chromosomes (default interval)",
    )
    parser.add_argument(
        "--token-budget",
        type=positive,
        default=TOKEN_BUDGET,
        metavar="N",
        help=f"maximum padded tokens in a batch (default {TOKEN_BUDGET})",
    )


class _Outputs(NamedTuple):
    """Where everything goes."""

    report: Path
    mistakes: Path
    json: Path | None
    predictions: Path | None


def run(context: Context) -> None:
    """Evaluate, show the tables, and write the files."""
    from training import load
    from training.evaluation import evaluate, json_report, mistakes, model_names, page, predictions

    arguments, terminal = context.arguments, context.terminal
    given, split = arguments.bundles, arguments.split
    called = model_names.short_names(given)
    bundles = {name: load(bundle) for name, bundle in zip(called, given, strict=True)}
    outputs = _outputs(arguments, split, called)
    if outputs.predictions:
        predictions.require_ending(outputs.predictions)
    with terminal.stage(f"evaluating on {split}"):
        found = evaluate(
            bundles,
            Path(arguments.dataset),
            split,
            arguments.token_budget,
            arguments.samples,
            arguments.seed,
            arguments.resample,
        )
    _show(found, terminal)
    if outputs.json:
        storage.write_text(outputs.json, json.dumps(json_report.to_json(found), indent=1, allow_nan=False) + "\n")
    if outputs.predictions:
        predictions.write(found, outputs.predictions)
    written = mistakes.write(found, outputs.mistakes)
    page.build_page(found).write(outputs.report)
    terminal.say(f"mistakes: {', '.join(map(str, written))}")
    terminal.say(f"report: {outputs.report}")


def _show(found: Evaluation, terminal: Terminal) -> None:
    from training.evaluation import conclusions, tables

    for text in conclusions.warnings(found):
        terminal.warn(text)
    for table in tables.terminal_tables(found):
        terminal.table(table.caption, table.header, table.rows)
    if said := tables.explain_no_left_out(found):
        terminal.say(said)
    for model, calibrated in zip(found.models, found.calibrations, strict=True):
        terminal.say(
            f"Calibration of {'the model' if len(found.models) == 1 else model.name}: expected error "
            f"{calibrated.error:.3f}, Brier score {calibrated.brier:.3f}."
        )
    for text in conclusions.conclude(found):
        terminal.say(text)


def _outputs(arguments: argparse.Namespace, split: str, models: Sequence[str]) -> _Outputs:
    """Where files go; folders are made now, so that a place that cannot be written is told before the work.

    Raises:
        UsageError: two files at one place, a folder where a file is to be, or an address.
        ResourceError: a folder cannot be made.
    """
    from training.evaluation import mistakes

    here = remote.local_path(arguments.bundles[0])
    folder = here.absolute().parent if here else Path.cwd()
    report = output_paths.output_file("--report", arguments.report or str(folder / f"report-{split}.html"))
    wrong = output_paths.output_file("--mistakes", arguments.mistakes or str(report.parent / f"mistakes-{split}.bed"))
    genomes = sorted(
        {row["genome"] for row in read_manifest(Path(arguments.dataset))["counts"] if row["split"] == split}
    )
    others = {
        flag: output_paths.output_file(flag, text)
        for flag, text in (("--json", arguments.json), ("--predictions", arguments.predictions))
        if text
    }
    every = [("--report", report), *others.items()]
    every += [("--mistakes", path) for path in mistakes.output_paths(wrong, models, genomes).values()]
    output_paths.require_distinct(every)
    for _, path in every:
        storage.make_directory(path.parent)
    return _Outputs(report, wrong, others.get("--json"), others.get("--predictions"))
