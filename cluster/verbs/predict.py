"""`raygene predict`: the probability of being a gene, or of each class, for given intervals or sequences."""

from __future__ import annotations

from pathlib import Path

from cluster import in_process
from cluster.context import Context
from cluster.options.parser import Parser
from cluster.options.scoring_flags import add_scoring_options, device_errors_name_the_flag
from cluster.paths.output_paths import PathRole, Written
from pipelines.display import counted
from pipelines.errors import UsageError

SECTIONS = ("cluster",)
DESCRIPTION = """\
Scores with a trained model either intervals of a genome, each on its own strand (--fasta with --intervals), or every
sequence of a FASTA file as it is written (--sequences). Writes BED6, whose score is 1000 times the probability, and TSV
with the probability itself and the call at the model's threshold. A model of classes (task classify) writes the most
probable class, its probability and that of every other class. To find genes in a whole genome, use raygene scan."""
EXAMPLE = """\
raygene predict run/bundle --fasta genome.fa.gz --intervals candidates.bed --output scored.tsv
  raygene predict run/bundle --sequences transcripts.fa --output scored.tsv"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument(
        "bundle",
        type=PathRole.MODEL,
        metavar="BUNDLE",
        help="a model made by raygene train, its address (s3://…), or the name of one of raygene models",
    )
    parser.add_argument(
        "--fasta", type=PathRole.READ_FILE, metavar="FASTA", help="the genome of --intervals: plain or compressed"
    )
    scored = parser.add_mutually_exclusive_group(required=True)
    scored.add_argument(
        "--intervals",
        type=PathRole.READ_FILE,
        metavar="FILE",
        help="BED, GFF3 or GTF: intervals of the genome to score",
    )
    scored.add_argument(
        "--sequences", type=PathRole.READ_FILE, metavar="FASTA", help="sequences to score, each as it is written"
    )
    parser.add_argument(
        "--output",
        type=PathRole.WRITTEN_FILE,
        required=True,
        metavar="FILE",
        help="FILE.bed or FILE.tsv; both are written, whichever is named",
    )
    parser.add_argument(
        "--feature-types", nargs="+", metavar="TYPE", help="GFF3 or GTF types of --intervals to score (default gene)"
    )
    add_scoring_options(parser, "none; this process scores alone")


def written(context: Context) -> list[Written]:
    """The file next to that of --output."""
    from training.inference.predict import prediction_files

    path = Path(context.arguments.output)
    return [Written("--output", other) for other in prediction_files(path) if other != path]


def run(context: Context) -> None:
    """Score, and write BED and TSV."""
    import numpy as np
    import torch

    from training import load
    from training.distributed.nodes import actor_pool
    from training.hardware import devices
    from training.inference.predict import predict, read_intervals, read_sequences, score_on, write, write_classes
    from training.inference.scorer import ModelScorer
    from training.tasks import RECOGNISE

    _require_valid(context)
    arguments, terminal = context.arguments, context.terminal
    bundle = load(arguments.bundle)
    classes = bundle.task.classes
    if not classes:
        bundle.require_task(RECOGNISE, arguments.bundle)
    intervals = (
        read_sequences(Path(arguments.sequences), terminal)
        if arguments.sequences
        else read_intervals(
            Path(arguments.fasta), Path(arguments.intervals), arguments.feature_types or ["gene"], terminal
        )
    )
    scorer = ModelScorer(bundle.model, bundle.tokenizer, arguments.token_budget)
    threshold = None if classes else float(bundle.config["threshold"])
    config = context.cluster()
    if arguments.workers and not in_process.suffices_to_score(config, arguments.workers, arguments.device):
        with context.connector(config)(), device_errors_name_the_flag():
            spread = score_on(actor_pool.on_cluster(arguments.workers, arguments.device))
            prediction = predict(intervals, scorer, threshold, terminal, spread)
    else:
        with device_errors_name_the_flag():
            scorer = scorer.to(torch.device(devices.require(arguments.device)))
        prediction = predict(intervals, scorer, threshold, terminal)
    for reason, count in prediction.skipped.items():
        terminal.warn(f"{count:,} not scored: {reason.replace('_', ' ')}")
    output = Path(arguments.output)
    bed_path, tsv_path = write_classes(prediction, classes, output) if classes else write(prediction, output)
    scored = "sequence" if arguments.sequences else "interval"
    if classes:
        called = np.bincount(prediction.probabilities.argmax(1), minlength=len(classes)).tolist()
        terminal.table("Most probable class", ("class", f"{scored}s"), list(zip(classes, called, strict=True)))
    else:
        terminal.say(
            f"{counted(len(prediction.features), scored)} scored, {prediction.called:,} called gene "
            f"(probability at least {threshold:.3f})"
        )
    terminal.say(f"written: {bed_path} and {tsv_path}")


def _require_valid(context: Context) -> None:
    """Refuse options that would be ignored."""
    arguments = context.arguments
    context.cluster()
    if arguments.sequences and arguments.fasta:
        raise UsageError("--fasta: not used with --sequences, which names the FASTA file", "leave it out")
    if arguments.intervals and not arguments.fasta:
        raise UsageError("--fasta: missing", "name the genome of --intervals")
    if not arguments.workers and context.overrides:
        flag = ".".join(map(str, next(iter(context.overrides))))
        raise UsageError(f"--{flag}: has an effect with --workers only", "leave it out, or add --workers")
    if arguments.feature_types and not arguments.intervals:
        raise UsageError("--feature-types: has an effect with --intervals only", "leave it out")
