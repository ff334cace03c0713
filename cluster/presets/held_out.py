"""Which part of a genome is kept for validation and test, by the genes of its sequences.

Whole chromosomes where some have a fitting share of the genes, stretches between two genes where they have not, and
shares by sequence where there are too many sequences to name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from pipelines.genome.intervals import Intervals, merge

VALIDATION, TEST = 0.1, 0.2
"""Shares of the genes that are aimed at."""
MOST_NAMED = 60
"""More sequences than these are not named one by one."""
_FITS_TEST, _FITS_VALIDATION = (0.12, 0.28), (0.06, 0.14)


@dataclass(frozen=True)
class Stretch:
    """A stretch of a sequence, or all of it.

    Attributes:
        name: of the sequence.
        start, end: 0-based half-open; None for a whole sequence.
        genome: of the sequence, where there are several.
    """

    name: str
    start: int | None = None
    end: int | None = None
    genome: str = ""

    def __str__(self) -> str:
        """As a list of `split` names it."""
        name = f"{self.genome}:{self.name}" if self.genome else self.name
        return name if self.start is None else f"{name}:{self.start + 1}-{self.end}"


@dataclass(frozen=True)
class HeldOut:
    """A split.

    Attributes:
        by: value of the key `split.by`.
        validation, test: what is kept; empty where shares are drawn.
        genes: number of genes of each split; empty where shares are drawn.
        train_bases: bases that remain for training, about.
    """

    by: str
    validation: list[Stretch] = field(default_factory=list)
    test: list[Stretch] = field(default_factory=list)
    genes: dict[str, int] = field(default_factory=dict)
    train_bases: int = 0


def choose(lengths: Mapping[str, int], genes: Mapping[str, Intervals]) -> HeldOut:
    """Choose what is kept for validation and test; the same for the same genome.

    Args:
        lengths: bases of each sequence, of which there is at least one.
        genes: start and end of the genes of each, shape (genes, 2).
    """
    total = sum(map(len, genes.values()))
    bases = sum(lengths.values())
    if len(lengths) > MOST_NAMED:
        return HeldOut("chromosome", train_bases=round(bases * (1 - VALIDATION - TEST)))
    counts = {name: len(genes[name]) for name in lengths}
    test = _whole(counts, total, TEST, _FITS_TEST) if len(lengths) > 1 else []
    rest = {name: count for name, count in counts.items() if name not in test}
    validation = _whole(rest, total, VALIDATION, _FITS_VALIDATION) if test and len(rest) > 1 else []
    if test and validation:
        return _described("chromosome", [*map(Stretch, validation)], [*map(Stretch, test)], lengths, genes)
    if test:
        # The smallest of the others that loses less than half of its genes.
        source = min(rest, key=lambda name: (rest[name] < 2 * VALIDATION * total, rest[name], name))
        first = _first(lengths[source], genes[source], round(VALIDATION * total))
        return _described("region", [Stretch(source, 0, first)], [*map(Stretch, test)], lengths, genes)
    source = max(counts, key=lambda name: (counts[name], name))
    count = counts[source]
    begin = _first(lengths[source], genes[source], round(count - min(TEST * total, count / 4)))
    before = _first(lengths[source], genes[source], round(count - min((TEST + VALIDATION) * total, count / 2.5)))
    kept = [Stretch(source, before, begin)], [Stretch(source, begin, lengths[source])]
    return _described("region", *kept, lengths, genes)


def together(chosen: Mapping[str, HeldOut]) -> HeldOut:
    """The split of several genomes: what was chosen of each of them.

    Where one has too many sequences to name, shares are drawn of all: an experiment has names or shares.

    Args:
        chosen: genome to its split, at least one.
    """
    if len(chosen) == 1:
        return next(iter(chosen.values()))
    train_bases = sum(one.train_bases for one in chosen.values())
    if not all(one.genes for one in chosen.values()):
        return HeldOut("chromosome", train_bases=train_bases)
    kept = {
        split: [replace(part, genome=genome) for genome, one in chosen.items() for part in getattr(one, split)]
        for split in ("validation", "test")
    }
    genes = {split: sum(one.genes[split] for one in chosen.values()) for split in ("train", "validation", "test")}
    by = "region" if any(one.by == "region" for one in chosen.values()) else "chromosome"
    return HeldOut(by, kept["validation"], kept["test"], genes, train_bases)


def _whole(counts: Mapping[str, int], total: int, share: float, fits: tuple[float, float]) -> list[str]:
    """Sequences that together have about a share of all genes; none where no choice fits.

    One sequence if one fits, otherwise the largest that still go into the share; at least two are left.
    """
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    single = [name for name in ordered if fits[0] * total <= counts[name] <= fits[1] * total]
    if single and len(counts) <= 5:
        return [min(single, key=lambda name: (abs(counts[name] - share * total), name))]
    chosen: list[str] = []
    held = 0
    for name in ordered[1:] if len(ordered) > 2 else ordered:
        if held + counts[name] <= share * total * 1.1:
            chosen.append(name)
            held += counts[name]
        if held >= share * total * 0.9:
            break
    return chosen if fits[0] * total <= held <= fits[1] * total and len(chosen) < len(counts) else []


def _first(length: int, genes: Intervals, count: int) -> int:
    """The base, between two genes, before which about `count` genes lie."""
    merged = merge(genes[np.argsort(genes[:, 0], kind="stable")])
    begins = np.searchsorted(np.sort(genes[:, 0]), merged[:, 0])
    following = int(np.clip(np.searchsorted(begins, count), 0, len(merged)))
    if following in (0, len(merged)):
        return length * following // len(merged) if len(merged) == 1 else (0 if following == 0 else length)
    return int(merged[following - 1, 1] + merged[following, 0]) // 2


def _described(
    by: str,
    validation: list[Stretch],
    test: list[Stretch],
    lengths: Mapping[str, int],
    genes: Mapping[str, Intervals],
) -> HeldOut:
    counts = {"validation": _genes_in(validation, genes), "test": _genes_in(test, genes)}
    total = sum(map(len, genes.values()))
    counts = {"train": total - sum(counts.values()), **counts}
    return HeldOut(by, validation, test, counts, sum(lengths.values()) - _bases([*validation, *test], lengths))


def _genes_in(stretches: Iterable[Stretch], genes: Mapping[str, Intervals]) -> int:
    count = 0
    for stretch in stretches:
        starts = genes[stretch.name][:, 0]
        if stretch.start is None or stretch.end is None:
            count += len(starts)
        else:
            count += int(((starts >= stretch.start) & (starts < stretch.end)).sum())
    return count


def _bases(stretches: Iterable[Stretch], lengths: Mapping[str, int]) -> int:
    return sum(
        lengths[stretch.name] if stretch.start is None or stretch.end is None else stretch.end - stretch.start
        for stretch in stretches
    )
