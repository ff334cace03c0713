"""`raygene demo`: every step, from genome to predictions, on the example genome."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

from cluster import output_paths
from cluster.connection import connect
from cluster.context import Context
from cluster.experiment import load
from cluster.flags import Parser
from cluster.output_paths import FlaggedPath, PathRole, Written
from cluster.verbs import build, evaluate, inspect, predict, train
from pipelines.errors import InputError

SUMMARY = "run every step on a small real genome, in a few minutes"
SECTIONS = ("cluster",)
DESCRIPTION = """\
Takes six chromosomes of baker's yeast through build, inspect, train, predict and evaluate, and prints the metrics on
the test split. Everything is written to --output: the dataset, the run with its bundle and metrics, two HTML pages, and
the scored genes as BED and TSV. A second run reuses finished work."""
EXAMPLE = "raygene demo --output demo"


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
        default=str(Path(__file__).parents[2] / "examples" / "yeast"),
        metavar="DIR",
        help="directory with experiment.yaml (default examples/yeast of the checkout)",
    )


def read(context: Context) -> list[FlaggedPath]:
    """The example's experiment, and what it reads."""
    path = _experiment_file(context)
    if not path.exists():
        return []
    return [("--example", path), *output_paths.read_by(load(path, context.overrides))]


def written(context: Context) -> list[Written]:
    """The results of every verb."""
    output = Path(context.arguments.output)
    names = ("dataset.html", "genes.tsv", "genes.bed", "figures.json", "report-test.html", "mistakes-test.bed")
    files = [Written("--output", output / name) for name in names]
    return [
        *files,
        Written("--output", output / "dataset", PathRole.WRITTEN_DATASET),
        Written("--output", output / "run" / "bundle", PathRole.WRITTEN_BUNDLE),
    ]


def run(context: Context) -> None:
    """Run every verb in turn, with one local Ray."""
    output = Path(context.arguments.output)
    path = _experiment_file(context)
    if not path.exists():
        raise InputError(f"{path}: no example there", "run it from a checkout, or name the directory with --example")
    experiment = load(path, context.overrides)
    source = experiment.dataset(str(path)).sources[0]
    dataset, bundle = str(output / "dataset"), str(output / "run" / "bundle")
    genes = ["--fasta", str(source.fasta), "--intervals", str(source.annotation)]
    gene_types = ["--feature-types", *source.feature_types]
    figures = ["--json", str(output / "figures.json"), "--report", str(output / "report-test.html")]
    steps: list[tuple[ModuleType, list[str]]] = [
        (build, [str(path), "--output", dataset]),
        (inspect, [dataset, "--report", str(output / "dataset.html")]),
        (train, [str(path), "--dataset", dataset, "--output", str(output / "run")]),
        (predict, [bundle, *genes, *gene_types, "--output", str(output / "genes.tsv")]),
        (evaluate, [bundle, "--dataset", dataset, "--split", "test", *figures]),
    ]
    with connect(experiment.cluster, context.terminal, verbose=context.arguments.verbose):
        for verb, arguments in steps:
            context.terminal.heading(f"raygene {verb.__name__.rsplit('.', 1)[1]}")
            overrides = context.overrides if verb in (build, train) else {}
            verb.run(Context(_parsed(verb, arguments, context.arguments), overrides, context.terminal))


def _experiment_file(context: Context) -> Path:
    return Path(context.arguments.example) / "experiment.yaml"


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
