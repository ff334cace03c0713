"""`raygene inspect`: what is in a token dataset."""

from __future__ import annotations

from pathlib import Path

from cluster.context import Context
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole
from pipelines import storage
from pipelines.display import counted
from pipelines.errors import UsageError

SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Shows counts by genome, chromosome, split and label, lengths in bases, GC, the vocabulary, every gene left out with
its reason, and the shortcut audit: how well trivial rules (length, GC, soft-masked share, first and last six bases) and
a logistic regression on 5-mers separate genes from negatives on the test split. A model has to beat them. Of labelled
windows (task structure) it shows lengths of exons, introns and intergenic stretches, splice pairs, states and masked
bases instead. --export
writes the intervals of all splits for other tools, or the tokenizer for Hugging Face's (of a dataset or a bundle)."""
EXAMPLE = "raygene inspect yeast --report yeast.html"


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "dataset",
        type=PathRole.READ_DATASET,
        metavar="DATASET",
        help="a dataset made by raygene build (a bundle too, to export its tokenizer)",
    )
    parser.add_argument("--json", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--report", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write one self-contained HTML page with plots"
    )
    parser.add_argument(
        "--export",
        choices=("bed", "gff3", "fasta", "huggingface"),
        help="write every interval as such, or the tokenizer as a tokenizer.json, to the file of --export-to",
    )
    parser.add_argument("--export-to", type=PathRole.WRITTEN_FILE, metavar="FILE", help="the file that --export writes")


def run(context: Context) -> None:
    """Inspect, show the tables, and write the requested files."""
    from pipelines.audit import class_inspection
    from pipelines.audit import inspection as intervals
    from pipelines.audit import structure_inspection as windows
    from pipelines.dataset import location
    from pipelines.dataset.manifest import MANIFEST, classes, is_structure, read_manifest

    arguments, terminal = context.arguments, context.terminal
    if (arguments.export is None) != (arguments.export_to is None):
        raise UsageError("--export and --export-to go together", "write --export bed --export-to intervals.bed")
    if arguments.export == "huggingface":
        _export_tokenizer(context)
        if not (location.local(arguments.dataset, ()) / MANIFEST).exists():
            return
    dataset = location.local(arguments.dataset)
    manifest = read_manifest(dataset)
    inspection: intervals.Inspection | windows.StructureInspection
    if is_structure(manifest):
        inspection = windows.inspect(dataset)
    else:
        inspection = class_inspection.inspect(dataset) if classes(manifest) else intervals.inspect(dataset)
    if isinstance(inspection, intervals.Inspection):
        for text in inspection.warnings():
            terminal.warn(text)
    for table in inspection.tables():
        terminal.table(table.caption, table.header, table.rows)
    if arguments.json:
        storage.write_json(Path(arguments.json), inspection.to_json())
    if arguments.report:
        inspection.page(context.command).write(Path(arguments.report))
        terminal.say(f"report: {arguments.report}")
    if arguments.export and arguments.export != "huggingface":
        _export(context)


def _export_tokenizer(context: Context) -> None:
    from pipelines.dataset import location
    from pipelines.tokens import huggingface
    from pipelines.tokens.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(location.local(context.arguments.dataset, ()))
    huggingface.save(tokenizer, Path(context.arguments.export_to))
    context.terminal.say(f"tokenizer: {context.arguments.export_to} ({huggingface.agreement(tokenizer)})")


def _export(context: Context) -> None:
    from pipelines.dataset import location
    from pipelines.dataset.export import export

    arguments, terminal = context.arguments, context.terminal
    written = export(location.local(arguments.dataset), arguments.export, Path(arguments.export_to))
    terminal.say(f"{arguments.export}: {counted(written.rows, 'interval')} in {arguments.export_to}")
    if written.truncated:
        terminal.warn(
            f"the last bases of {written.truncated:,} intervals are missing ({written.missing_bases:,} bases in all): "
            "tokens made with tokenizer.tail drop do not contain them"
        )
