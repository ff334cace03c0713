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
_MOST_CROSSING, _MOST_CROSSING_GENES = 0.05, 20
"""Share and number of the genes that may cross a border where no borders between genes fit; one always may."""


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
        crossing: number of genes that cross a border, and so are in no split; `genes` has them where they start.
    """

    by: str
    validation: list[Stretch] = field(default_factory=list)
    test: list[Stretch] = field(default_factory=list)
    genes: dict[str, int] = field(default_factory=dict)
    train_bases: int = 0
    crossing: int = 0


def choose(lengths: Mapping[str, int], genes: Mapping[str, Intervals]) -> HeldOut:
    """Choose what is kept for validation and test; the same for the same genome.

    Nothing is kept where the genes cannot be divided into three: there are fewer, or they overlap one another.

    Args:
        lengths: bases of each sequence, of which there is at least one.
        genes: start and end of the genes of each, shape (genes, 2).
    """
    chosen = _by_share(lengths, genes)
    if not chosen.genes or all(chosen.genes.values()):
        return chosen
    total = sum(map(len, genes.values()))
    nothing = HeldOut("chromosome", genes={"train": total, "validation": 0, "test": 0}, train_bases=chosen.train_bases)
    return min(_of_few_genes(lengths, genes), key=_distance_from_aim, default=nothing)


def _by_share(lengths: Mapping[str, int], genes: Mapping[str, Intervals]) -> HeldOut:
    """What has the shares that are aimed at; a split may have no gene where genes are few or overlap one another."""
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


def _of_few_genes(lengths: Mapping[str, int], genes: Mapping[str, Intervals]) -> list[HeldOut]:
    """Every simple choice that gives each split a gene."""
    smallest, *others = sorted(lengths, key=lambda name: (len(genes[name]), name))
    choices = [_divided(name, lengths, genes) for name in lengths]
    if others:
        bounds = _bounds_of_runs(genes[others[-1]])
        if len(bounds) > 1:
            first = Stretch(others[-1], 0, _between(bounds, 1))
            choices.append(_described("region", [first], [Stretch(smallest)], lengths, genes))
    if len(others) > 1:
        choices.append(_described("chromosome", [Stretch(smallest)], [Stretch(others[0])], lengths, genes))
    return [one for one in choices if one is not None]


def _distance_from_aim(chosen: HeldOut) -> float:
    total = sum(chosen.genes.values())
    held = abs(chosen.genes["test"] / total - TEST) + abs(chosen.genes["validation"] / total - VALIDATION)
    return held + chosen.crossing / total


def _divided(name: str, lengths: Mapping[str, int], genes: Mapping[str, Intervals]) -> HeldOut | None:
    """Stretches at the end of a sequence, of which each split has one with genes; None where there are none.

    Where they have not the shares that are aimed at, borders may lie within the longest genes, of which some reach over
    most of a sequence.
    """
    total = sum(map(len, genes.values()))
    own = genes[name][np.argsort(genes[name][:, 0] - genes[name][:, 1], kind="stable")]
    best = None
    most = min(max(round(_MOST_CROSSING * len(own)), 1), _MOST_CROSSING_GENES)
    for crossing in range(most + 1):
        runs = _bounds_of_runs(own[crossing:])
        if len(runs) < 3:
            continue
        firsts = np.searchsorted(np.sort(own[crossing:, 0]), runs[:, 0])
        wanted = len(own) - crossing - TEST * total, len(own) - crossing - (TEST + VALIDATION) * total
        last = 2 + int(np.abs(firsts[2:] - wanted[0]).argmin())
        before = 1 + int(np.abs(firsts[1:last] - wanted[1]).argmin())
        begin, end = _between(runs, before), _between(runs, last)
        kept = [Stretch(name, begin, end)], [Stretch(name, end, lengths[name])]
        chosen = _described("region", *kept, lengths, genes)
        best = best or chosen
        if _FITS_TEST[0] <= chosen.genes["test"] / total <= _FITS_TEST[1] and (
            _FITS_VALIDATION[0] <= chosen.genes["validation"] / total <= _FITS_VALIDATION[1]
        ):
            return chosen
    return best


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
    crossing = sum(one.crossing for one in chosen.values())
    return HeldOut(by, kept["validation"], kept["test"], genes, train_bases, crossing)


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
    merged = _bounds_of_runs(genes)
    begins = np.searchsorted(np.sort(genes[:, 0]), merged[:, 0])
    following = int(np.clip(np.searchsorted(begins, count), 0, len(merged)))
    if following in (0, len(merged)):
        return length * following // len(merged) if len(merged) == 1 else (0 if following == 0 else length)
    return _between(merged, following)


def _bounds_of_runs(genes: Intervals) -> Intervals:
    """Start and end of each run of genes that overlap, by start."""
    return merge(genes[np.argsort(genes[:, 0], kind="stable")])


def _between(runs: Intervals, number: int) -> int:
    """The middle of the bases before a run that is not the first."""
    return int(runs[number - 1, 1] + runs[number, 0]) // 2


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
    train_bases = sum(lengths.values()) - _bases([*validation, *test], lengths)
    return HeldOut(by, validation, test, counts, train_bases, _crossing([*validation, *test], lengths, genes))


def _crossing(stretches: Iterable[Stretch], lengths: Mapping[str, int], genes: Mapping[str, Intervals]) -> int:
    """Number of genes that cross a border within their sequence."""
    crossing = 0
    for name, own in genes.items():
        borders = {base for one in stretches if one.name == name for base in (one.start, one.end) if base}
        inner = np.array(sorted(base for base in borders if base < lengths[name]), np.int64)
        # The first border after a gene's first base lies before its end.
        following = np.append(inner, lengths[name])[np.searchsorted(inner, own[:, 0], side="right")]
        crossing += int((following < np.minimum(own[:, 1], lengths[name])).sum())
    return crossing


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
