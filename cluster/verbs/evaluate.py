"""`raygene evaluate`: models judged on a split."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cluster.context import Context
from cluster.flags import Parser
from cluster.terminal import Terminal
from pipelines import storage
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from training.evaluation import Evaluation

SUMMARY = "models' metrics on a split, with intervals, beside trivial rules"
SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Scores every interval of a split and prints AUROC, AUPRC, MCC, F1, precision, recall and accuracy of each model at its own
decision threshold, with the same figures of trivial rules in the same table; 95 % intervals and paired differences by
bootstrap; figures by genome, chromosome, length and biotype; and recall on the genes that the dataset leaves out. Writes
one self-contained HTML page with the curves, calibration and worst mistakes, and all mistakes as BED. Several bundles are
judged side by side on the same rows. A dataset of another tokenizer is refused."""
EXAMPLE = "raygene evaluate run/bundle --dataset yeast --split test --json figures.json"


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument(
        "bundles", nargs="+", metavar="BUNDLE", help="a model made by raygene train; several are judged side by side"
    )
    parser.add_argument("--dataset", required=True, metavar="DATASET", help="a dataset made by raygene build")
    parser.add_argument(
        "--split", default="test", choices=("train", "validation", "test"), help="which rows (default test)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--report", metavar="FILE", help="the HTML page (default report-SPLIT.html beside BUNDLE)")
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
    parser.add_argument("--samples", type=int, default=1000, metavar="N", help="bootstrap samples (default 1000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the bootstrap (default 0)")
    parser.add_argument(
        "--resample",
        choices=("interval", "chromosome"),
        default="interval",
        help="what a bootstrap sample draws: single intervals, genes and negatives apart, or whole chromosomes (default interval)",
    )
    parser.add_argument(
        "--token-budget", type=int, default=65_536, metavar="N", help="most padded tokens in a batch (default 65536)"
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
    from training.evaluation import evaluate, figures, mistakes, names, page, predictions

    arguments, terminal = context.arguments, context.terminal
    outputs = _outputs(arguments)
    if outputs.predictions:
        predictions.require_ending(outputs.predictions)
    paths = [Path(bundle) for bundle in arguments.bundles]
    bundles = {name: load(path) for name, path in zip(names.of(paths), paths, strict=True)}
    with terminal.stage(f"evaluating on {arguments.split}"):
        found = evaluate(
            bundles,
            Path(arguments.dataset),
            arguments.split,
            arguments.token_budget,
            arguments.samples,
            arguments.seed,
            arguments.resample,
        )
    _show(found, terminal)
    if outputs.json:
        storage.write_text(outputs.json, json.dumps(figures.to_json(found), indent=1, allow_nan=False) + "\n")
    if outputs.predictions:
        predictions.write(found, outputs.predictions)
    written = mistakes.write(found, outputs.mistakes)
    page.page(found).write(outputs.report)
    terminal.say(f"mistakes: {', '.join(map(str, written))}")
    terminal.say(f"report: {outputs.report}")


def _show(found: Evaluation, terminal: Terminal) -> None:
    from training.evaluation import tables, verdict

    for text in verdict.cautions(found):
        terminal.warn(text)
    for table in tables.in_terminal(found):
        terminal.table(table.caption, table.header, table.rows)
    if said := tables.without_left_out(found):
        terminal.say(said)
    for model, calibrated in zip(found.models, found.calibrations, strict=True):
        terminal.say(
            f"Calibration of {'the model' if len(found.models) == 1 else model.name}: expected error "
            f"{calibrated.error:.3f}, Brier score {calibrated.brier:.3f}."
        )
    for text in verdict.verdicts(found):
        terminal.say(text)


def _outputs(arguments: argparse.Namespace) -> _Outputs:
    """Where files go; folders are made now, so that a place that cannot be written is told before the work.

    Raises:
        UsageError: two files at one place, or a folder where a file is to be.
        ResourceError: a folder cannot be made.
    """
    folder = Path(arguments.bundles[0]).absolute().parent
    report = Path(arguments.report) if arguments.report else folder / f"report-{arguments.split}.html"
    mistakes = Path(arguments.mistakes) if arguments.mistakes else report.parent / f"mistakes-{arguments.split}.bed"
    others = [Path(path) if path else None for path in (arguments.json, arguments.predictions)]
    named = {"--report": report, "--mistakes": mistakes, "--json": others[0], "--predictions": others[1]}
    seen: dict[Path, str] = {}
    for flag, path in named.items():
        if path is None:
            continue
        if path.is_dir():
            raise UsageError(f"{flag} {path}: is a folder", "name a file in it")
        if (other := seen.setdefault(path.resolve(), flag)) != flag:
            raise UsageError(f"{flag} {path}: {other} goes there too", "name another file")
    for path in seen:
        storage.make_directory(path.parent)
    return _Outputs(report, mistakes, *others)
