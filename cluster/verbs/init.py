"""`raygene init`: an experiment to begin with, for the files of a user."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from cluster.context import Context
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole, Written
from pipelines import remote, storage
from pipelines.address import has_credentials
from pipelines.config import SourceConfig, validate
from pipelines.display import agreeing, counted
from pipelines.errors import InputError, UsageError

if TYPE_CHECKING:
    from cluster.presets.experiment_text import GenomeEntry
    from cluster.presets.held_out import HeldOut
    from cluster.presets.sequence_facts import SequenceFacts
    from pipelines.genome.labelled import Collection

SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Reads genomes with their annotations, or labelled sequences, and writes DIR/experiment.yaml for them, with comments:
what is held out for validation and test by the genes of each sequence, organelles left out, and window, k, stride and
model of the examples whose figures are in the documentation. Prints the commands that follow. For several genomes,
give --fasta and --annotation (and --genome) once for each, in the same order. Overwrites nothing; trains nothing."""
EXAMPLE = "raygene init mine --preset structure --fasta genome.fa.gz --annotation genes.gff3.gz"
_EXPERIMENT = "experiment.yaml"
_SPLITS = ("train", "validation", "test")


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "folder", type=PathRole.WRITTEN_FOLDER, metavar="DIR", help="directory of the experiment; made if missing"
    )
    parser.add_argument(
        "--preset",
        choices=("structure", "scan", "recognise", "promoters", "classes", "search"),
        help="structure (default) = exons, introns, proteins (raygene annotate); scan = gene regions (raygene scan); "
        "recognise = genes against other intervals (raygene predict); promoters (default for --train) = labelled "
        "sequences of two labels; classes = of several; search = recognise or promoters, with a search for a better "
        "configuration (raygene tune)",
    )
    parser.add_argument(
        "--fasta",
        dest="genome_fasta",
        action="append",
        type=PathRole.READ_FILE,
        metavar="FASTA",
        help="genome, plain or compressed; once for each genome",
    )
    parser.add_argument(
        "--annotation",
        dest="genome_annotation",
        action="append",
        type=PathRole.READ_FILE,
        metavar="GFF3",
        help="its genes: GFF3 or GTF, but for structure also BED; plain or compressed; once for each genome",
    )
    parser.add_argument(
        "--genome",
        action="append",
        metavar="NAME",
        help="short name of the genome (default: from the FASTA's name), or of the labelled sequences",
    )
    for split in _SPLITS:
        parser.add_argument(
            f"--{split}",
            dest=f"sequences_{split}",
            type=PathRole.READ_FILE,
            metavar="CSV",
            help=f"labelled sequences of {split}: CSV or TSV with the columns sequence and label",
        )


def written(context: Context) -> list[Written]:
    """The file that is added to DIR."""
    return [Written("DIR", Path(context.arguments.folder) / _EXPERIMENT)]


def run(context: Context) -> None:
    """Read the files, write the experiment, and show its split and the commands that follow.

    Raises:
        UsageError: an experiment is there already, or the flags do not fit together.
        InputError: a file cannot be used.
    """
    arguments = context.arguments
    folder = Path(arguments.folder)
    path = folder / _EXPERIMENT
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path}: exists already", "choose another DIR, or remove it")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is no directory", "choose another DIR")
    is_of_sequences = any(getattr(arguments, f"sequences_{split}") for split in _SPLITS)
    preset = arguments.preset or ("promoters" if is_of_sequences else "structure")
    text = _of_sequences(context, preset) if is_of_sequences else _of_genomes(context, preset)
    storage.make_directory(folder)
    storage.write_text(path, text)
    context.terminal.say(f"experiment: {path}")
    _show_commands(context, preset, path)


def _of_sequences(context: Context, preset: str) -> str:
    import numpy as np

    from cluster.presets import experiment_text
    from pipelines.genome.labelled import read_collection
    from pipelines.labels.labels_file import INVALID_LABEL

    arguments, folder = context.arguments, Path(context.arguments.folder)
    if arguments.genome_fasta or arguments.genome_annotation:
        raise UsageError("--train goes with labelled sequences, and --fasta with a genome", "give one of the two")
    if preset not in experiment_text.OF_SEQUENCES:
        raise UsageError(f"--preset {preset}: needs a genome", "give --fasta and --annotation in place of --train")
    given = {split: _existing(text) for split in _SPLITS if (text := getattr(arguments, f"sequences_{split}"))}
    if missing := [split for split in ("train", "validation") if split not in given]:
        raise UsageError(
            f"--{missing[0]}: missing",
            "give train and validation; one file that is to be split goes under sources as sequences",
        )
    names = arguments.genome or [experiment_text.collection_name(_path_of(given["train"]))]
    if len(names) > 1:
        raise UsageError("--genome: given more than once for one set of labelled sequences", "give it once")
    source = validate(SourceConfig, {"genome": names[0], **given}, "--genome")
    of_classes = preset == "classes"
    with context.terminal.stage("reading the sequences"):
        try:
            collection = read_collection(source, context.terminal.note, of_classes=of_classes)
        except InputError as error:
            if error.key == "sources.labels":
                # Such a file has no flag here.
                fix = "give CSV or TSV with the columns sequence and label, or write an experiment with sources.labels"
                raise InputError(error.problem, fix, code=error.code, key=error.key) from error
            if of_classes or error.code != INVALID_LABEL:
                raise
            fix = "use 1 (gene) or 0 (negative); for several classes give --preset classes"
            raise InputError(error.problem, fix, code=error.code) from error
        facts = _facts(collection)
    classes = _show_labels(collection, list(given), context) if of_classes else ()
    rows = collection.rows()
    labels, splits = rows["label"].to_numpy(), np.array(rows["split"].to_pylist(), dtype=object)
    if not of_classes:
        shown = [(split, int((splits == split).sum()), int(labels[splits == split].sum())) for split in given]
        context.terminal.table("Split", ("split", "sequences", "of label 1"), shown)
    paths = {split: experiment_text.path_from(folder, path) for split, path in given.items()}
    entry = experiment_text.SequencesEntry(names[0], paths, int((splits == "train").sum()), facts, classes)
    return experiment_text.of_sequences(preset, entry)


def _show_labels(collection: Collection, splits: list[str], context: Context) -> tuple[str, ...]:
    """Show how many sequences of each class a split has; return the classes in the order of the model's outputs."""
    import numpy as np

    from pipelines.labels.classes import resolved

    rows = collection.rows()
    names = resolved(collection.classes, None)
    labels, of_row = rows["label"].to_numpy(), np.array(rows["split"].to_pylist(), dtype=object)
    counts = [np.bincount(labels[of_row == split], minlength=len(names)) for split in splits]
    places = [collection.classes.index(name) for name in names]
    shown = [(name, *(int(of_split[place]) for of_split in counts)) for name, place in zip(names, places, strict=True)]
    context.terminal.table("Sequences by class", ("class", *splits), shown)
    return tuple(names)


def _facts(collection: Collection) -> SequenceFacts | None:
    import pyarrow.compute as pc

    from cluster.presets import sequence_facts

    rows = collection.rows()
    of_split = {}
    for split in ("train", "validation"):
        own = rows.filter(pc.equal(rows["split"], split))
        ends = own["end"].to_numpy()
        letters = collection.sequence(own["chromosome"][0].as_py(), 0, int(ends[-1]))
        of_split[split] = sequence_facts.Rows(letters, ends - own["start"].to_numpy(), own["label"].to_numpy())
    return sequence_facts.facts(of_split["train"], of_split["validation"], max(len(collection.classes), 2))


def _of_genomes(context: Context, preset: str) -> str:
    from cluster.presets import experiment_text

    terminal = context.terminal
    if preset not in experiment_text.OF_GENOMES:
        raise UsageError(f"--preset {preset}: needs labelled sequences", "give --train and --validation")
    genomes = []
    sources = _sources(context)
    with terminal.stage("reading the genomes", len(sources)) as stage:
        for source in sources:
            stage.describe(source.genome)
            genomes.append(_entry(context, source, preset))
            stage.advance()
    for one in genomes:
        if one.facts.organelles:
            listed = ", ".join(f"{name} ({counted(genes, 'gene')})" for name, genes in one.facts.organelles.items())
            terminal.note(f"{one.name}: organelles are left out: {listed}")
    chosen = _held_out(context, genomes)
    _show_split(context, preset, genomes, chosen)
    return experiment_text.of_genomes(preset, genomes, chosen)


def _held_out(context: Context, genomes: list[GenomeEntry]) -> HeldOut:
    from cluster.presets import held_out

    terminal = context.terminal
    of_genome = {one.name: held_out.choose(one.facts.lengths, one.facts.genes) for one in genomes}
    undivided = [name for name, one in of_genome.items() if one.genes and not one.test]
    if len(undivided) == len(genomes):
        raise InputError(
            f"{', '.join(context.arguments.genome_annotation)}: too few genes for train, validation and test, or they "
            "overlap one another",
            "give an annotation with three genes or more that do not overlap, or more genomes",
        )
    chosen = held_out.together(of_genome)
    # Shares are drawn of all genomes, these too.
    for name in undivided if chosen.genes else []:
        terminal.note(f"{name}: nothing is held out: it has too few genes, or they overlap one another")
    if chosen.crossing:
        cross = agreeing(chosen.crossing, "crosses", "cross")
        terminal.note(f"{counted(chosen.crossing, 'gene')} {cross} a border of the split, and so in no part of it")
    return chosen


def _sources(context: Context) -> list[SourceConfig]:
    """The genomes of the command line, each of its own name."""
    from cluster.presets import experiment_text

    arguments = context.arguments
    fasta, annotation = arguments.genome_fasta or [], arguments.genome_annotation or []
    for flag, own in (("--fasta", fasta), ("--annotation", annotation)):
        if not own:
            raise UsageError(f"{flag}: missing", "give --fasta and --annotation, or --train and --validation")
    if len(fasta) != len(annotation):
        raise UsageError(
            f"--fasta is given {len(fasta)} and --annotation {len(annotation)} times", "give both once for each genome"
        )
    names = arguments.genome or [experiment_text.genome_name(_path_of(path)) for path in fasta]
    if len(names) != len(fasta):
        raise UsageError(f"--genome is given {len(names)} and --fasta {len(fasta)} times", "name every genome, or none")
    if repeated := [name for number, name in enumerate(names) if name in names[:number]]:
        raise UsageError(f"--genome: two genomes have the name {repeated[0]}", "give --genome once for each of them")
    return [
        validate(SourceConfig, {"genome": name, "fasta": _existing(one), "annotation": _existing(other)}, "--genome")
        for name, one, other in zip(names, fasta, annotation, strict=True)
    ]


def _entry(context: Context, source: SourceConfig, preset: str) -> GenomeEntry:
    from cluster.presets import experiment_text, genome_facts

    folder = Path(context.arguments.folder)
    facts = genome_facts.read(source, preset == "structure", context.terminal)
    fasta, annotation = (experiment_text.path_from(folder, str(path)) for path in (source.fasta, source.annotation))
    return experiment_text.GenomeEntry(source.genome, fasta, annotation, facts)


def _path_of(location: str) -> Path:
    """A path, or that which an address has on its server."""
    return remote.local_path(location) or Path(unquote(urlsplit(location).path))


def _existing(text: str) -> str:
    """The path of a file that exists, or an address: whoever reads it says whether anything is there."""
    if has_credentials(text):
        raise UsageError(
            f"{text}: has credentials in it, which the experiment would show",
            "leave them out, and give them to the driver by its environment variables",
        )
    path = remote.local_path(text)
    if path is not None and not path.exists():
        raise InputError(f"{text}: no such file", "check the path")
    return text


def _show_split(context: Context, preset: str, genomes: list[GenomeEntry], chosen: HeldOut) -> None:
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
        most = max(len(one.facts.lengths) for one in genomes)
        terminal.say(f"split: whole sequences are drawn, as there are {most:,} with genes")
    if preset == "structure":
        network = experiment_text.structure_network(genomes)
        epochs, minutes = network.epochs(chosen.train_bases), network.minutes(chosen.train_bases)
        terminal.say(f"network: {network.why}")
        terminal.say(
            f"training: {counted(epochs, 'epoch')} of {chosen.train_bases / 1e6:,.1f} Mb, about "
            f"{counted(max(round(minutes), 1), 'minute')} on one quiet core"
        )


def _show_commands(context: Context, preset: str, path: Path) -> None:
    arguments, say = context.arguments, context.terminal.say
    folder = Path(arguments.folder)
    names = ("data", "run", "genes.gff3", "genes.html", "study")
    experiment, data, run, genes, page, study = (
        shlex.quote(str(path)) for path in (path, *(folder / name for name in names))
    )
    fasta, annotation = (
        shlex.quote(paths[0]) if paths else "" for paths in (arguments.genome_fasta, arguments.genome_annotation)
    )
    say("next:")
    if preset == "search":
        say(f"  raygene tune {experiment} --output {study}")
        say(f"  raygene predict {study}/best/bundle --sequences FASTA --output TSV")
        return
    say(f"  raygene build {experiment} --output {data}")
    say(f"  raygene train {experiment} --dataset {data} --output {run}")
    if preset in ("structure", "scan"):
        verb, shown = ("annotate", f" --html {page}") if preset == "structure" else ("scan", "")
        say(f"  raygene {verb} {run}/bundle --fasta {fasta} --output {genes}{shown}")
        return
    without_test = arguments.sequences_train and not arguments.sequences_test
    say(f"  raygene evaluate {run}/bundle --dataset {data}{' --split validation' if without_test else ''}")
    if preset == "recognise":
        scored = shlex.quote(str(folder / "scored.tsv"))
        say(f"  raygene predict {run}/bundle --fasta {fasta} --intervals {annotation} --output {scored}")
