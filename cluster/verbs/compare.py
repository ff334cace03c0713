"""`raygene compare`: called genes compared with an annotation."""

from __future__ import annotations

from pathlib import Path

from cluster.context import Context
from cluster.flags import Parser
from cluster.output_paths import PathRole
from pipelines.errors import UsageError

SUMMARY = "compare called genes, of any program, with an annotation"
SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Compares genes called by raygene scan, AUGUSTUS, BRAKER, Prodigal or any other program with known genes: sensitivity,
precision and F1 for bases, exons, introns, transcripts and genes, of one or several sets of calls. Features on
sequences that the genome lacks are left out with a warning. Needs no model."""
EXAMPLE = """\
raygene compare genes.gff3 --annotation annotation.gff3.gz --fasta genome.fa.gz --json figures.json
  raygene compare scan.gff3 augustus.gtf --annotation annotation.gff3.gz --fasta genome.fa.gz --region IV:1-1,000,000"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    from cluster import gene_calls

    parser.add_argument(
        "calls",
        type=PathRole.READ,
        nargs="+",
        metavar="CALLS",
        help="GFF3, GTF or BED of called genes; several at once",
    )
    parser.add_argument(
        "--annotation", type=PathRole.READ, required=True, metavar="FILE", help="GFF3, GTF or BED of known genes"
    )
    parser.add_argument(
        "--fasta", type=PathRole.READ, required=True, metavar="FASTA", help="the genome in which the genes were called"
    )
    parser.add_argument(
        "--names", nargs="+", metavar="NAME", help="what the sets of calls are called on tables (default: their files)"
    )
    parser.add_argument(
        "--call-types", nargs="+", metavar="TYPE", help="types of the calls that count (default as of the annotation)"
    )
    gene_calls.add_options(parser)
    parser.add_argument(
        "--feature-types", nargs="+", metavar="TYPE", help="both --call-types and --annotation-types at once"
    )
    parser.add_argument("--json", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write the comparison as JSON")


def run(context: Context) -> None:
    """Compare, and print or write the figures."""
    from cluster import gene_calls
    from pipelines.genome import fasta

    arguments, terminal = context.arguments, context.terminal
    for flag in ("annotation_types", "call_types"):
        if arguments.feature_types is not None and getattr(arguments, flag) is not None:
            name = f"--{flag.replace('_', '-')}"
            raise UsageError(f"{name}: --feature-types says already which types count", "give one of them")
    paths = [Path(text) for text in arguments.calls]
    names = gene_calls.names_of(paths, arguments.names)
    genome = Path(arguments.fasta)
    lengths = fasta.open_genome("genome", genome, terminal).lengths
    regions = gene_calls.regions(arguments, lengths, genome)
    of_annotation = gene_calls.selection(
        arguments.annotation_types or arguments.feature_types, arguments.annotation_biotypes
    )
    of_calls = gene_calls.selection(arguments.call_types or arguments.feature_types)
    annotation = gene_calls.read(Path(arguments.annotation), of_annotation, lengths, terminal)
    call_sets = {
        name: gene_calls.read(path, of_calls, lengths, terminal) for name, path in zip(names, paths, strict=True)
    }
    comparison = gene_calls.compare(annotation, call_sets, lengths, regions, terminal)
    gene_calls.show(comparison, terminal, Path(arguments.json) if arguments.json else None)
