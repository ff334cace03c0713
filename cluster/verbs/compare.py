"""`raygene compare`: called genes compared with an annotation."""

from __future__ import annotations

from pathlib import Path

from cluster.context import Context
from cluster.flags import Parser
from cluster.output_paths import PathRole

SUMMARY = "compare called genes, of any program, with an annotation"
SECTIONS: tuple[str, ...] = ()
DESCRIPTION = """\
Compares genes called by raygene scan or any other program with known genes, base by base and gene by gene: sensitivity,
precision and F1 at each level, next to those of calling every base a gene. Features on sequences that the genome lacks
are left out with a warning. Needs no model."""
EXAMPLE = "raygene compare genes.gff3 --annotation annotation.gff3.gz --fasta genome.fa.gz --json figures.json"


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("calls", type=PathRole.READ, metavar="CALLS", help="BED, GFF3 or GTF of called genes")
    parser.add_argument(
        "--annotation", type=PathRole.READ, required=True, metavar="FILE", help="GFF3, GTF or BED of known genes"
    )
    parser.add_argument(
        "--fasta", type=PathRole.READ, required=True, metavar="FASTA", help="the genome in which the genes were called"
    )
    parser.add_argument(
        "--feature-types",
        nargs="+",
        default=["gene"],
        metavar="TYPE",
        help="GFF3 or GTF types of both files that are genes (default gene)",
    )
    parser.add_argument(
        "--eval-chromosomes", nargs="+", metavar="NAME", help="compare on these sequences only (default: all)"
    )
    parser.add_argument("--json", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write the comparison as JSON")


def run(context: Context) -> None:
    """Compare, and print or write the figures."""
    from cluster import gene_calls
    from pipelines.genome import fasta

    arguments, terminal = context.arguments, context.terminal
    calls, annotation, genome = Path(arguments.calls), Path(arguments.annotation), Path(arguments.fasta)
    lengths = fasta.open_genome("genome", genome, terminal).lengths
    compared = gene_calls.compared(lengths, arguments.eval_chromosomes, genome)
    genes = gene_calls.read(annotation, arguments.feature_types, lengths, terminal)
    features = gene_calls.read(calls, arguments.feature_types, lengths, terminal)
    gene_calls.show(features, genes, compared, terminal, Path(arguments.json) if arguments.json else None)
