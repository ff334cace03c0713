"""`raygene train`: trains a model on a token dataset."""

from __future__ import annotations

from pathlib import Path

from cluster.context import Context
from cluster.experiment import load
from cluster.flags import Parser, add_dataset_flag, add_experiment_argument
from cluster.output_paths import PathRole, Written, is_same_file
from pipelines.documents import yaml_writer
from pipelines.errors import UsageError

SUMMARY = "train a model on a dataset, with one or several workers"
SECTIONS = ("model", "training", "cluster")
DESCRIPTION = """\
Trains a model with Ray Train and saves the best epoch (by validation AUROC, or by exon F1 for gene structure) as a
bundle: weights, vocabulary and tokenizer in one directory. The result does not depend on the number of workers. The
same command resumes a killed run, and does nothing when the run is finished. With --from training starts from the
weights of another model, such as that of a related species."""
EXAMPLE = "raygene train examples/yeast/experiment.yaml --dataset yeast --output run --training.workers 2"


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    add_experiment_argument(parser)
    add_dataset_flag(parser)
    parser.add_argument(
        "--from",
        dest="start_from",
        type=PathRole.MODEL,
        metavar="BUNDLE",
        help="the bundle, as a path, an address or a name of raygene models, whose weights training starts from "
        "(training.start_from)",
    )
    parser.add_argument(
        "--output",
        type=PathRole.WRITTEN_FOLDER,
        required=True,
        metavar="RUN",
        help="directory of the run; the model is RUN/bundle",
    )


def written(context: Context) -> list[Written]:
    """The files of a run; of its configuration `_is_replaced` decides.

    Raises:
        UsageError: the experiment would be overwritten by other values.
    """
    from training.distributed.run_progress import LOG
    from training.observability import start_record
    from training.observability.runlog import METRICS, STEPS

    output = Path(context.arguments.output)
    _is_replaced(context)
    files = [Written("--output", output / name) for name in (METRICS, STEPS, LOG, start_record.FILE)]
    return [*files, Written("--output", output / "bundle", PathRole.WRITTEN_BUNDLE)]


def _is_replaced(context: Context) -> bool:
    """Whether RUN/experiment.yaml is written; not if that is the experiment itself, and says the same already.

    Raises:
        UsageError: it is the experiment itself, written by hand, and flags give other values.
    """
    given, path = Path(context.arguments.experiment), Path(context.arguments.output) / "experiment.yaml"
    if not is_same_file(given, path):
        return True
    values = load(given, {}).resolved()
    if values == context.experiment().resolved():
        return False
    if given.read_text(encoding="utf-8") != yaml_writer.dump(values):
        raise UsageError(
            f"--output {context.arguments.output}: would overwrite {path}, the experiment itself, with the values of "
            "the flags",
            "choose another directory, or write these values into the experiment",
        )
    return True


def run(context: Context) -> None:
    """Train, and show where the bundle is."""
    from training.distributed.train import train

    experiment = context.experiment()
    dataset, output = Path(context.arguments.dataset).absolute(), Path(context.arguments.output).absolute()
    with context.connector(experiment.cluster)():
        train(
            experiment.model,
            experiment.training,
            dataset,
            output,
            context.terminal,
            experiment.resolved(),
            write_resolved=_is_replaced(context),
        )
    context.terminal.say(f"bundle: {Path(context.arguments.output) / 'bundle'}")
