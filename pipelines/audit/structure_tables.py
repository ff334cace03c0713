"""What the manifest of a dataset of the task `structure` says: windows, genes, states and masked bases by split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.report import Table

Manifest = Mapping[str, Any]


def windows_table(manifest: Manifest) -> Table:
    """Stretches, windows, bases and labelled genes of each genome and split."""
    rows: list[tuple[object, ...]] = []
    for part in manifest["structure"]:
        labelled, masked = part["genes"].get("labelled", 0), part["states"].get("masked", 0)
        names = (part["genome"], part["split"], part["stretches"], part["windows"], part["bases"])
        rows.append((*names, labelled, share(masked, 2 * part["bases"])))
    header = ("genome", "split", "stretches", "windows", "bases", "labelled genes", "masked, both strands")
    return Table(f"Windows of {manifest['config']['window']['length']:,} bases", header, rows)


def genes_table(manifest: Manifest) -> Table:
    """What became of every gene on the sequences in use."""
    return _by_split(manifest, "genes", "Every gene accounted for", "genes", first="labelled")


def left_out_table(manifest: Manifest) -> Table:
    """Genes that are on no sequence in use, by reason."""
    rows: list[tuple[object, ...]] = [
        (genome, reason.replace("_", " "), count)
        for genome, reasons in manifest["dropped"].items()
        for reason, count in reasons.items()
    ]
    return Table("Genes on no sequence in use", ("genome", "reason", "genes"), rows)


def masked_table(manifest: Manifest) -> Table:
    """Bases left out of the loss, of both strands, by reason."""
    return _by_split(manifest, "masked", "Masked bases of both strands", "reason")


def states_table(manifest: Manifest) -> Table:
    """Share of the bases of both strands in each state."""
    parts = manifest["structure"]
    totals = [2 * part["bases"] for part in parts]
    rows: list[tuple[object, ...]] = [
        (name, *(share(part["states"].get(name, 0), total) for part, total in zip(parts, totals, strict=True)))
        for name in dict.fromkeys(name for part in parts for name in part["states"])
        if any(part["states"].get(name) for part in parts)
    ]
    return Table("States, share of the bases of both strands", ("state", *columns(manifest)), rows)


def share(part: int, total: int) -> str:
    """A part of a total in per cent."""
    return f"{part / max(total, 1):.2%}"


def _by_split(manifest: Manifest, key: str, caption: str, name: str, first: str = "") -> Table:
    parts = manifest["structure"]
    reasons = sorted({reason for part in parts for reason in part[key]}, key=lambda reason: (reason != first, reason))
    rows: list[tuple[object, ...]] = [
        (reason.replace("_", " "), *(part[key].get(reason, 0) for part in parts)) for reason in reasons
    ]
    return Table(caption, (name, *columns(manifest)), rows)


def columns(manifest: Manifest) -> list[str]:
    """A name for each genome and split; without the genome where there is one."""
    parts = manifest["structure"]
    is_single = len({part["genome"] for part in parts}) == 1
    return [part["split"] if is_single else f"{part['genome']} {part['split']}" for part in parts]
