"""`raygene compare`: called genes compared with an annotation."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.context import Context
from cluster.options.flags import not_negative
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole, Written
from pipelines.errors import UsageError

SAMPLES, MIN_SAMPLES, MAX_SAMPLES = 1000, 100, 100_000
# Those that decide what is compared, for the page.
_FLAGS = ("annotation_types", "annotation_biotypes", "call_types", "feature_types", "eval_chromosomes", "region")
SECTIONS: tuple[str, ...] = ()
RARE = ("call_types", "annotation_types", "annotation_biotypes", "dataset", "split", "lists", "samples", "seed")
DESCRIPTION = """\
Compares genes called by raygene scan, AUGUSTUS, BRAKER, Prodigal or any other program with known genes: sensitivity,
precision and F1 for bases, exons, introns, transcripts and genes, of one or several sets of calls, with 95 % intervals
and paired differences by bootstrap; figures by chromosome, gene length, introns and biotype; genes that are fused,
split, missed and invented. Writes one HTML page with plots and drawn loci. Features on sequences that the genome lacks
are left out with a warning. Needs no model."""
EXAMPLE = """\
raygene compare genes.gff3 --annotation annotation.gff3.gz --fasta genome.fa.gz --report report.html
  raygene compare scan.gff3 augustus.gtf --annotation annotation.gff3.gz --fasta genome.fa.gz --region IV:1-1,000,000"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    from cluster.comparison import comparison_files, gene_calls

    parser.add_argument(
        "calls",
        type=PathRole.READ_FILE,
        nargs="+",
        metavar="CALLS",
        help="GFF3, GTF or BED of called genes; several at once",
    )
    parser.add_argument(
        "--annotation", type=PathRole.READ_FILE, required=True, metavar="FILE", help="GFF3, GTF or BED of known genes"
    )
    parser.add_argument(
        "--fasta",
        type=PathRole.READ_FILE,
        required=True,
        metavar="FASTA",
        help="the genome in which the genes were called",
    )
    parser.add_argument(
        "--names",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="what the sets of calls are called on tables (default: their files)",
    )
    parser.add_argument(
        "--call-types",
        action="extend",
        nargs="+",
        metavar="TYPE",
        help="types of the calls that count (default as of the annotation)",
    )
    gene_calls.add_options(parser)
    parser.add_argument(
        "--feature-types",
        action="extend",
        nargs="+",
        metavar="TYPE",
        help="both --call-types and --annotation-types at once",
    )
    comparison_files.add_options(parser)
    parser.add_argument(
        "--samples",
        type=not_negative,
        default=SAMPLES,
        metavar="N",
        help=f"bootstrap samples, at least 100, or 0 for no intervals (default {SAMPLES:,})",
    )
    parser.add_argument("--seed", type=not_negative, default=0, metavar="N", help="seed of the bootstrap (default 0)")


def written(context: Context) -> list[Written]:
    """The files of --lists."""
    from cluster.comparison import comparison_files, gene_calls

    arguments = context.arguments
    names = gene_calls.names_of([Path(text) for text in arguments.calls], arguments.names) if arguments.lists else []
    return comparison_files.written(arguments, names)


def run(context: Context) -> None:
    """Compare, show the tables, and write the files."""
    from cluster.comparison import comparison_files, gene_calls
    from pipelines.comparison.bootstrap import Resampling
    from pipelines.genome import fasta

    arguments, terminal = context.arguments, context.terminal
    _require_valid(arguments)
    comparison_files.make_directories(arguments)
    names = gene_calls.names_of([Path(text) for text in arguments.calls], arguments.names)
    genome = fasta.open_genome("genome", Path(arguments.fasta), terminal)
    regions = gene_calls.regions(arguments, genome.lengths, genome.fasta)
    of_annotation = gene_calls.selection(
        arguments.annotation_types or arguments.feature_types, arguments.annotation_biotypes
    )
    of_calls = gene_calls.selection(arguments.call_types or arguments.feature_types)
    annotation = gene_calls.read(Path(arguments.annotation), of_annotation, genome.lengths, terminal)
    call_sets = {
        name: gene_calls.read(Path(path), of_calls, genome.lengths, terminal)
        for name, path in zip(names, arguments.calls, strict=True)
    }
    comparison = gene_calls.compare(annotation, call_sets, genome.lengths, regions, terminal)
    resampling = Resampling(arguments.samples, arguments.seed)
    analysed = gene_calls.analyse(comparison, genome, resampling, terminal)
    call_files = list(zip(names, arguments.calls, strict=True))
    comparison_files.write(
        arguments, analysed, comparison_files.inputs(arguments, call_files, _FLAGS), terminal, context.command
    )


def _require_valid(arguments: argparse.Namespace) -> None:
    for flag in ("annotation_types", "call_types"):
        if arguments.feature_types is not None and getattr(arguments, flag) is not None:
            name = f"--{flag.replace('_', '-')}"
            raise UsageError(f"{name}: --feature-types says already which types count", "give one of them")
    if 0 < arguments.samples < MIN_SAMPLES:
        raise UsageError(
            f"--samples {arguments.samples}: too few for an interval of 95 %",
            f"draw {MIN_SAMPLES} or more, or 0 for no intervals",
        )
    if arguments.samples > MAX_SAMPLES:
        raise UsageError(f"--samples {arguments.samples}: too many", f"draw {MAX_SAMPLES:,} or fewer")
