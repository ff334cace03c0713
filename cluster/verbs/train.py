"""`raygene train`: trains a model on a token dataset."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import connection, in_process
from cluster.context import Context
from cluster.experiment import load
from cluster.options.flags import add_dataset_flag, add_experiment_argument, add_start_flag
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole, Written, is_same_file
from pipelines.display import counted
from pipelines.documents import yaml_writer
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from training.distributed.train import Run

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
    add_start_flag(parser)
    parser.add_argument(
        "--output",
        type=PathRole.WRITTEN_FOLDER,
        metavar="RUN",
        help="directory of the run; the model is RUN/bundle (with --dry-run: of the run that would be resumed)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="read and check dataset, model and bundle to start from, show steps and memory, and write nothing",
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
    """Train, and show where the bundle is; or show what training would do."""
    from pipelines.dataset import location
    from training.distributed.train import train

    experiment, arguments = context.experiment(), context.arguments
    if arguments.dry_run:
        show_plan(context)
        return
    if arguments.output is None:
        raise UsageError("raygene train: the following arguments are required: --output", "see raygene train --help")
    dataset, output = location.of_argument(arguments.dataset), Path(arguments.output).absolute()
    alone = in_process.suffices_to_train(experiment.cluster, experiment.training)
    with nullcontext() if alone else context.connector(experiment.cluster)():
        train(
            experiment.model,
            experiment.training,
            dataset,
            output,
            context.terminal,
            experiment.resolved(),
            write_resolved=_is_replaced(context),
            cpus=(experiment.cluster.cpus or connection.usable_cpus()) if alone else None,
        )
    context.terminal.say(f"bundle: {Path(arguments.output) / 'bundle'}")


def show_plan(context: Context) -> None:
    """Check all that training reads, and show its data, its steps, what it starts from, and its memory.

    Raises:
        RaygeneError: as `training.distributed.train.train`, but for what only the cluster can tell.
    """
    from cluster.verbs import memory
    from pipelines.dataset import location
    from training.distributed.train import prepare, reconciled
    from training.memory.analysis import analyse

    experiment, terminal, output = context.experiment(), context.terminal, context.arguments.output
    dataset = location.of_argument(context.arguments.dataset)
    run = prepare(experiment.model, experiment.training, dataset, Path(output or "run").absolute())
    reconciled(run, experiment.resolved(), terminal)
    rows = [(split.split, f"{len(split):,}", f"{len(split.tokens):,}") for split in (run.train, run.validation)]
    terminal.table("What training reads", ("split", "rows", "tokens"), rows)
    epochs, size = run.training.epochs, run.training.global_batch_size
    terminal.say(
        f"{counted(epochs * run.steps, 'step')}: {counted(epochs, 'epoch')} of {run.steps:,}, each of at most "
        f"{counted(size, 'row')}"
    )
    if output:
        terminal.say(f"{output}: {_progress(run)}")
    if warning := run.start_warning:
        terminal.warn(warning)
    with terminal.stage("planning memory"):
        analysis = analyse(experiment.model, experiment.training, dataset)
    memory.show(context, analysis)


def _progress(run: Run) -> str:
    """What the command would find in the run's directory, and do with it.

    Raises:
        StorageError: the directory cannot be made.
        TrainingError: the latest checkpoint is damaged.
        UsageError: the run would overwrite what it reads, or was started from another bundle.
    """
    from pipelines import storage
    from training.bundle import start
    from training.observability import start_record
    from training.observability.embeddings import refuse_own

    refuse_own(run.model.embedding_file, run.output)
    start_record.refuse_own(run.training.start_from, run.output)
    storage.require_creatable(run.output)
    start_record.require_same(run.output, run.key_without_start, start.digest(run.training))
    if run.finished():
        return "trained already, so that there is nothing to do"
    if latest := run.checkpoints.latest():
        stored = latest.load()
        step = f", step {stored['step']:,} of {run.steps:,}" if stored["step"] else ""
        return f"would be resumed after epoch {stored['epoch'] + bool(stored['step']):,}{step}"
    if (run.output / "bundle").exists():
        return "has the bundle of another run, which would be replaced"
    return "no run yet"
