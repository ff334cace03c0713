"""`raygene annotate`: the gene models of a whole genome."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.context import Context
from cluster.options.flags import positive
from cluster.options.parser import Parser
from cluster.options.scoring_flags import add_scoring_options, device_errors_name_the_flag
from cluster.paths.output_paths import PathRole, Written
from pipelines.display import format_size
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from cluster.screen.terminal import Terminal
    from training.annotate.outputs import Counts, Outputs
    from training.bundle.bundle import Bundle

SECTIONS = ("cluster",)
RARE = (
    *("discard_scores", "token_budget", "precision", "lists"),
    *("annotation_types", "annotation_biotypes", "region", "dataset", "split"),
)
DESCRIPTION = """\
Reads a whole genome with a model of gene structure (task: structure), through Ray, and writes gene models with exons,
introns, coding sequence and phase as GFF3: every whole one starts, stops, splices and translates. On request also GTF,
proteins, coding sequences, and the probability of coding as bigWig. The same command resumes a killed run; scores are
kept, so that a run with other settings of decoding is short. With --annotation the models are compared with known
genes, as raygene compare does."""
EXAMPLE = """\
raygene annotate run/bundle --fasta genome.fa.gz --output genes.gff3 --proteins proteins.fa
  raygene annotate run/bundle --fasta genome.fa.gz --output genes.gff3 --annotation known.gff3.gz --report a.html"""
# Those that decide what is compared, for the page.
_FLAGS = ("annotation_types", "annotation_biotypes", "eval_chromosomes", "region")


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    from cluster.comparison import comparison_files, gene_calls

    gene_calls.add_model_and_genome(parser)
    parser.add_argument(
        "--output",
        type=PathRole.WRITTEN_FILE,
        required=True,
        metavar="FILE.gff3",
        help="the gene models; a record in JSON and the scores are written next to it, under the same name",
    )
    formats = {"gtf": "gene models as GTF too", "proteins": "proteins as FASTA", "cds": "coding sequences as FASTA"}
    for name, what in formats.items():
        parser.add_argument(f"--{name}", type=PathRole.WRITTEN_FILE, metavar="FILE", help=f"write the {what}")
    parser.add_argument(
        "--bigwig",
        type=PathRole.WRITTEN_FILE,
        metavar="FILE.bw",
        help="write the probability of coding along each strand as bigWig, to FILE.plus.bw and FILE.minus.bw",
    )
    parser.add_argument(
        "--html",
        type=PathRole.WRITTEN_FILE,
        metavar="FILE",
        help="write one self-contained HTML page: counts, lengths, scores, and some genes under the probabilities that "
        "they come from",
    )
    parser.add_argument(
        "--min-score", type=_probability, default=0.0, metavar="X", help="leave out genes of lower scores (default 0)"
    )
    parser.add_argument(
        "--genetic-code", type=positive, metavar="N", help="NCBI's number of the genetic code (default: as in training)"
    )
    parser.add_argument(
        "--discard-scores", action="store_true", help="remove the scores when the gene models are written"
    )
    add_scoring_options(parser, "one for every GPU, else one for every CPU")
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        default="fp32",
        help="number format of the network: bf16 is faster on GPUs and on CPUs with AVX-512 BF16, and may change a few "
        "genes (default fp32)",
    )
    comparison = parser.add_argument_group("comparison with known genes")
    comparison.add_argument(
        "--annotation", type=PathRole.READ_FILE, metavar="FILE", help="GFF3, GTF or BED of known genes"
    )
    gene_calls.add_options(comparison)
    comparison_files.add_options(comparison)


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not from 0 to 1")
    return value


def _outputs(arguments: argparse.Namespace) -> Outputs:
    from training.annotate.outputs import Outputs

    optional = {name: getattr(arguments, name) for name in ("gtf", "proteins", "cds", "bigwig", "html")}
    paths = {name: Path(text).absolute() for name, text in optional.items() if text is not None}
    return Outputs.of(Path(arguments.output).absolute(), **paths)


def written(context: Context) -> list[Written]:
    """The files whose names follow from those of --output, --bigwig and --lists."""
    from cluster.comparison import comparison_files

    arguments = context.arguments
    outputs = _outputs(arguments)
    following = [Written("--output", outputs.record), Written("--output", outputs.scores, PathRole.WRITTEN_FOLDER)]
    following += [Written("--bigwig", path) for path in outputs.tracks or ()]
    return following + comparison_files.written(arguments, [outputs.gff3.name])


def run(context: Context) -> None:
    """Annotate, and compare the gene models with known genes if there are any."""
    from cluster import in_process
    from cluster.comparison import comparison_files, gene_calls
    from training import load
    from training.annotate import suitability
    from training.annotate.run import Annotation, annotate, open_genome
    from training.annotate.scorer import StructureScorer

    _require_valid(context)
    arguments, terminal = context.arguments, context.terminal
    outputs = _outputs(arguments)
    bundle = load(arguments.bundle)
    fitted = suitability.of_bundle(bundle, arguments.bundle, arguments.genetic_code)
    comparison_files.make_directories(arguments)
    genome = open_genome(Path(arguments.fasta), terminal)
    scorer = StructureScorer(*(bundle.model, bundle.tokenizer, arguments.token_budget), precision=arguments.precision)
    job = Annotation(
        *(scorer, bundle.fingerprint, genome, fitted.tiling, fitted.settings, outputs),
        *(arguments.min_score, not arguments.discard_scores, _provenance(arguments, bundle)),
    )
    regions = gene_calls.regions(arguments, genome.lengths, genome.fasta)
    known = None
    if arguments.annotation:
        chosen = gene_calls.selection(arguments.annotation_types, arguments.annotation_biotypes)
        known = gene_calls.read(Path(arguments.annotation), chosen, genome.lengths, terminal)
    with device_errors_name_the_flag():
        config, bases = context.cluster(), sum(genome.lengths.values())
        alone = in_process.suffices_to_score(config, arguments.workers, arguments.device, bases)
        connect = None if alone else context.connector(config)
        counts = annotate(job, connect, arguments.workers, arguments.device, terminal)
    _tell(counts, outputs, terminal)
    if known is not None:
        from pipelines.comparison.bootstrap import Resampling

        calls = gene_calls.read(outputs.gff3, gene_calls.selection(None), genome.lengths, terminal)
        name = outputs.gff3.name
        comparison = gene_calls.compare(known, {name: calls}, genome.lengths, regions, terminal)
        analysed = gene_calls.analyse(comparison, genome, Resampling(), terminal)
        inputs = comparison_files.inputs(arguments, [(name, arguments.output)], _FLAGS)
        comparison_files.write(arguments, analysed, inputs, terminal, context.command)


def _provenance(arguments: argparse.Namespace, bundle: Bundle) -> list[tuple[str, str]]:
    """What a page says of the model, the genome and the options that change gene models."""
    given = [("--min-score", arguments.min_score or None), ("--genetic-code", arguments.genetic_code)]
    given.append(("--precision", None if arguments.precision == "fp32" else arguments.precision))
    return [
        ("model", arguments.bundle),
        ("genome", arguments.fasta),
        ("the model was trained on", ", ".join(bundle.config["genomes"])),
        ("fingerprint of its dataset", bundle.config["dataset"]["fingerprint"]),
        *((flag, str(value)) for flag, value in given if value is not None),
    ]


def _require_valid(context: Context) -> None:
    """Refuse options that would be ignored."""
    from cluster.comparison import comparison_files, gene_calls

    arguments = context.arguments
    context.cluster()
    for name in (*gene_calls.OPTIONS, *comparison_files.OPTIONS):
        if getattr(arguments, name) is not None and arguments.annotation is None:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: nothing to compare the gene models with", "name known genes with --annotation")
    gene_calls.require_dataset(arguments)


def _tell(counts: Counts, outputs: Outputs, terminal: Terminal) -> None:
    """Say what was found and where it is."""
    genes = counts.complete + counts.partial
    partial = f", {counts.partial:,} cut by the end of a sequence" if counts.partial else ""
    left_out = f"; {counts.left_out:,} of lower scores are left out" if counts.left_out else ""
    left_out += f"; {counts.too_short:,} too short to be genes are dropped" if counts.too_short else ""
    terminal.say(
        f"{genes:,} gene models in {counts.bases:,} bases: {counts.genes['+']:,} on the forward strand, "
        f"{counts.genes['-']:,} on the reverse; {counts.complete:,} complete{partial}; "
        f"{counts.spliced:,} with introns; {counts.coding_bases:,} coding bases{left_out}"
    )
    if not genes and not counts.left_out:
        terminal.warn("no gene: is the genome like those that the model was trained on?")
    terminal.say(f"written: {', '.join(map(str, outputs.all))}")
    if outputs.scores.is_dir():
        size = sum(path.stat().st_size for path in outputs.scores.rglob("*") if path.is_file())
        terminal.note(
            f"{outputs.scores}: {format_size(size)} of scores, which another run with other settings reads; "
            "--discard-scores removes them"
        )
