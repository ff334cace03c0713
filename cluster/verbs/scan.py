"""`raygene scan`: the genes of a whole genome."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cluster import in_process
from cluster.context import Context
from cluster.options import reading_frame_flags
from cluster.options.flags import positive
from cluster.options.parser import Parser
from cluster.options.scoring_flags import add_scoring_options, device_errors_name_the_flag
from cluster.paths.output_paths import PathRole, Written
from pipelines.errors import UsageError

SECTIONS = ("cluster",)
RARE = (
    *("window", "min_length", "genetic_code", "start_codons", "fit_orfs", "token_budget"),
    *("annotation_types", "annotation_biotypes", "region", "dataset", "split", "feature_types"),
)
DESCRIPTION = """\
Scores a whole genome in overlapping windows on both strands, through Ray, and calls genes where the score is high.
Writes the calls as GFF3 and BED, the mean score along each strand as bedGraph, and a record in JSON. The same command
resumes a killed scan. The model must have been trained on windows, with antisense and partial negatives
(examples/scan). With --orfs the calls are gene models from start to stop codon, for genomes with few introns. With
--annotation the calls are compared with known genes, as raygene compare does."""
EXAMPLE = """\
raygene scan run/bundle --fasta genome.fa.gz --output genes.gff3
  raygene scan run/bundle --fasta genome.fa.gz --output genes.gff3 --annotation genes.gff3.gz --eval-chromosomes chr8"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    from cluster.comparison import gene_calls

    gene_calls.add_model_and_genome(parser)
    parser.add_argument(
        "--output",
        type=PathRole.WRITTEN_FILE,
        required=True,
        metavar="FILE.gff3",
        help="the calls; the other files are written next to it, under the same name",
    )
    calls = parser.add_argument_group("calls")
    calls.add_argument(
        "--window",
        type=positive,
        metavar="N",
        help="bases in a window (default: as in training, the only length it takes)",
    )
    calls.add_argument(
        "--stride", type=positive, metavar="N", help="bases between window starts (default: a quarter of a window)"
    )
    calls.add_argument(
        "--high", type=float, metavar="X", help="mean score that a call must reach somewhere (default 0.5)"
    )
    calls.add_argument(
        "--low", type=float, metavar="X", help="mean score that no part of a call is below (default 0.2)"
    )
    calls.add_argument("--min-length", type=int, default=0, metavar="N", help="bases of the shortest call (default 0)")
    reading_frame_flags.add_options(parser)
    add_scoring_options(parser, "one for every GPU, else one for every CPU")
    comparison = parser.add_argument_group("comparison with known genes")
    comparison.add_argument(
        "--annotation", type=PathRole.READ_FILE, metavar="FILE", help="GFF3, GTF or BED of known genes"
    )
    gene_calls.add_options(comparison)
    comparison.add_argument("--feature-types", nargs="+", metavar="TYPE", help="the former name of --annotation-types")
    comparison.add_argument("--json", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write the comparison as JSON")


def written(context: Context) -> list[Written]:
    """The files next to that of --output."""
    from training.scan.outputs import Outputs

    arguments, path = context.arguments, Path(context.arguments.output)
    outputs = Outputs.of(path, frames=arguments.orfs, gtf=bool(arguments.gtf))
    return [Written("--output", other) for other in outputs.all if other != path]


def run(context: Context) -> None:
    """Scan, and compare the calls with the annotation if there is one."""
    from cluster.comparison import gene_calls
    from pipelines.comparison.bootstrap import Resampling
    from training import load
    from training.inference.scorer import ModelScorer
    from training.scan import suitability
    from training.scan.calls import HIGH, LOW, Thresholds
    from training.scan.outputs import Outputs
    from training.scan.run import Scan, open_genome, scan
    from training.tasks import RECOGNISE

    _require_valid(context)
    arguments, terminal = context.arguments, context.terminal
    bundle = load(arguments.bundle)
    bundle.require_task(RECOGNISE, arguments.bundle)
    frames = reading_frame_flags.settings(arguments, bundle, terminal)
    outputs = Outputs.of(Path(arguments.output).absolute(), frames=frames is not None, gtf=bool(arguments.gtf))
    grid = suitability.grid_for_bundle(bundle.config, arguments.window, arguments.stride, arguments.bundle)
    thresholds = Thresholds(
        HIGH if arguments.high is None else arguments.high,
        LOW if arguments.low is None else arguments.low,
        arguments.min_length,
    )
    genome = open_genome(Path(arguments.fasta), grid, terminal)
    scorer = ModelScorer(bundle.model, bundle.tokenizer, arguments.token_budget)
    job = Scan(scorer, bundle.fingerprint, genome, grid, thresholds, outputs, frames)
    regions = gene_calls.regions(arguments, genome.lengths, genome.fasta)
    genes = None
    if arguments.annotation:
        chosen = gene_calls.selection(
            arguments.annotation_types or arguments.feature_types, arguments.annotation_biotypes
        )
        genes = gene_calls.read(Path(arguments.annotation), chosen, genome.lengths, terminal)
    with device_errors_name_the_flag():
        config, bases = context.cluster(), sum(genome.lengths.values())
        alone = in_process.suffices_to_score(config, arguments.workers, arguments.device, bases, in_process.SMALL_SCAN)
        connect = None if alone else context.connector(config)
        counts = scan(job, connect, arguments.workers, arguments.device, terminal)
        if arguments.fit_orfs and genes is not None:
            job = replace(job, frames=reading_frame_flags.fitted(job, bundle, arguments, genes.genes, terminal))
            counts = scan(job, connect, arguments.workers, arguments.device, terminal)
    if short := [length for name, length in genome.lengths.items() if name not in job.lengths]:
        terminal.warn(f"{len(short):,} sequences of {sum(short):,} bases not scanned: shorter than a window")
    if counts.unscored:
        terminal.note(f"{counts.unscored:,} bases have no score: too many unknown letters around them")
    what = "genes" if frames else "calls"
    terminal.say(
        f"{counts.bases:,} bases scanned in windows of {grid.window} every {grid.stride}: "
        f"{counts.calls['+']:,} {what} on the forward strand, {counts.calls['-']:,} on the reverse, "
        f"{counts.called_bases:,} bases in all"
    )
    if counts.models:
        reading_frame_flags.tell(counts.models, terminal)
    if genes is not None:
        calls = gene_calls.read(outputs.gff3, gene_calls.selection(None), genome.lengths, terminal)
        comparison = gene_calls.compare(genes, {outputs.gff3.name: calls}, genome.lengths, regions, terminal)
        analysed = gene_calls.analyse(comparison, genome, Resampling(), terminal)
        if arguments.json:
            gene_calls.write_json(analysed, Path(arguments.json))
    terminal.say(f"written: {', '.join(path.name for path in outputs.all)} in {outputs.gff3.parent}")


def _require_valid(context: Context) -> None:
    """Refuse options that would be ignored."""
    from cluster.comparison import gene_calls

    arguments = context.arguments
    context.cluster()
    for name in (*gene_calls.OPTIONS, "feature_types", "json"):
        if getattr(arguments, name) is not None and arguments.annotation is None:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: nothing to compare the calls with", "name the known genes with --annotation")
    gene_calls.require_dataset(arguments)
