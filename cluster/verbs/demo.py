"""`raygene demo`: the whole chain on the example genome."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

from cluster.connection import connect
from cluster.context import Context
from cluster.experiment import load
from cluster.flags import Parser
from cluster.verbs import build, evaluate, inspect, predict, train
from pipelines.errors import InputError

SUMMARY = "the whole chain on a real small genome, in a few minutes"
SECTIONS = ("cluster",)
DESCRIPTION = """\
Takes six chromosomes of baker's yeast through build, inspect, train, evaluate and predict, and prints the table of the
test split. Everything is left in --output: the dataset, the run with its bundle and metrics, two HTML pages, and the
scored genes as BED and TSV. A second run finds its work done."""
EXAMPLE = "raygene demo --output demo"


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument("--output", default="demo", metavar="DIR", help="where everything goes (default demo)")
    parser.add_argument(
        "--example",
        default=str(Path(__file__).parents[2] / "examples" / "yeast"),
        metavar="DIR",
        help="folder with experiment.yaml (default examples/yeast of the checkout)",
    )


def run(context: Context) -> None:
    """Run every verb in turn within one Ray."""
    folder, output = Path(context.arguments.example), Path(context.arguments.output)
    path = folder / "experiment.yaml"
    if not path.exists():
        raise InputError(f"{path}: no example there", "run it from a checkout, or name the folder with --example")
    experiment = load(path, context.overrides)
    source = experiment.dataset(str(path)).sources[0]
    dataset, bundle = str(output / "dataset"), str(output / "run" / "bundle")
    test, genes, pages = ["--split", "test"], str(output / "genes.tsv"), ("dataset.html", "report-test.html")
    held_out = [
        "--fasta",
        str(source.fasta),
        "--intervals",
        str(source.annotation),
        "--feature-types",
        *source.feature_types,
    ]
    figures = ["--json", str(output / "figures.json")]
    steps: list[tuple[ModuleType, list[str]]] = [
        (build, [str(path), "--output", dataset]),
        (inspect, [dataset, "--report", str(output / pages[0])]),
        (train, [str(path), "--dataset", dataset, "--output", str(output / "run")]),
        (predict, [bundle, *held_out, "--output", genes]),
        (evaluate, [bundle, "--dataset", dataset, *test, *figures, "--report", str(output / pages[1])]),
    ]
    with connect(experiment.cluster, context.terminal, verbose=context.arguments.verbose):
        for verb, given in steps:
            context.terminal.heading(f"raygene {verb.__name__.rsplit('.', 1)[1]}")
            overrides = context.overrides if verb in (build, train) else {}
            verb.run(Context(_parsed(verb, given, context.arguments), overrides, context.terminal))


def _parsed(verb: ModuleType, given: list[str], common: argparse.Namespace) -> argparse.Namespace:
    """A verb's arguments as its own command line would have them, defaults included."""
    parser = Parser()
    verb.add_arguments(parser)
    parsed = argparse.Namespace(verbose=common.verbose, debug=common.debug)
    return parser.parse_args(given, parsed)
