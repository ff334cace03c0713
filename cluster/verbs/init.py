"""`raygene init`: an experiment to begin with, for the files of one genome."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.context import Context
from cluster.flags import Parser
from cluster.output_paths import PathRole, Written
from pipelines import storage
from pipelines.config import SourceConfig, validate
from pipelines.errors import InputError, UsageError

if TYPE_CHECKING:
    from cluster.presets.genome_facts import GenomeFacts
    from cluster.presets.held_out import HeldOut

SUMMARY = "write an experiment for your genome, with a split that fits it"
SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Reads a genome and its annotation, and writes DIR/experiment.yaml for them, with comments: what is held out for
validation and test by the genes of each sequence, organelles left out, and window, k, stride and model of the
examples of yeasts whose figures are in the documentation. Prints the commands that follow. Overwrites nothing;
trains nothing."""
EXAMPLE = "raygene init mine --preset structure --fasta genome.fa.gz --annotation genes.gff3.gz"
_EXPERIMENT = "experiment.yaml"
_SECONDS_PER_MEGABASE = 8.3
"""CPU seconds of an epoch of the structure preset: 24 to 29 minutes for 20 of 9.1 Mb (examples/structure/README.md)."""


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "folder", type=PathRole.WRITTEN_FOLDER, metavar="DIR", help="directory of the experiment; made if missing"
    )
    parser.add_argument(
        "--preset",
        default="structure",
        choices=("structure", "scan"),
        help="structure (default) = exons, introns, proteins (raygene annotate); scan = gene regions (raygene scan)",
    )
    parser.add_argument(
        "--fasta",
        dest="genome_fasta",
        required=True,
        type=PathRole.READ,
        metavar="FASTA",
        help="genome, plain or compressed",
    )
    parser.add_argument(
        "--annotation",
        dest="genome_annotation",
        required=True,
        type=PathRole.READ,
        metavar="GFF3",
        help="its genes: GFF3 or GTF, for scan also BED; plain or compressed",
    )
    parser.add_argument("--genome", metavar="NAME", help="short name of the genome (default: from the FASTA's name)")


def written(context: Context) -> list[Written]:
    """The file that is added to DIR."""
    return [Written("DIR", Path(context.arguments.folder) / _EXPERIMENT)]


def run(context: Context) -> None:
    """Read the genome, write the experiment, and show its split and the commands that follow.

    Raises:
        UsageError: an experiment is there already.
        InputError: a file cannot be used.
    """
    from cluster.presets import experiment_text, genome_facts, held_out

    arguments, terminal = context.arguments, context.terminal
    folder = Path(arguments.folder)
    path = folder / _EXPERIMENT
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path}: exists already", "choose another DIR, or remove it")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is no directory", "choose another DIR")
    fasta, annotation = (_local(text) for text in (arguments.genome_fasta, arguments.genome_annotation))
    name = arguments.genome or experiment_text.genome_name(fasta)
    source = validate(SourceConfig, {"genome": name, "fasta": str(fasta), "annotation": str(annotation)}, "--genome")
    with terminal.stage("reading the genome"):
        facts = genome_facts.read(source, arguments.preset == "structure", terminal)
    chosen = held_out.choose(facts.lengths, facts.genes)
    paths = [experiment_text.path_from(folder, path) for path in (fasta, annotation)]
    text = experiment_text.text(arguments.preset, name, paths[0], paths[1], facts, chosen)
    storage.make_directory(folder)
    storage.write_text(path, text)
    if facts.organelles:
        listed = ", ".join(f"{name} ({genes:,} genes)" for name, genes in facts.organelles.items())
        terminal.note(f"organelles are left out: {listed}")
    _show_split(context, facts, chosen)
    terminal.say(f"experiment: {path}")
    _show_commands(context, path)


def _local(text: str) -> Path:
    path = Path(text)
    if not path.exists():
        raise InputError(f"{text}: no such file", "check the path")
    return path


def _show_split(context: Context, facts: GenomeFacts, chosen: HeldOut) -> None:
    from cluster.presets import experiment_text

    terminal = context.terminal
    if chosen.genes:
        held = {"train": "the rest"} | {
            split: ", ".join(map(str, getattr(chosen, split))) for split in ("validation", "test")
        }
        total = sum(chosen.genes.values())
        rows = [(split, held[split], genes, f"{genes / total:.1%}") for split, genes in chosen.genes.items()]
        terminal.table("Split", ("split", "sequences", "genes", "share"), rows)
    else:
        terminal.say(f"split: whole sequences are drawn, as there are {len(facts.lengths):,} with genes")
    if context.arguments.preset == "structure":
        epochs = experiment_text.epochs(chosen.train_bases)
        minutes = epochs * chosen.train_bases / 1e6 * _SECONDS_PER_MEGABASE / 60
        terminal.say(
            f"training: {epochs} epochs of {chosen.train_bases / 1e6:,.1f} Mb, about {max(minutes, 1):,.0f} minutes "
            "on one quiet core"
        )


def _show_commands(context: Context, path: Path) -> None:
    arguments, say = context.arguments, context.terminal.say
    folder = Path(arguments.folder)
    experiment, data, run, genes = (
        shlex.quote(str(path)) for path in (path, folder / "data", folder / "run", folder / "genes.gff3")
    )
    fasta = shlex.quote(arguments.genome_fasta)
    say("next:")
    say(f"  raygene build {experiment} --output {data}")
    say(f"  raygene train {experiment} --dataset {data} --output {run}")
    verb = "annotate" if arguments.preset == "structure" else "scan"
    say(f"  raygene {verb} {run}/bundle --fasta {fasta} --output {genes}")
