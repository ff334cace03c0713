"""`raygene predict`: the probability of being a gene for given intervals or sequences, or the genes of a whole genome."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import places
from cluster.context import Context
from cluster.flags import Parser, positive
from pipelines.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from training.bundle.bundle import Bundle

SUMMARY = "intervals, sequences or a whole genome to probabilities and calls"
SECTIONS = ("cluster",)
DESCRIPTION = """\
Scores with a trained bundle one of three things. --fasta with --intervals: intervals of a genome, each on its own strand.
--sequences: every sequence of a FASTA file, as it is written. Both give BED6, whose score is 1000 times the probability, and
TSV with the probability itself and the call at the bundle's threshold. --fasta with --scan: a whole genome in overlapping
windows on both strands, through Ray; gives calls as GFF3 and BED, the mean score along each strand as bedGraph, and a record in
JSON. A killed scan goes on with the same command. Only a model trained on windows, with antisense and partial negatives, may
scan (examples/scan)."""
EXAMPLE = """\
raygene predict run/bundle --fasta genome.fa.gz --intervals candidates.bed --output scored.tsv
  raygene predict run/bundle --sequences transcripts.fa --output scored.tsv
  raygene predict run/bundle --fasta genome.fa.gz --scan --output genes.gff3"""


def add_arguments(parser: Parser) -> None:
    """The verb's own arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help="a model made by raygene train, or its address (s3://…)")
    parser.add_argument("--fasta", metavar="FASTA", help="the genome: plain, gzip or bgzip")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--intervals", metavar="FILE", help="BED, GFF3 or GTF: intervals of the genome to score")
    what.add_argument("--sequences", metavar="FASTA", help="sequences to score, each as it is written")
    what.add_argument("--scan", action="store_true", help="find genes in the whole genome")
    parser.add_argument(
        "--output", required=True, metavar="FILE", help="FILE.bed or FILE.tsv (both are written); of a scan FILE.gff3"
    )
    parser.add_argument(
        "--feature-types", nargs="+", metavar="TYPE", help="GFF3 types to score, or to judge by (default gene)"
    )
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="actors of Ray that score (default: this process alone; of a scan one for every GPU, else for every CPU)",
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto = GPUs where there are any (default)"
    )
    parser.add_argument(
        "--token-budget",
        type=positive,
        metavar="N",
        help="most padded tokens in a batch (default 16384 on a CPU, 262144 on a GPU)",
    )
    scan = parser.add_argument_group("of a scan")
    scan.add_argument("--window", type=positive, metavar="N", help="bases of a window (default: as in training)")
    scan.add_argument(
        "--stride", type=positive, metavar="N", help="bases from window to window (default: a quarter of one)"
    )
    scan.add_argument("--high", type=float, metavar="X", help="mean score that a call reaches somewhere (default 0.5)")
    scan.add_argument("--low", type=float, metavar="X", help="mean score that a call nowhere is below (default 0.2)")
    scan.add_argument("--min-length", type=int, metavar="N", help="bases of the shortest call (default 0)")
    scan.add_argument(
        "--annotation",
        metavar="FILE",
        help="GFF3, GTF or BED of known genes (--feature-types) to hold the calls against",
    )
    scan.add_argument(
        "--eval-chromosomes",
        nargs="+",
        metavar="NAME",
        help="sequences on which they are held against it (default: all)",
    )
    scan.add_argument("--json", metavar="FILE", help="write the agreement with --annotation as JSON")


def run(context: Context) -> None:
    """Score and write what is asked for."""
    from training import load

    _require_sense(context)
    bundle = load(context.arguments.bundle)
    if context.arguments.scan:
        _scan(context, bundle)
    else:
        _score(context, bundle)


def _require_sense(context: Context) -> None:
    """Refuse what would be ignored, or overwritten."""
    from training.inference.predict import outputs
    from training.scan.outputs import Outputs

    arguments = context.arguments
    context.cluster()
    output = places.written("--output", arguments.output)
    written = [("--output", path) for path in (Outputs.of(output).all if arguments.scan else outputs(output))]
    if arguments.json:
        written.append(("--json", places.written("--json", arguments.json)))
    names = ("fasta", "intervals", "sequences", "annotation")
    read = [(f"--{name}", Path(getattr(arguments, name))) for name in names if getattr(arguments, name)]
    places.require_apart(written, read)
    if arguments.sequences and arguments.fasta:
        raise UsageError("--fasta: not wanted with --sequences, which names the FASTA file", "leave it out")
    if not arguments.sequences and not arguments.fasta:
        raise UsageError("--fasta: missing", "name the genome")
    of_scan = ("window", "stride", "high", "low", "min_length", "annotation", "eval_chromosomes", "json")
    given = [name for name in of_scan if getattr(arguments, name) is not None]
    if given and not arguments.scan:
        raise UsageError(f"--{given[0].replace('_', '-')}: serves --scan alone", "leave it out, or scan")
    if not arguments.workers and not arguments.scan and context.overrides:
        flag = ".".join(map(str, next(iter(context.overrides))))
        raise UsageError(f"--{flag}: serves --scan and --workers alone", "leave it out, or add --workers")
    if arguments.feature_types and not arguments.intervals and not arguments.annotation:
        raise UsageError("--feature-types: nothing to choose from without --intervals or --annotation", "leave it out")
    for name in ("eval_chromosomes", "json"):
        if getattr(arguments, name) is not None and arguments.annotation is None:
            raise UsageError(
                f"--{name.replace('_', '-')}: nothing to compare without --annotation", "name the annotation"
            )


@contextmanager
def by_flag() -> Iterator[None]:
    """Have errors name the flag where elsewhere a key of the configuration is meant."""
    try:
        yield
    except ResourceError as error:
        told = [text.replace("training.device", "--device") for text in (error.problem, error.fix)]
        raise ResourceError(*told) from error


def _score(context: Context, bundle: Bundle) -> None:
    """Intervals or sequences."""
    import torch

    from training.distributed import actor_pool, gpu_check
    from training.distributed.placement import nodes_of
    from training.hardware import devices
    from training.inference.predict import by, intervals_of, predict, sequences_of, write
    from training.inference.scorer import ModelScorer

    arguments, terminal = context.arguments, context.terminal
    wanted = (
        sequences_of(Path(arguments.sequences), terminal)
        if arguments.sequences
        else intervals_of(
            Path(arguments.fasta), Path(arguments.intervals), arguments.feature_types or ["gene"], terminal
        )
    )
    scorer = ModelScorer(bundle.model, bundle.tokenizer, arguments.token_budget)
    threshold = float(bundle.config["threshold"])
    if arguments.workers:
        import ray

        with context.connector(context.cluster())(), by_flag():
            gpu_check.require(arguments.device)
            spread = by(actor_pool.of(nodes_of(ray.nodes()), arguments.workers, arguments.device))  # type: ignore[no-untyped-call]
            prediction = predict(wanted, scorer, threshold, terminal, spread)
    else:
        with by_flag():
            scorer = scorer.on(torch.device(devices.require(arguments.device)))
        prediction = predict(wanted, scorer, threshold, terminal)
    for reason, count in prediction.skipped.items():
        terminal.warn(f"{count:,} not scored: {reason.replace('_', ' ')}")
    bed_path, tsv_path = write(prediction, Path(arguments.output))
    what = "sequences" if arguments.sequences else "intervals"
    terminal.say(
        f"{len(prediction.features):,} {what} scored, {prediction.called:,} called gene "
        f"(probability at least {prediction.threshold:.3f})"
    )
    terminal.say(f"written: {bed_path} and {tsv_path}")


def _scan(context: Context, bundle: Bundle) -> None:
    """A whole genome."""
    from cluster import gene_calls
    from training.inference.scorer import ModelScorer
    from training.scan import fitness
    from training.scan.calls import HIGH, LOW, Thresholds
    from training.scan.outputs import Outputs
    from training.scan.run import Scan, open_genome, scan

    arguments, terminal = context.arguments, context.terminal
    outputs = Outputs.of(Path(arguments.output).absolute())
    grid = fitness.grid_of(bundle.config, arguments.window, arguments.stride, arguments.bundle)
    thresholds = Thresholds(
        HIGH if arguments.high is None else arguments.high,
        LOW if arguments.low is None else arguments.low,
        arguments.min_length or 0,
    )
    genome = open_genome(Path(arguments.fasta), grid, terminal)
    scorer = ModelScorer(bundle.model, bundle.tokenizer, arguments.token_budget)
    job = Scan(scorer, bundle.fingerprint, genome, grid, thresholds, outputs)
    judged = gene_calls.judged(genome.lengths, arguments.eval_chromosomes, genome.fasta)
    genes = None
    if arguments.annotation:
        types = arguments.feature_types or ["gene"]
        genes = gene_calls.read(Path(arguments.annotation), types, genome.lengths, terminal)
    with by_flag():
        counts = scan(job, context.connector(context.cluster()), arguments.workers, arguments.device, terminal)
    if short := [length for name, length in genome.lengths.items() if name not in job.lengths]:
        terminal.warn(f"{len(short):,} sequences of {sum(short):,} bases not scanned: shorter than a window")
    if counts.unscored:
        terminal.note(f"{counts.unscored:,} bases have no score: too many unknown letters about")
    terminal.say(
        f"{counts.bases:,} bases scanned in windows of {grid.window} every {grid.stride}: {counts.calls['+']:,} calls on the "
        f"forward strand, {counts.calls['-']:,} on the reverse, {counts.called_bases:,} bases in all"
    )
    if genes is not None:
        path = Path(arguments.json) if arguments.json else None
        gene_calls.show(outputs.calls(), genes, judged, terminal, path)
    terminal.say(f"written: {', '.join(path.name for path in outputs.all)} in {outputs.gff3.parent}")
