"""`raygene demo`: every step, from genome to predictions and gene models, on the example genome."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

from cluster.context import Context
from cluster.experiment import Experiment, load
from cluster.options.parser import Parser
from cluster.paths import output_paths
from cluster.paths.output_paths import FlaggedPath, PathRole, Written
from cluster.verbs import annotate, build, evaluate, init, inspect, predict, train
from pipelines.errors import InputError

SECTIONS = ("cluster",)
DESCRIPTION = """\
Takes six chromosomes of baker's yeast, which come with raygene, through init, build, inspect, train, predict and
evaluate, prints the metrics on the test split, and annotates them with the model `yeast`. Everything is written to
--output: the experiment, the dataset, the run with its bundle and metrics, three HTML pages, the scored genes as BED
and TSV, and the gene models as GFF3. A second run reuses finished work, and takes the experiment as it is by then. With
--example the experiment and the files of another directory are taken, and nothing is annotated."""
EXAMPLE = "raygene demo --output demo"
_GENOME, _ANNOTATION = "genome.fa.gz", "annotation.gff3.gz"
_UNSEEN = "VIII"
"""Of the example's chromosomes the one that the included model `yeast` was not trained on."""


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "--output",
        type=PathRole.WRITTEN_FOLDER,
        default="demo",
        metavar="DIR",
        help="directory for all results (default demo)",
    )
    parser.add_argument(
        "--example",
        type=PathRole.SEARCHED,
        metavar="DIR",
        help="directory with an experiment.yaml of another genome to take (default: baker's yeast)",
    )


def included_example() -> Path:
    """The directory of the genome that comes with raygene: in the checkout, or in an installed package."""
    cluster = Path(__file__).parents[1]
    folders = (cluster / "examples" / "yeast", cluster.parent / "examples" / "yeast")
    return next((folder for folder in folders if (folder / _GENOME).exists()), folders[-1])


def read(context: Context) -> list[FlaggedPath]:
    """The experiment, as far as there is one yet, and what it reads."""
    path = _experiment_file(context)
    if not path.exists():
        return []
    paths = output_paths.read_by(load(path, context.overrides))
    return [("--example", path), *paths] if context.arguments.example else paths


def written(context: Context) -> list[Written]:
    """The results of every verb."""
    output = Path(context.arguments.output)
    names = ("dataset.html", "genes.tsv", "genes.bed", "figures.json", "report-test.html", "mistakes-test.bed")
    files = [Written("--output", output / name) for name in names]
    if not context.arguments.example:
        own = ("experiment.yaml", "genes.gff3", "genes.html", "proteins.fa")
        files += [Written("--output", output / name) for name in own]
        files += annotate.written(_context_of(context, annotate, _annotation(output)))
    return [
        *files,
        Written("--output", output / "dataset", PathRole.WRITTEN_DATASET),
        Written("--output", output / "run" / "bundle", PathRole.WRITTEN_BUNDLE),
    ]


def run(context: Context) -> None:
    """Run every verb in turn.

    Raises:
        InputError: there is no example.
    """
    path, output = _experiment_file(context), Path(context.arguments.output)
    if context.arguments.example:
        if not path.exists():
            raise InputError(f"{path}: no such experiment", "name a directory with an experiment.yaml")
    elif not path.exists():
        genome = ["--fasta", str(included_example() / _GENOME), "--annotation", str(included_example() / _ANNOTATION)]
        _run_verb(context, init, [str(output), "--preset", "recognise", "--genome", "R64", *genome])
    experiment = load(path, context.overrides)
    for verb, arguments in _steps(experiment, path, output):
        _run_verb(context, verb, arguments)
    if not context.arguments.example:
        _run_verb(context, annotate, _annotation(output))


def _steps(experiment: Experiment, path: Path, output: Path) -> list[tuple[ModuleType, list[str]]]:
    """The verbs of recognition, with their command lines."""
    source = experiment.dataset(str(path)).sources[0]
    dataset, bundle = str(output / "dataset"), str(output / "run" / "bundle")
    genes = ["--fasta", str(source.fasta), "--intervals", str(source.annotation)]
    gene_types = ["--feature-types", *source.feature_types]
    figures = ["--json", str(output / "figures.json"), "--report", str(output / "report-test.html")]
    return [
        (build, [str(path), "--output", dataset]),
        (inspect, [dataset, "--report", str(output / "dataset.html")]),
        (train, [str(path), "--dataset", dataset, "--output", str(output / "run")]),
        (predict, [bundle, *genes, *gene_types, "--output", str(output / "genes.tsv")]),
        (evaluate, [bundle, "--dataset", dataset, "--split", "test", *figures]),
    ]


def _annotation(output: Path) -> list[str]:
    """The command line of `annotate`, which compares where the model has not been trained."""
    genome, annotation = (str(included_example() / name) for name in (_GENOME, _ANNOTATION))
    outputs = ["--output", str(output / "genes.gff3"), "--proteins", str(output / "proteins.fa")]
    outputs += ["--html", str(output / "genes.html")]
    return ["yeast", "--fasta", genome, *outputs, "--annotation", annotation, "--eval-chromosomes", _UNSEEN]


def _run_verb(context: Context, verb: ModuleType, arguments: list[str]) -> None:
    context.terminal.heading(f"raygene {verb.__name__.rsplit('.', 1)[1]}")
    verb.run(_context_of(context, verb, arguments))


def _context_of(context: Context, verb: ModuleType, arguments: list[str]) -> Context:
    overrides = context.overrides if verb in (build, train, annotate) else {}
    return Context(_parsed(verb, arguments, context.arguments), overrides, context.terminal, command=context.command)


def _experiment_file(context: Context) -> Path:
    arguments = context.arguments
    return Path(arguments.example or arguments.output) / "experiment.yaml"


def _parsed(verb: ModuleType, arguments: list[str], common: argparse.Namespace) -> argparse.Namespace:
    """A verb's parsed arguments, defaults included.

    Args:
        verb: its module.
        arguments: its command line.
        common: of the demo, for the flags that every verb has.
    """
    parser = Parser()
    verb.add_arguments(parser)
    parsed = argparse.Namespace(verbose=common.verbose, debug=common.debug)
    return parser.parse_args(arguments, parsed)
