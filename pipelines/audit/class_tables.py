"""Counts of a dataset of sequences with classes, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipelines import schema
from pipelines.dataset.manifest import classes
from pipelines.report import Table


def counts(manifest: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """Each split that has rows to the number of its sequences of each class."""
    names = classes(manifest)
    found: dict[str, Counter[str]] = {split: Counter() for split in schema.SPLITS}
    for entry in manifest["counts"]:
        found[entry["split"]][names[entry["label"]]] += entry["rows"]
    return {split: of_split for split, of_split in found.items() if of_split}


def counts_table(manifest: Mapping[str, Any]) -> Table:
    """Sequences of each class and split, with their share of the split."""
    by_split = counts(manifest)
    rows: list[tuple[object, ...]] = []
    for name in classes(manifest):
        cells: list[object] = []
        for of_split in by_split.values():
            cells += [of_split[name], f"{of_split[name] / of_split.total():.1%}"]
        rows.append((name, *cells))
    header = [cell for split in by_split for cell in (split, "share")]
    return Table("Sequences by class", ("class", *header), rows)
