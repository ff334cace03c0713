"""`raygene train`: trains a model on a token dataset."""

from __future__ import annotations

from pathlib import Path

from cluster.context import Context
from cluster.flags import Parser
from cluster.output_paths import PathRole

SUMMARY = "train a model on a dataset, with one or several workers"
SECTIONS = ("model", "training", "cluster")
DESCRIPTION = """\
Trains a gene recogniser with Ray Train and saves the epoch with the best validation AUROC as a bundle: weights,
vocabulary and tokenizer in one directory. The result does not depend on the number of workers. The same command resumes
a killed run, and does nothing when the run is finished."""
EXAMPLE = "raygene train examples/yeast/experiment.yaml --dataset yeast --output run --training.workers 2"


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "experiment", type=PathRole.READ, metavar="EXPERIMENT.yaml", help="the experiment; its paths are relative to it"
    )
    parser.add_argument(
        "--dataset", type=PathRole.READ, required=True, metavar="DATASET", help="a dataset made by raygene build"
    )
    parser.add_argument(
        "--output",
        type=PathRole.WRITTEN_FOLDER,
        required=True,
        metavar="RUN",
        help="directory of the run; the model is RUN/bundle",
    )


def run(context: Context) -> None:
    """Train, and show where the bundle is."""
    from training.distributed.train import train

    experiment = context.experiment()
    dataset, output = Path(context.arguments.dataset).absolute(), Path(context.arguments.output).absolute()
    with context.connector(experiment.cluster)():
        train(experiment.model, experiment.training, dataset, output, context.terminal, experiment.resolved())
    context.terminal.say(f"bundle: {Path(context.arguments.output) / 'bundle'}")
