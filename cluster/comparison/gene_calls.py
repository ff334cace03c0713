"""Called genes compared with annotated ones: the flags, what is read, and the figures on the terminal and as JSON."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.paths.output_paths import PathRole
from cluster.screen.terminal import Terminal
from pipelines import storage
from pipelines.display import agreeing, counted
from pipelines.errors import InputError, UsageError

if TYPE_CHECKING:
    from pipelines.comparison.analysis import Analysis
    from pipelines.comparison.bootstrap import Resampling
    from pipelines.comparison.loci import Comparison
    from pipelines.gene_models.reader import GeneFile
    from pipelines.gene_models.selection import Selection
    from pipelines.genome.fasta import Genome
    from pipelines.genome.region import Region

OPTIONS = ("annotation_types", "annotation_biotypes", "eval_chromosomes", "region", "dataset", "split")
SPLITS = ("train", "validation", "test")
# Share of annotated genes without a CDS from which on it is said that calls of coding genes miss them.
NOTED_SHARE = 0.05


def add_model_and_genome(parser: argparse.ArgumentParser) -> None:
    """Add what a verb needs that calls genes in a whole genome."""
    parser.add_argument(
        "bundle",
        type=PathRole.MODEL,
        metavar="BUNDLE",
        help="a model made by raygene train, its address (s3://…), or the name of one of raygene models",
    )
    parser.add_argument(
        "--fasta", type=PathRole.READ_FILE, required=True, metavar="FASTA", help="the genome: plain or compressed"
    )


def add_options(group: argparse._ActionsContainer) -> None:
    """Add the options of a comparison that `scan` and `compare` have in common."""
    group.add_argument(
        "--annotation-types",
        action="extend",
        nargs="+",
        metavar="TYPE",
        help="types of the annotation that count: of genes, of transcripts (mRNA), or CDS (default gene, with or "
        "without a row of its own)",
    )
    group.add_argument(
        "--annotation-biotypes",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="biotypes of annotated genes that count (default all)",
    )
    group.add_argument(
        "--eval-chromosomes",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="compare on these sequences only (default: all)",
    )
    group.add_argument(
        "--region",
        action="extend",
        nargs="+",
        metavar="REGION",
        help="compare on these regions only, such as IV:1-250,000: first and last base, counted from 1",
    )
    group.add_argument(
        "--dataset",
        type=PathRole.READ_DATASET,
        metavar="DATASET",
        help="compare on what a split of this dataset holds only",
    )
    group.add_argument("--split", choices=SPLITS, help="which split of --dataset (default test)")


def regions(arguments: argparse.Namespace, lengths: Mapping[str, int], fasta: Path) -> list[Region] | None:
    """The regions that are compared; None for the whole genome.

    Raises:
        UsageError: a name that the FASTA file lacks, a region that does not exist, or flags that exclude each other.
        DatasetError: the dataset's split is no set of regions, or none of them is in the genome.
    """
    from pipelines.genome import region
    from pipelines.genome.region import Region

    flags = [flag for flag in ("eval_chromosomes", "region", "dataset") if getattr(arguments, flag) is not None]
    if len(flags) > 1:
        first, second = (f"--{flag.replace('_', '-')}" for flag in flags[:2])
        raise UsageError(f"{second}: {first} says already what is compared", "give one of them")
    if arguments.split is not None and arguments.dataset is None:
        raise UsageError("--split: no dataset whose split it could be", "give --dataset")
    if arguments.dataset is not None:
        return _of_split(arguments.dataset, arguments.split or "test", lengths, fasta)
    if arguments.region is not None:
        found = [region.parse(text, lengths, "--region") for text in arguments.region]
        region.require_disjoint([("--region", one) for one in found])
        return found
    if arguments.eval_chromosomes is None:
        return None
    if unknown := [name for name in arguments.eval_chromosomes if name not in lengths]:
        raise UsageError(
            f"--eval-chromosomes {unknown[0]}: no such sequence in {fasta}",
            f"there are {', '.join(list(lengths)[:5])}, …",
        )
    chosen = set(arguments.eval_chromosomes)
    return [Region("", name, 0, length) for name, length in lengths.items() if name in chosen]


def require_dataset(arguments: argparse.Namespace) -> None:
    """Refuse a dataset that is not there before anything large is read.

    Raises:
        DatasetError: there is no finished dataset.
        InputError, StorageError: its address cannot be reached.
    """
    if arguments.dataset is not None:
        _manifest(arguments.dataset)


def _manifest(dataset: str) -> Mapping[str, Any]:
    from pipelines.dataset import location
    from pipelines.dataset.manifest import read_manifest

    return read_manifest(location.local(location.of_argument(dataset), []))


def _of_split(dataset: str, split: str, lengths: Mapping[str, int], fasta: Path) -> list[Region]:
    """The regions of a dataset's split that this genome has."""
    from pipelines.dataset import split_regions
    from pipelines.errors import DatasetError
    from pipelines.genome.region import Region

    manifest = _manifest(dataset)
    listed = [one for one in split_regions.of(manifest, split) if one.start < lengths.get(one.chromosome, 0)]
    if not listed:
        raise DatasetError(f"{dataset}: no sequence of its {split} split is in {fasta}", "check --dataset and --fasta")
    genomes = {one.genome for one in listed}
    if len(genomes) > 1:
        genomes &= _genomes_of(manifest, fasta)
    if len(genomes) != 1:
        raise DatasetError(
            f"{dataset}: several of its genomes have sequences of these names, and {fasta} is the file of none",
            "name the regions with --region",
        )
    return [
        Region("", one.chromosome, one.start, min(one.end, lengths[one.chromosome]))
        for one in listed
        if one.genome in genomes
    ]


def _genomes_of(manifest: Mapping[str, Any], fasta: Path) -> set[str]:
    """The genomes of a dataset that were built from a FASTA file."""
    from pipelines.inputs import contents

    content = contents.of_file(fasta)
    return {row["genome"] for row in manifest.get("inputs", []) if row.get("fasta_sha256") == content}


def selection(types: Sequence[str] | None, biotypes: Sequence[str] | None = None) -> Selection:
    """What counts of a file, by the values of flags."""
    from pipelines.gene_models.selection import Selection

    return Selection(tuple(types or ()), tuple(biotypes) if biotypes is not None else None)


def read(path: Path, chosen: Selection, lengths: Mapping[str, int], terminal: Terminal) -> GeneFile:
    """Read genes or calls, of which there may be none; those that reach past the end of their sequence are cut off.

    Args:
        path: BED, GFF3 or GTF.
        chosen: which genes and transcripts count.
        lengths: bases of every sequence of the genome.
        terminal: shows what is left out, and why.

    Raises:
        InputError: the file is missing or damaged, or all of its features are on other sequences.
    """
    from pipelines.gene_models import reader

    found = reader.read(path, lengths, chosen)
    _tell_what_is_unused(found, terminal)
    off_genome = found.left_out["unknown_sequence"] + found.left_out["past_the_end"]
    if off_genome:
        unknown = ", ".join(found.unknown)[:80]
        reason = f"on sequences that the genome lacks ({unknown})" if unknown else "past the end of their sequence"
        if not found.genes:
            raise InputError(
                f"{path}: all of its {off_genome:,} features are {reason}",
                f"make the names agree; the genome has {', '.join(list(lengths)[:3])}",
            )
        total = len(found.genes) + off_genome
        terminal.warn(f"{path}: {off_genome:,} of {total:,} features are left out: they are {reason}")
    elif not found.genes and found.types:
        terminal.warn(
            f"{path}: no gene of type {', '.join(chosen.types) or 'gene'}; the file has {_most_common(found.types)}"
        )
    if found.cut_off:
        terminal.warn(f"{path}: {found.describe_cut_off()}")
    return found


def _tell_what_is_unused(found: GeneFile, terminal: Terminal) -> None:
    if found.derived:
        span = agreeing(found.derived, "has no row of its own and spans its", "have no row of their own and span their")
        terminal.note(f"{found.path}: {counted(found.derived, 'gene')} {span} parts")
    if found.repeated:
        repeat = agreeing(found.repeated, "repeats", "repeat")
        terminal.note(
            f"{found.path}: {counted(found.repeated, 'gene')} {repeat} the place and structure of another, and "
            f"{agreeing(found.repeated, 'counts', 'count')} too"
        )
    if found.unused:
        rows = found.unused.total()
        are = agreeing(rows, "is", "are")
        terminal.note(f"{found.path}: {counted(rows, 'row')} {are} in no gene ({_reasons(found.unused)})")
    others = found.left_out.copy()
    del others["unknown_sequence"], others["past_the_end"]
    if others:
        genes = others.total()
        do = agreeing(genes, "does", "do")
        terminal.note(f"{found.path}: {counted(genes, 'gene')} {do} not count ({_reasons(others)})")


def _reasons(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in counts.most_common())


def _most_common(types: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in types.most_common(6)) or "rows without types"


def names_of(paths: Sequence[Path], given: Sequence[str] | None) -> list[str]:
    """What call sets are called on tables: the names given, else those of the files, told apart by their folders.

    Raises:
        UsageError: names that are not one for each file, empty, or not all different.
    """
    if given is not None:
        if len(given) != len(paths):
            raise UsageError(f"--names: {len(given)} names for {len(paths)} files of calls", "give one for each")
        if not all(name.strip() for name in given):
            raise UsageError("--names: one is empty", "give every call set a name")
        if len(set(given)) < len(given):
            raise UsageError("--names: two are equal", "give every call set a name of its own")
        return list(given)
    names = [path.name for path in paths]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    names = [(Path(path.parent.name) / path.name).as_posix() if path.name in repeated else path.name for path in paths]
    counts = Counter(names)
    return [f"{number}:{name}" if counts[name] > 1 else name for number, name in enumerate(names, 1)]


def compare(
    annotation: GeneFile,
    call_sets: Mapping[str, GeneFile],
    lengths: Mapping[str, int],
    chosen: Sequence[Region] | None,
    terminal: Terminal,
) -> Comparison:
    """Compare, and say what is left out and what looks like a mistake.

    Args:
        annotation: known genes.
        call_sets: name to calls.
        lengths: bases of every sequence of the genome.
        chosen: the regions to compare on; None for all of it.
        terminal: shows notes and warnings.
    """
    from pipelines.comparison import compare as core

    comparison = core.compare(
        annotation.genes, {name: found.genes for name, found in call_sets.items()}, lengths, chosen
    )
    of_sets = [*zip(call_sets, comparison.called_across, comparison.called_of_genes_across, strict=True)]
    across = comparison.annotated_across + sum(own + of_genes for _, own, of_genes in of_sets)
    given = len(annotation.genes) + sum(len(found.genes) for found in call_sets.values())
    taken = len(comparison.genes) + sum(len(result.calls) for result in comparison.call_sets)
    if left_out := given - taken - across:
        where = "on sequences" if comparison.is_of_whole_sequences else "in regions"
        terminal.note(f"{left_out:,} calls and genes are {where} that are not compared")
    if across:
        called = ", ".join(f"{own:,} of {name}" for name, own, _ in of_sets)
        terminal.note(
            f"genes across the border of a region are left out: {comparison.annotated_across:,} annotated, "
            f"called {called}"
        )
    if any(comparison.called_of_genes_across):
        called = ", ".join(f"{of_genes:,} of {name}" for name, _, of_genes in of_sets)
        terminal.note(f"calls that overlap only annotated genes left out so are left out too: {called}")
    _warn_if_nothing_matches(comparison, annotation, call_sets, terminal)
    return comparison


def _warn_if_nothing_matches(
    comparison: Comparison, annotation: GeneFile, call_sets: Mapping[str, GeneFile], terminal: Terminal
) -> None:
    if not comparison.genes:
        terminal.warn(f"{annotation.path}: no annotated gene to compare with")
        return
    coding = [any(one.cds for one in gene.transcripts) for gene in comparison.genes if gene.transcripts]
    without_cds = len(coding) - sum(coding)
    for result in comparison.call_sets:
        figures = result.figures()
        if not result.calls:
            terminal.note(f"{result.name}: no call to compare")
        elif not figures["touched"].recovered:
            terminal.warn(
                f"{result.name}: none of {counted(len(result.calls), 'call')} overlaps one of "
                f"{len(comparison.genes):,} annotated genes on its strand; the calls have "
                f"{_most_common(call_sets[result.name].types)}, the annotation {_most_common(annotation.types)}: check "
                "--call-types, --annotation-types and whether both files are of this genome"
            )
        elif "cds" in result.levels and without_cds >= NOTED_SHARE * len(coding):
            terminal.note(
                f"{without_cds:,} of {len(coding):,} annotated genes have no CDS; --annotation-types mRNA compares "
                "with the others only"
            )
            break


def analyse(comparison: Comparison, genome: Genome, resampling: Resampling, terminal: Terminal) -> Analysis:
    """Compute intervals, slices and lists, show them, and return them.

    Args:
        comparison: what was compared.
        genome: the sequence.
        resampling: how intervals are computed.
        terminal: shows the tables.
    """
    from pipelines.comparison import analysis
    from pipelines.comparison.report import conclusions, tables

    with terminal.stage("computing intervals"):
        analysed = analysis.analyse(comparison, genome, resampling)
    for table in tables.terminal_tables(analysed):
        terminal.table(table.caption, table.header, table.rows)
    if len(analysed.names) > 1:
        for sentence in conclusions.conclude(analysed):
            terminal.say(sentence)
    return analysed


def write_json(analysed: Analysis, path: Path) -> None:
    """Write the figures."""
    from pipelines.comparison.report import json_report

    storage.write_json(path, json_report.to_json(analysed), allow_nan=False)
