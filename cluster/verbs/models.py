"""`raygene models`: the trained models that come with raygene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cluster.context import Context
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole
from pipelines import storage
from pipelines.display import counted, format_size
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from cluster.screen.terminal import Terminal
    from training.bundle.included_models import IncludedModel

SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Lists the models that come with raygene: what each is for, what it was trained and measured on, its figures there, its
size and its digest. A name of the list stands for a bundle in annotate and wherever else a BUNDLE is taken; a path of
that name in the current folder is taken first. With NAME it shows where that model is, and its card."""
EXAMPLE = """\
raygene models
  raygene models yeast
  raygene annotate yeast --fasta genome.fa.gz --output genes.gff3"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="show the card of this model")
    parser.add_argument("--json", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write the list as JSON")


def run(context: Context) -> None:
    """Show the list or a card, and write the requested file."""
    from training.bundle import included_models

    arguments, terminal = context.arguments, context.terminal
    catalogue = included_models.catalogue()
    chosen = list(catalogue.values())
    if arguments.name is not None:
        if arguments.name not in catalogue:
            raise UsageError(
                f"raygene models: no model {arguments.name!r} comes with raygene",
                f"name one of {', '.join(catalogue)}" if catalogue else "reinstall raygene",
            )
        chosen = [catalogue[arguments.name]]
        _show_card(chosen[0], terminal)
    else:
        _show_list(chosen, terminal)
    if arguments.json:
        storage.write_json(Path(arguments.json), [model.to_json() for model in chosen])


def _show_list(models: list[IncludedModel], terminal: Terminal) -> None:
    header = ("name", "task", "for", "train", "measured on", "exons", "exact CDS", "size", "digest")
    rows = []
    for model in models:
        described = model.to_json()
        train = described["train"]
        own = (
            *(model.name, described["task"], model.organisms),
            f"{', '.join(described['genomes'])}: {train['bases'] / 1e6:,.1f} Mb, {counted(train['genes'], 'gene')}",
        )
        sized = (format_size(model.size), described["digest"][:12])
        for number, measured in enumerate(model.measured or [{}]):
            f1 = measured.get("f1", {})
            figures = (f"{f1[level]:.3f}" if level in f1 else "–" for level in ("cds_exon", "cds"))
            rows.append(
                (
                    *(own if number == 0 else ("",) * len(own)),
                    *(measured.get("on", "–"), *figures),
                    *(sized if number == 0 else ("", "")),
                )
            )
    terminal.table("Models that come with raygene, with F1 on sequences that they have not seen", header, rows)
    terminal.say("raygene models NAME shows a card; raygene annotate NAME --fasta GENOME --output GFF3 uses the model")


def _show_card(model: IncludedModel, terminal: Terminal) -> None:
    terminal.say(f"{model.name}: {model.directory}")
    for line in model.card().splitlines():
        terminal.say(line)
