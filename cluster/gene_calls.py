"""Called genes compared with annotated ones, on the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cluster.terminal import Terminal
from pipelines import storage
from pipelines.errors import InputError, UsageError
from pipelines.genome import annotation
from pipelines.genome.features import Feature
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
    return {name: length for name, length in lengths.items() if not names or name in names}


def read(path: Path, feature_types: Sequence[str], lengths: Mapping[str, int], terminal: Terminal) -> list[Feature]:
    """Genes or calls of a file, those past the end of their sequence cut off; there may be none.

    Args:
        path: BED, GFF3 or GTF.
        feature_types: GFF3 or GTF types to take.
        lengths: bases of every sequence of the genome.
        terminal: warned of what lies on no sequence of it.

    Raises:
        InputError: missing or damaged, or all of it lies on other sequences.
    """
    every = annotation.read(path, feature_types, [], may_be_empty=True).genes
    kept = [
        replace(one, end=min(one.end, lengths[one.chromosome]))
        for one in every
        if one.start < lengths.get(one.chromosome, 0)
    ]
    if lost := len(every) - len(kept):
        names = ", ".join(dict.fromkeys(one.chromosome for one in every if one.chromosome not in lengths))[:80]
        where = f"on sequences that the genome lacks ({names})" if names else "past the end of their sequence"
        if not kept:
            raise InputError(
                f"{path}: all of its {lost:,} features lie {where}",
                f"make the names agree; the genome has {', '.join(list(lengths)[:3])}",
            )
        terminal.warn(f"{path}: {lost:,} of {len(every):,} features are left out: they lie {where}")
    return kept


def show(
    calls: Sequence[Feature],
    genes: Sequence[Feature],
    lengths: Mapping[str, int],
    terminal: Terminal,
    path: Path | None,
) -> None:
    """Print how calls agree with genes on some sequences, and write it as JSON to `path` if there is one."""
    levels = accuracy.compare(calls, genes, lengths)
    where = ", ".join(list(lengths)[:6]) + (" …" if len(lengths) > 6 else "")
    if elsewhere := sum(one.chromosome not in lengths for one in (*calls, *genes)):
        terminal.note(f"{elsewhere:,} calls and genes lie on sequences that are not compared")
    terminal.table(
        f"Calls compared with the annotation, on {where}", accuracy.HEADER, [one.row() for one in levels.values()]
    )
    if path:
        storage.write_text(path, json.dumps(accuracy.to_json(levels, lengths), indent=1) + "\n")
