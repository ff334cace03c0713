"""`raygene evaluate`: a model judged on a split."""

from __future__ import annotations

import json
from pathlib import Path

from cluster.context import Context
from cluster.flags import Parser
from pipelines import remote, storage

SUMMARY = "a model's metrics on a split, beside trivial rules"
SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Scores every interval of a split and prints accuracy, precision, recall, F1, MCC, AUROC and AUPRC of the model at its
own decision threshold, with the same figures of trivial rules in the same table. Writes one self-contained HTML page
with ROC and precision-recall curves. A dataset of another tokenizer is refused."""
EXAMPLE = "raygene evaluate run/bundle --dataset yeast --split test --json figures.json"


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help="a model made by raygene train, or its address (s3://…)")
    parser.add_argument("--dataset", required=True, metavar="DATASET", help="a dataset made by raygene build")
    parser.add_argument(
        "--split", default="test", choices=("train", "validation", "test"), help="which rows (default test)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="the HTML page (default report-SPLIT.html beside BUNDLE, or here if that is an address)",
    )
    parser.add_argument(
        "--token-budget", type=int, default=65_536, metavar="N", help="most padded tokens in a batch (default 65536)"
    )


def run(context: Context) -> None:
    """Evaluate, show the table, and write the page."""
    from training import load
    from training.evaluate import HEADER, SOURCES, evaluate

    arguments, terminal = context.arguments, context.terminal
    here = remote.local(arguments.bundle)
    beside = here.absolute().parent if here else Path.cwd()
    report = Path(arguments.report) if arguments.report else beside / f"report-{arguments.split}.html"
    with terminal.stage(f"evaluating on {arguments.split}"):
        judged = evaluate(load(arguments.bundle), Path(arguments.dataset), arguments.split, arguments.token_budget)
    if judged.caution:
        terminal.warn(judged.caution)
    figures = judged.to_json()
    caption = f"Split {arguments.split}: {figures['genes']:,} genes, {figures['negatives']:,} negatives"
    terminal.table(caption, HEADER, judged.rows())
    terminal.table("Called genes, by how the intervals were made", SOURCES, judged.by_source())
    terminal.say(judged.verdict)
    if arguments.json:
        storage.write_text(Path(arguments.json), json.dumps(figures, indent=1) + "\n")
    judged.page().write(report)
    terminal.say(f"report: {report}")
