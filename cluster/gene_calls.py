"""Called genes compared with annotated ones, on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cluster.terminal import Terminal
from pipelines import storage
from pipelines.errors import InputError, UsageError
from pipelines.genome import annotation, contigs
from pipelines.genome.features import Feature
from pipelines.inputs import contents
from training.scan import accuracy


def compared(lengths: Mapping[str, int], names: Sequence[str] | None, fasta: Path) -> dict[str, int]:
    """The sequences on which calls are compared with genes, with their bases: those named, else all.

    Raises:
        UsageError: a name that the FASTA file lacks.
    """
    if unknown := [name for name in names or [] if name not in lengths]:
        raise UsageError(
            f"--eval-chromosomes {unknown[0]}: no such sequence in {fasta}",
            f"there are {', '.join(list(lengths)[:5])}, …",
        )
    chosen = set(names or lengths)
    return {name: length for name, length in lengths.items() if name in chosen}


def read(path: Path, feature_types: Sequence[str], lengths: Mapping[str, int], terminal: Terminal) -> list[Feature]:
    """Read genes or calls, of which there may be none; those that reach past the end of their sequence are cut off.

    Args:
        path: BED, GFF3 or GTF.
        feature_types: GFF3 or GTF types to read.
        lengths: bases of every sequence of the genome.
        terminal: shows a warning for features that are on no sequence of the genome.

    Raises:
        InputError: the file is missing or damaged, or all of its features are on other sequences.
    """
    with contents.unchanged(path):
        annotated = annotation.read(path, feature_types, [], may_be_empty=True)
    if unused := annotated.describe_unused():
        terminal.note(f"{path}: {unused}")
    features = contigs.in_fasta(annotated.genes, lengths)
    placed = [
        replace(feature, end=min(feature.end, lengths[feature.chromosome]))
        for feature in features
        if feature.start < lengths.get(feature.chromosome, 0)
    ]
    if lost := len(features) - len(placed):
        chromosomes = (feature.chromosome for feature in features)
        unknown = ", ".join(dict.fromkeys(name for name in chromosomes if name not in lengths))[:80]
        reason = f"on sequences that the genome lacks ({unknown})" if unknown else "past the end of their sequence"
        if not placed:
            raise InputError(
                f"{path}: all of its {lost:,} features are {reason}",
                f"make the names agree; the genome has {', '.join(list(lengths)[:3])}",
            )
        terminal.warn(f"{path}: {lost:,} of {len(features):,} features are left out: they are {reason}")
    return placed


def show(
    calls: Sequence[Feature],
    genes: Sequence[Feature],
    lengths: Mapping[str, int],
    terminal: Terminal,
    path: Path | None,
) -> None:
    """Show how calls agree with genes.

    Args:
        calls: called genes.
        genes: annotated genes.
        lengths: bases of the sequences that are compared; calls and genes on others are left out.
        terminal: shows the table.
        path: of a JSON file for the figures; None for none.
    """
    levels = accuracy.compare(calls, genes, lengths)
    names = ", ".join(list(lengths)[:6]) + (" …" if len(lengths) > 6 else "")
    if left_out := sum(feature.chromosome not in lengths for feature in (*calls, *genes)):
        terminal.note(f"{left_out:,} calls and genes are on sequences that are not compared")
    terminal.table(
        f"Calls compared with the annotation, on {names}", accuracy.HEADER, [level.row() for level in levels.values()]
    )
    if path:
        storage.write_json(path, accuracy.to_json(levels, lengths))
