"""`raygene inspect`: what is in a token dataset."""

from __future__ import annotations

import json
from pathlib import Path

from cluster.context import Context
from cluster.flags import Parser
from pipelines import storage

SUMMARY = "what is in a dataset, and what gives the answer away"
SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Shows counts by genome, chromosome, split and label, lengths in bases, GC, the vocabulary, every gene left out with
its reason, and the shortcut audit: how well rules that look at almost nothing (length, GC, soft-masked share, first
and last six bases) tell genes from negatives on the test split. A model has to beat them."""
EXAMPLE = "raygene inspect yeast --report yeast.html"


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument("dataset", metavar="DATASET", help="a dataset made by raygene build")
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--report", metavar="FILE", help="write one self-contained HTML page with plots")


def run(context: Context) -> None:
    """Inspect, show the tables, and write what was asked for."""
    from pipelines.inspection import inspect

    arguments, terminal = context.arguments, context.terminal
    found = inspect(Path(arguments.dataset))
    for table in found.tables():
        terminal.table(table.caption, table.header, table.rows)
    if arguments.json:
        storage.write_text(Path(arguments.json), json.dumps(found.to_json(), indent=1) + "\n")
    if arguments.report:
        found.page().write(Path(arguments.report))
        terminal.say(f"report: {arguments.report}")
