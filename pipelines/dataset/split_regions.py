"""Which stretches of a genome each split of a dataset holds, from its manifest.

The manifest lists them (`split_regions`) for chromosomes that were cut into blocks or regions. Every other chromosome
of a split by chromosome or genome is whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.errors import DatasetError
from pipelines.genome.region import Region

KEY = "split_regions"
WHOLE = 1 << 62
"""The end of a region that is a whole chromosome, of which a manifest does not say how long it is."""


def describe(regions: Mapping[str, Sequence[Region]]) -> dict[str, list[dict[str, Any]]]:
    """The manifest's entry: each split to its regions, 0-based half-open, in the order given."""
    return {
        split: [
            {"genome": one.genome, "chromosome": one.chromosome, "start": one.start, "end": one.end} for one in found
        ]
        for split, found in regions.items()
    }


def listed(manifest: Mapping[str, Any], split: str) -> list[Region]:
    """The regions of a split on chromosomes that were cut; none where the manifest lists none."""
    rows = manifest.get(KEY, {}).get(split, [])
    return [Region(row["genome"], row["chromosome"], row["start"], row["end"]) for row in rows]


def of(manifest: Mapping[str, Any], split: str) -> list[Region]:
    """The regions of a split; a whole chromosome is one from 0 to `WHOLE`.

    Args:
        manifest: of a finished dataset.
        split: train, validation or test.

    Raises:
        DatasetError: the dataset is of labelled sequences, its split is no set of regions (`by: family` or `random`),
            it is of a version that did not write down its blocks, or nothing is in the split.
    """
    by = manifest["config"].get("split", {}).get("by")
    if by in ("family", "random"):
        raise DatasetError(
            f"split.by {by}: its {split} split is spread over whole genomes and has no regions of its own",
            "build a dataset with split.by chromosome, block or region",
        )
    cut = manifest.get(KEY, {})
    if manifest.get("split_in_blocks") and not cut:
        raise DatasetError(
            "the dataset is cut into blocks, but of a version that did not write down where they are",
            "build it again in a new directory",
        )
    regions = listed(manifest, split)
    is_cut = {(row["genome"], row["chromosome"]) for rows in cut.values() for row in rows}
    whole = dict.fromkeys(
        (row["genome"], row["chromosome"])
        for row in manifest["counts"]
        if row["split"] == split and row["source"] != "sequence"
    )
    regions += [Region(*name, 0, WHOLE) for name in whole if name not in is_cut]
    if not regions:
        raise DatasetError(f"the dataset has no {split} split of a genome", "choose another split")
    return regions
