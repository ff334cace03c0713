"""Whether whole genes leave so little room for negatives that most of them are shortened, before and after a build.

A negative is as long as its gene and lies outside of all genes: where genes fill more of a genome than what is between
them, whole genes and their negatives cannot both have their length.
"""

from __future__ import annotations

from typing import Any

from pipelines.config import DatasetConfig
from pipelines.genome import intervals
from pipelines.genome.source import Source

TOO_SHORT = 0.5
"""A gene that is shortened to less than this share of its length is more of a window than of a gene."""
FIX = "crop.length (such as 512) takes windows of genes instead, and crop.margin hides their ends"


def expected_warnings(config: DatasetConfig, sources: list[Source]) -> list[str]:
    """What to say of genomes in which whole genes will lose more than half of their bases.

    Bases between genes are counted as if negatives could be packed into them, so that less is kept than is said.

    Args:
        config: of the dataset.
        sources: its genomes.
    """
    placed = config.negatives.kinds.get("shuffle", 0.0) / sum(config.negatives.kinds.values())
    if config.crop.length is not None or config.negatives.unplaced == "keep" or not placed:
        return []
    found = []
    for source in sources:
        of_genes = sum(int((own[:, 1] - own[:, 0]).sum()) for own in source.bounds().values())
        needed = placed * config.negatives.ratio * of_genes
        free = sum(_free(source, name, config.negatives.flank) for name in source.lengths)
        if free < TOO_SHORT * needed:
            lost = "cut off" if config.negatives.unplaced == "shorten" else "left out"
            found.append(
                f"{source.genome.name}: negatives as long as whole genes need {needed / 1e6:,.1f} Mb, and "
                f"{free / 1e6:,.1f} Mb are between genes: at least {1 - free / needed:.0%} of the bases of genes "
                f"will be {lost}; {FIX}"
            )
    return found


def warnings(manifest: dict[str, Any]) -> list[str]:
    """What to say of a dataset of whole genes whose median gene lost more than half of its bases.

    Args:
        manifest: of a dataset of the task recognise.
    """
    if manifest.get("config", {}).get("crop", {}).get("length") is not None:
        return []
    found = []
    for genome, genes in manifest["genes"].items():
        before, after = (genes.get(name, {}).get("50%") for name in ("length_before", "length_after"))
        if before and after is not None and after < TOO_SHORT * before:
            found.append(
                f"{genome}: genes were shortened to make room for their negatives: the median gene has "
                f"{round(after):,} bases of {round(before):,}; {FIX}"
            )
    return found


def _free(source: Source, name: str, flank: int) -> int:
    length = source.lengths[name]
    covered = intervals.merge(intervals.widen(source.excluded[name][:, :2], flank, length))
    return length - int((covered[:, 1] - covered[:, 0]).sum())
