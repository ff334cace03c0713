"""`raygene build`: genomes to a token dataset."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster import connection
from cluster.context import Context
from cluster.options.flags import add_experiment_argument
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole
from cluster.screen.terminal import Terminal
from pipelines import remote
from pipelines.config import DatasetConfig
from pipelines.config.tasks import CLASSIFY
from pipelines.display import agreeing, counted, format_size
from pipelines.errors import UsageError
from pipelines.stores.store import Store

if TYPE_CHECKING:
    from cluster.experiment import ClusterConfig
    from pipelines.build.pipeline import Prepared

SECTIONS = ("sources", "negatives", "crop", "tokenizer", "split", "labels", "window", "cluster")
DESCRIPTION = """\
Cuts genes out of annotated genomes, places one non-gene interval of the same length and strand for each (bedtools
shuffle, away from gene-like features and runs of N), splits them, turns them into k-mer tokens and writes a Parquet
dataset. The same inputs and keys give the same bytes on any number of CPUs. The same command resumes a killed build,
and does nothing when the dataset is complete.
With task: structure, rows are windows side by side over whole chromosomes, with a token and a state (intergenic, codon
position, intron by phase) for every base of both strands. With task: classify, rows are labelled sequences of two
classes or more."""
EXAMPLE = "raygene build examples/yeast/experiment.yaml --output yeast-k3 --tokenizer.k 3 --tokenizer.stride 1"


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    add_experiment_argument(parser)
    parser.add_argument(
        "--output",
        type=PathRole.WRITTEN_DATASET,
        metavar="DATASET",
        help="directory of the dataset, or a folder in a store such as s3://BUCKET/NAME (with --dry-run: what "
        "is there, and its disk, are checked)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="read and check every input, show splits, sizes, time and defaults, and write nothing",
    )


def run(context: Context) -> None:
    """Build, and show what is in the dataset and what was left out."""
    from pipelines.build.pipeline import build
    from pipelines.dataset import targets

    experiment = context.experiment()
    config = experiment.dataset(context.arguments.experiment)
    if context.arguments.dry_run:
        if context.arguments.output is not None:
            targets.target(_place(context.arguments.output)).check()
        show_estimate(config, _place(context.arguments.output or "."), experiment.cluster, context.terminal)
        return
    if context.arguments.output is None:
        raise UsageError("raygene build: the following arguments are required: --output", "see raygene build --help")
    output = _place(context.arguments.output)
    manifest = build(
        config,
        output,
        context.connector(experiment.cluster),
        context.terminal,
        on_start=lambda prepared: show_plan(prepared, experiment.cluster, context.terminal),
        needs_ray=lambda prepared: not _works_alone(prepared, experiment.cluster),
        processes=experiment.cluster.cpus or connection.usable_cpus(),
    )
    show(manifest, context.terminal)
    context.terminal.say(f"dataset: {output}")


def _place(output: str) -> Path | Store:
    """Where a dataset is written: a local path, or a folder of a store."""
    path = remote.local_path(output)
    return Store(output) if path is None else path


def show_plan(prepared: Prepared, cluster: ClusterConfig, terminal: Terminal) -> None:
    """Show what goes to which split, and about how long the build takes.

    Args:
        prepared: a build whose inputs have been read.
        cluster: where it will run; of another machine's cores one is counted.
        terminal: where it is shown.
    """
    from pipelines.build import plan_tables, preflight

    planned = prepared.splits()
    table = plan_tables.splits_table(planned, has_genes=prepared.config.task != CLASSIFY)
    terminal.table(table.caption, table.header, table.rows)
    if absent := plan_tables.absent_splits(planned):
        terminal.note(f"nothing goes to {' or '.join(absent)}")
    is_alone = _works_alone(prepared, cluster)
    cores = 1 if is_alone else _cores(cluster)
    seconds = preflight.estimate_seconds(prepared.estimates, cores)
    where = "in this process" if is_alone else "once Ray has started"
    terminal.say(
        f"time: about {_duration(seconds)} on {cores:,} free core{'s' * (cores > 1)}, {where} "
        "(an estimate from rates measured elsewhere)"
    )


def _works_alone(prepared: Prepared, cluster: ClusterConfig) -> bool:
    """Whether the build runs in this process, without Ray."""
    from cluster import in_process
    from pipelines.build import preflight

    return in_process.suffices_to_build(cluster, preflight.estimate_seconds(prepared.estimates, 1))


def _cores(cluster: ClusterConfig) -> int:
    if cluster.address != "local":
        return 1
    return cluster.cpus or connection.usable_cpus()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:,.0f} minutes" if seconds < 5_400 else f"{seconds / 3_600:,.1f} hours"


def show_estimate(config: DatasetConfig, output: Path | Store, cluster: ClusterConfig, terminal: Terminal) -> None:
    """Read the inputs, and show how large a dataset they would give at most, its splits, and the keys nobody set.

    Raises:
        ResourceError: the disk of `output` is too small for it.
    """
    from pipelines.build import plan_tables, preflight
    from pipelines.build.pipeline import prepare

    job = prepare(config, terminal, cluster.cpus or connection.usable_cpus())
    estimates = job.estimates
    rows = [
        (
            genome.name,
            f"{genome.sequences:,} of {genome.all_sequences:,}",
            genome.genes,
            genome.rows,
            genome.tokens,
            genome.longest,
        )
        for genome in estimates
    ]
    genes = "labelled" if config.task == CLASSIFY else "genes"
    header = ("genome", "sequences used", genes, "intervals", "tokens", "longest, bases")
    terminal.table("The dataset would have at most", header, rows)
    for genome in estimates:
        if genome.windows > genome.genes:
            terminal.note(
                f"{genome.name}: {counted(genome.windows, 'window')} of {counted(genome.genes, 'gene')} (crop.per_gene)"
            )
        for reason, count in genome.dropped.items():
            terminal.note(f"{genome.name}: {count:,} left out: {reason.replace('_', ' ')}")
    show_plan(job, cluster, terminal)
    defaults = plan_tables.defaults_table(config)
    if defaults.rows:
        terminal.table(defaults.caption, defaults.header, defaults.rows)
    if {"tokenizer.k", "tokenizer.stride"} <= {key for key, _ in defaults.rows}:
        terminal.note(
            "tokenizer: {k: 3, stride: 1} recognises genes better than the defaults 6 and 3, which give a third of the "
            "tokens and stay for the sake of earlier datasets"
        )
    needed = preflight.estimate_disk_bytes(estimates, job.tokenizer)
    if isinstance(output, Store):
        terminal.say(f"store: about {format_size(needed)}; fingerprint {job.fingerprint[:12]}")
        return
    free, more = preflight.free_bytes(output.absolute()), preflight.estimate_working_bytes(estimates)
    terminal.say(
        f"disk: about {format_size(needed)}, and {format_size(more)} until it is complete, of {format_size(free)} "
        f"free; fingerprint {job.fingerprint[:12]}"
    )
    preflight.require_disk(needed + more, output.absolute())


def show(manifest: dict[str, Any], terminal: Terminal) -> None:
    """Show counts by split, what became of the genes, and what was left out."""
    from pipelines.audit import shortened
    from pipelines.build.manifest import QUANTILES
    from pipelines.dataset.manifest import classes, is_structure

    if is_structure(manifest):
        show_structure(manifest, terminal)
        return
    if classes(manifest):
        show_classes(manifest, terminal)
        return
    rows: Counter[tuple[str, int]] = Counter()
    for count in manifest["counts"]:
        rows[count["split"], count["label"]] += count["rows"]
    tokens: Counter[str] = Counter()
    for file in manifest["files"]:
        tokens[file["path"].split("/")[0].removeprefix("split=")] += file["tokens"]
    splits = [split for split in ("train", "validation", "test") if tokens[split]]
    table = [(split, rows[split, 1], rows[split, 0], tokens[split]) for split in splits]
    has_several = any("windows" in genes for genes in manifest["genes"].values())
    shown = "windows of genes" if has_several else "genes"
    terminal.table("Intervals", ("split", shown, "negatives", "tokens"), table)
    gene_rows: list[tuple[object, ...]] = []
    length_rows: list[tuple[object, ...]] = []
    for genome, genes in manifest["genes"].items():
        share = f"{genes['kept'] / genes['annotated']:.1%}"
        windows = (genes["windows"],) if has_several else ()
        gene_rows.append(
            (genome, genes["annotated"], genes["kept"], share, *windows, genes["shortened"], genes["negatives"])
        )
        for state, name in (("as annotated", "length_before"), ("in the dataset", "length_after")):
            length_rows.append((genome, state, *(genes[name][f"{percent}%"] for percent in QUANTILES)))
    if gene_rows:
        windows_header = ("windows",) if has_several else ()
        header = ("genome", "annotated", "kept", "share", *windows_header, "shortened", "negatives")
        terminal.table("Genes", header, gene_rows)
        quantiles = ("shortest", *(f"{percent} %" for percent in QUANTILES[1:-1]), "longest")
        terminal.table(f"Lengths of {shown} in bases", ("genome", "genes", *quantiles), length_rows)
    show_left_out(manifest, terminal)
    for text in shortened.warnings(manifest):
        terminal.warn(text)
    show_short(manifest, terminal)


def show_classes(manifest: dict[str, Any], terminal: Terminal) -> None:
    """Show sequences by split and class, and what was left out."""
    from pipelines.audit.class_tables import counts_table

    table = counts_table(manifest)
    terminal.table(table.caption, table.header, table.rows)
    show_left_out(manifest, terminal)
    show_short(manifest, terminal)


def show_left_out(manifest: dict[str, Any], terminal: Terminal) -> None:
    """Show how many records were left out, by reason, and how many intervals are like one in train."""
    for genome, reasons in manifest["dropped"].items():
        for reason, count in reasons.items():
            terminal.note(f"{genome}: {count:,} left out: {reason.replace('_', ' ')}")
    leakage = manifest["leakage"]
    if leakage["evaluated"]:
        terminal.say(
            f"near-duplicates: {leakage['near_duplicates']:,} of {leakage['evaluated']:,} {leakage['split']} intervals "
            f"({leakage['share']:.1%}) share at least {leakage['threshold']:.0%} of their {leakage['k']}-mers "
            "with one in train"
            + (
                f"; {leakage['similar']:,} ({leakage['similar_share']:.1%}) share as many as sequences that are "
                f"{leakage['similar_identity']:.0%} identical"
                if "similar" in leakage
                else ""
            )
        )


def show_short(manifest: dict[str, Any], terminal: Terminal) -> None:
    """Show how many intervals are shorter than k."""
    short = sum(file["shorter_than_k"] for file in manifest["files"])
    if short:
        are = agreeing(short, "is", "are")
        terminal.note(f"{counted(short, 'interval')} {are} shorter than k and became one <unk> token")


def show_structure(manifest: dict[str, Any], terminal: Terminal) -> None:
    """Show windows, genes and masked bases by genome and split, and what was left out."""
    from pipelines.audit.structure_tables import genes_table, masked_table, windows_table

    for table in (windows_table(manifest), genes_table(manifest), masked_table(manifest)):
        terminal.table(table.caption, table.header, table.rows)
    for genome, reasons in manifest["dropped"].items():
        for reason, count in reasons.items():
            terminal.note(f"{genome}: {counted(count, 'gene')} left out: {reason.replace('_', ' ')}")
