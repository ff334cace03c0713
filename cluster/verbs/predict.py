"""`raygene predict`: the probability of being a gene for given intervals."""

from __future__ import annotations

from pathlib import Path

from cluster.context import Context
from cluster.flags import Parser
from pipelines.errors import UsageError

SUMMARY = "intervals of a genome to probabilities (BED and TSV)"
SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Scores intervals of any genome with a trained bundle, each on its own strand, and writes two files with the stem of
--output: BED6, whose score is 1000 times the probability, and TSV with the probability itself and the call at the
bundle's threshold. Rows are sorted by sequence and start."""
EXAMPLE = "raygene predict run/bundle --fasta genome.fa.gz --intervals candidates.bed --output scored.tsv"


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help="a model made by raygene train, or its address (s3://…)")
    parser.add_argument("--fasta", required=True, metavar="FASTA", help="the genome: plain, gzip or bgzip")
    parser.add_argument(
        "--intervals", required=True, metavar="BED|GFF3", help="what to score; GFF3 if it ends in .gff or .gff3 (.gz)"
    )
    parser.add_argument("--output", required=True, metavar="FILE", help="FILE.bed or FILE.tsv; both are written")
    parser.add_argument(
        "--feature-types", nargs="+", default=["gene"], metavar="TYPE", help="GFF3 types to score (default gene)"
    )
    parser.add_argument(
        "--token-budget", type=int, default=65_536, metavar="N", help="most padded tokens in a batch (default 65536)"
    )


def run(context: Context) -> None:
    """Score, write both files, and tell how many were called."""
    from training import load
    from training.predict import outputs, predict, write

    arguments = context.arguments
    output = Path(arguments.output)
    given = {Path(arguments.fasta).resolve(), Path(arguments.intervals).resolve()}
    if taken := given & {path.resolve() for path in outputs(output)}:
        raise UsageError(f"--output {output}: would overwrite the input {taken.pop()}", "choose another name")
    bundle = load(arguments.bundle)
    prediction = predict(
        bundle,
        Path(arguments.fasta),
        Path(arguments.intervals),
        arguments.feature_types,
        arguments.token_budget,
        context.terminal,
    )
    for reason, count in prediction.skipped.items():
        context.terminal.warn(f"{count:,} intervals not scored: {reason.replace('_', ' ')}")
    bed_path, tsv_path = write(prediction, output)
    context.terminal.say(
        f"{len(prediction.features):,} intervals scored, {prediction.called:,} called gene "
        f"(probability at least {prediction.threshold:.3f})"
    )
    context.terminal.say(f"written: {bed_path} and {tsv_path}")
