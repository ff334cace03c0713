"""Called genes beside annotated ones, on the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.terminal import Terminal
from pipelines import annotation, bed, storage
from pipelines.errors import InputError, UsageError
from pipelines.features import Feature
from training.scan import accuracy


def judged(lengths: Mapping[str, int], names: Sequence[str] | None, fasta: Path) -> dict[str, int]:
    """The sequences on which calls are judged, with their bases: those named, else all.

    Raises:
        UsageError: a name that the FASTA file lacks.
    """
    if unknown := [name for name in names or [] if name not in lengths]:
        raise UsageError(
            f"--judged {unknown[0]}: no such sequence in {fasta}", f"there are {', '.join(list(lengths)[:5])}, …"
        )
    return {name: length for name, length in lengths.items() if not names or name in names}


def known_genes(path: Path, feature_types: Sequence[str], lengths: Mapping[str, int]) -> list[Feature]:
    """The genes of an annotation.

    Raises:
        InputError: missing or damaged, or no gene lies on one of the sequences.
    """
    if annotation.format_of(path) == "BED":
        genes = bed.read_intervals(path, feature_types)
    else:
        genes = annotation.read(path, feature_types, []).genes
    if not any(gene.chromosome in lengths for gene in genes):
        there = ", ".join(dict.fromkeys(gene.chromosome for gene in genes[:1000]))[:80]
        raise InputError(f"{path}: no gene lies on the judged sequences", f"the genes lie on {there}")
    return genes


def show(
    calls: Sequence[Feature],
    genes: Sequence[Feature],
    lengths: Mapping[str, int],
    terminal: Terminal,
    path: Path | None,
) -> None:
    """Print how calls agree with genes, and write it as JSON to `path` if there is one."""
    levels = accuracy.judge(calls, genes, lengths)
    where = ", ".join(list(lengths)[:6]) + (" …" if len(lengths) > 6 else "")
    terminal.table(f"Calls beside the annotation, on {where}", accuracy.HEADER, [one.row() for one in levels.values()])
    if path:
        storage.write_text(path, json.dumps(accuracy.to_json(levels, lengths), indent=1) + "\n")
