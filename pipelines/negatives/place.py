"""Where negatives are made: windows out of each gene, and for each window negatives of the same length.

There are four kinds, mixed by their shares. `shuffle` comes from `bedtools shuffle`, in rounds: what does not fit is
cut to 85 % and tried again. `antisense` and `partial` are cut to what the annotation leaves clear. `dinucleotide` is
the window itself; its letters are shuffled when it is encoded. Each is verified, not trusted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from pipelines.config import KINDS, CropConfig, NegativesConfig
from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals
from pipelines.negatives import antisense, cropping, partial
from pipelines.negatives.matching import Shares
from pipelines.negatives.partial import MIN_INSIDE, GeneEdges
from pipelines.negatives.shuffle import UNPLACED, IntervalShuffler
from pipelines.splits.blocks import Blocks

# Why a gene is left out, as datasets record it.
SHORTER = "shorter_than_crop"
UNMATCHED = "no_match"
DOES_NOT_FIT = {
    "shuffle": "no_room_for_negative",
    "antisense": "gene_on_other_strand",
    "partial": "no_room_beside_gene",
}
SHUFFLE, DINUCLEOTIDE, ANTISENSE, PARTIAL = range(len(KINDS))
# Of a window's negatives the kind with the least choice comes first: its length is the window's.
_RANK = np.array([2, 3, 1, 0])
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Chromosome:
    """One chromosome as negatives see it.

    Attributes:
        name: genome and chromosome, which seed the draws.
        blocks: the splits of its stretches; a shuffled negative stays in its gene's split.
        genes: shape (genes, 2).
        strands: +1 or -1 of each gene, shape (genes,).
        features: gene-like features and excluded intervals, genes among them, shape (features, 2).
        feature_strands: +1, -1, or 0 where it is unknown, shape (features,).
        runs_of_n: shape (runs, 2).
        rows: start and end of the row that each gene is a part of, shape (genes, 2); None where it is the row.
        others: features that belong to none of these genes, shape (n, 2); None where genes are their rows.
        windows_before: windows of the genome's genes on earlier chromosomes, so that a ratio holds over all of them.
    """

    name: tuple[str, str]
    blocks: Blocks
    genes: Intervals
    strands: NDArray[np.int8]
    features: Intervals
    feature_strands: NDArray[np.int8]
    runs_of_n: Intervals
    windows_before: int = 0
    rows: Intervals | None = None
    others: Intervals | None = None

    @property
    def length(self) -> int:
        """Bases."""
        return int(self.blocks.ends[-1])

    def occupied(self, flank: int = 0) -> Intervals:
        """Return features with a flank, runs of N, and the bases at closed borders, merged, shape (m, 2)."""
        widened = intervals.widen(self.features, flank, self.length)
        return intervals.merge(np.concatenate([widened, self.runs_of_n, self.blocks.borders()]))

    def occupied_beside_genes(self) -> Intervals:
        """Return what partial negatives keep clear of outside of their gene, but for other genes, merged."""
        if self.others is None:
            return self.occupied()
        return intervals.merge(np.concatenate([self.others, self.runs_of_n, self.blocks.borders()]))


@dataclass(frozen=True)
class Placement:
    """Windows and negatives of the genes of one chromosome. Without `crop.per_gene` a gene has one window.

    Attributes:
        genes: index of each window's gene, ascending, shape (windows,).
        windows: start and end of each window, shape (windows, 2); -1, -1 where it is left out.
        negatives: start and end of each negative, shape (negatives, 2).
        partners: index of the window that each negative belongs to, shape (negatives,).
        kinds: index of each negative's kind in `KINDS`, shape (negatives,).
        missing: requested negatives of each window that could not be placed, shape (windows,); 0 for one left out.
        reasons: why each window is left out, empty where it is not, shape (windows,).
        left_out: start and end of each window that is left out, shape (windows, 2); -1, -1 where it is kept.
    """

    genes: NDArray[np.int64]
    windows: Intervals
    negatives: Intervals
    partners: NDArray[np.int64]
    kinds: NDArray[np.int64]
    missing: NDArray[np.int64]
    reasons: NDArray[np.object_]
    left_out: Intervals


@dataclass(frozen=True)
class _Requests:
    """The negatives to place; those of one window follow each other, and the first decides the window's length.

    Attributes:
        window: index of each request's window, shape (requests,).
        kind: index of each request's kind in `KINDS`, shape (requests,).
        is_first: whether each request is the first of its window, shape (requests,).
        bounds: start and end of each negative; -1, -1 until it is placed, shape (requests, 2).
    """

    window: NDArray[np.int64]
    kind: NDArray[np.int64]
    is_first: NDArray[np.bool_]
    bounds: Intervals

    @property
    def is_placed(self) -> NDArray[np.bool_]:
        """Whether each negative is placed, shape (requests,)."""
        return self.bounds[:, 0] != UNPLACED

    def of_kind(self, kind: int, *, first: bool | None = None) -> NDArray[np.int64]:
        """Return the indices of a kind's requests: all of them, only the windows' first, or only further ones."""
        return np.flatnonzero((self.kind == kind) & (True if first is None else self.is_first == first))


def place_negatives(
    chromosome: Chromosome,
    config: NegativesConfig,
    crop: CropConfig,
    measure_shares: Callable[[Intervals], Shares] | None = None,
) -> Placement:
    """Cut windows out of each gene of a chromosome and place their negatives.

    Args:
        chromosome: its genes and what negatives keep clear of.
        config: kinds, what to do with genes whose negatives do not fit, how many per gene, the seed.
        crop: how long a window may be and where it lies.
        measure_shares: gives the composition of intervals, shape (n, shares), in which shuffled negatives are to match
            their genes; None to match nothing but length.

    Raises:
        DependencyError: bedtools is missing or failed.
    """
    seed = (config.seed, *chromosome.name)
    generator = np.random.default_rng(fingerprint.seed(config.seed, "windows", *chromosome.name))
    sites, gene = cropping.window_sites(chromosome.genes, crop)
    strands = chromosome.strands[gene]
    lengths = cropping.window_lengths(sites, crop)
    reasons = np.full(len(sites), "", dtype=object)
    if crop.exact:
        reasons[lengths != crop.length] = SHORTER
    requests = _draw_requests(chromosome.windows_before, config, reasons == "", generator)
    shorten = config.unplaced == "shorten" and not crop.exact
    bounds, lengths = _clear_of_antisense(chromosome, requests, sites, gene, crop, lengths, shorten)
    shuffler = IntervalShuffler(chromosome.occupied(config.flank), chromosome.blocks, seed)
    splits = chromosome.blocks.split_numbers(sites[:, 0])
    # The order of these steps is part of the dataset's bytes: each keeps clear of what is placed before, and a
    # window is cut once its first negative has decided the length.
    _place_partial(chromosome, gene, requests, crop.per_gene, lengths, generator, shorten=shorten)
    shuffler.exclude(requests.bounds[requests.is_placed])
    if measure_shares is None:
        _place_first_shuffled(requests, shuffler, lengths, splits, generator, shorten=shorten)
    windows = cropping.cut_windows(bounds, lengths, crop, generator)
    _place_on_windows(chromosome, strands, requests, windows)
    if measure_shares is None:
        _place_further_shuffled(requests, shuffler, lengths, splits)
    elif len(shuffled := requests.of_kind(SHUFFLE)):
        window = requests.window[shuffled]
        requests.bounds[shuffled] = shuffler.place_matched(
            lengths[window],
            splits[window],
            measure_shares(windows[window]),
            measure_shares,
            config.candidates,
            config.tolerance,
        )
    return _to_placement(requests, gene, windows, reasons, config, matched=measure_shares is not None)


def _draw_requests(
    windows_before: int, config: NegativesConfig, usable: NDArray[np.bool_], generator: np.random.Generator
) -> _Requests:
    """Draw the number of negatives of each usable window, and spread the kinds evenly over windows in random order."""
    copies = _draw_copies(windows_before, len(usable), config.ratio, generator)
    order = generator.permutation(len(copies))
    number = math.floor(windows_before * config.ratio) + np.arange(int(copies.sum()))
    window = np.repeat(order, copies[order])
    # Multiples of the golden ratio fall evenly in [0, 1) however many are taken (Weyl), so parts hold at any size.
    limits = np.cumsum([config.kinds.get(kind, 0.0) for kind in KINDS])
    kind = np.searchsorted(limits, (number * _GOLDEN % 1) * limits[-1], side="right")
    window, kind = window[usable[window]], kind[usable[window]].astype(np.int64)
    turn = np.argsort(order, kind="stable")
    ranked = np.lexsort((_RANK[kind], turn[window]))
    window, kind = window[ranked], kind[ranked]
    is_first = np.append(True, window[1:] != window[:-1])[: len(window)]
    return _Requests(window, kind, is_first, np.full((len(window), 2), UNPLACED, np.int64))


def _draw_copies(windows_before: int, windows: int, ratio: float, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw the number of negatives of each window, shape (windows,).

    Over all chromosomes of a genome they add up to windows x ratio, rounded down.
    """
    copies = np.full(windows, int(ratio), np.int64)
    extra = math.floor((windows_before + windows) * ratio) - math.floor(windows_before * ratio) - int(copies.sum())
    copies[generator.permutation(windows)[:extra]] += 1
    return copies


def _clear_of_antisense(
    chromosome: Chromosome,
    requests: _Requests,
    sites: Intervals,
    gene: NDArray[np.int64],
    crop: CropConfig,
    lengths: NDArray[np.int64],
    shorten: bool,
) -> tuple[Intervals, NDArray[np.int64]]:
    """Return where each window may lie, shape (windows, 2), and its length, shape (windows,).

    The site of a window with an antisense negative is narrowed to a stretch whose other strand carries no feature.
    """
    bounds, lengths = sites.copy(), lengths.copy()
    windows = np.unique(requests.window[requests.of_kind(ANTISENSE)])
    strands = chromosome.strands[gene[windows]]
    clear = antisense.longest_clear_stretches(sites[windows], strands, chromosome.features, chromosome.feature_strands)
    is_part = (np.bincount(gene)[gene] > 1)[windows]
    clear[is_part] = cropping.clear_of_margins(clear[is_part], sites[windows[is_part]], crop)
    clear_lengths = np.minimum(cropping.window_lengths(clear, crop), lengths[windows])
    is_enough = clear_lengths == lengths[windows]
    if shorten:
        is_enough |= clear_lengths >= cropping.MIN_LENGTH
    bounds[windows[is_enough]], lengths[windows[is_enough]] = clear[is_enough], clear_lengths[is_enough]
    return bounds, lengths


def _place_partial(
    chromosome: Chromosome,
    gene: NDArray[np.int64],
    requests: _Requests,
    per_edge: int,
    lengths: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    shorten: bool,
) -> None:
    """Place partial negatives; with `shorten`, a window's first one may lower its entry of `lengths` in place.

    `gene` is the index of each window's gene, shape (windows,).
    """
    occupied = chromosome.occupied_beside_genes()
    edges = GeneEdges(intervals.merge(np.concatenate([occupied, chromosome.genes])), chromosome.length, per_edge)
    reaches: Sequence[NDArray[np.int64] | None] = [None] * len(chromosome.genes)
    if chromosome.rows is not None and chromosome.others is not None:
        reaches = [*partial.reaches(chromosome.genes, chromosome.rows, chromosome.others, chromosome.length)]
    for request in requests.of_kind(PARTIAL):
        window = requests.window[request]
        gene_bounds, reach, length = chromosome.genes[gene[window]], reaches[gene[window]], int(lengths[window])
        shortest = min(length, cropping.MIN_LENGTH) if shorten and requests.is_first[request] else length
        bounds = edges.place(gene_bounds, length, shortest, generator, reach)
        if bounds[0] != UNPLACED:
            _verify_partial(bounds, gene_bounds, occupied, reach)
            requests.bounds[request] = bounds
            lengths[window] = bounds[1] - bounds[0]


def _place_first_shuffled(
    requests: _Requests,
    shuffler: IntervalShuffler,
    lengths: NDArray[np.int64],
    splits: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    shorten: bool,
) -> None:
    """Place the windows' first shuffled negatives; with `shorten`, entries of `lengths` are lowered in place."""
    first = generator.permutation(requests.of_kind(SHUFFLE, first=True))
    windows = requests.window[first]
    if not shorten:
        requests.bounds[first] = shuffler.place(lengths[windows], splits[windows])
        return
    requests.bounds[first], final_lengths = shuffler.place_shortened(lengths[windows], splits[windows])
    is_placed = requests.is_placed[first]
    lengths[windows[is_placed]] = final_lengths[is_placed]


def _place_further_shuffled(
    requests: _Requests, shuffler: IntervalShuffler, lengths: NDArray[np.int64], splits: NDArray[np.int64]
) -> None:
    """Place further shuffled negatives, one of each window at a time; none for one whose first did not fit."""
    failed = requests.window[requests.is_first & (requests.kind == SHUFFLE) & ~requests.is_placed]
    waiting = requests.of_kind(SHUFFLE, first=False)
    waiting = waiting[~np.isin(requests.window[waiting], failed)]
    while len(waiting):
        _, next_of_each = np.unique(requests.window[waiting], return_index=True)
        windows = requests.window[waiting[next_of_each]]
        requests.bounds[waiting[next_of_each]] = shuffler.place(lengths[windows], splits[windows])
        waiting = np.delete(waiting, next_of_each)


def _place_on_windows(
    chromosome: Chromosome, strands: NDArray[np.int8], requests: _Requests, windows: Intervals
) -> None:
    """Place dinucleotide shuffles and antisense negatives on the window itself.

    A window has one antisense negative at most, and only where its other strand is clear.
    """
    rows = requests.of_kind(DINUCLEOTIDE)
    requests.bounds[rows] = windows[requests.window[rows]]
    rows = requests.of_kind(ANTISENSE)
    of_rows, first = np.unique(requests.window[rows], return_index=True)
    is_clear = antisense.is_clear(windows[of_rows], strands[of_rows], chromosome.features, chromosome.feature_strands)
    requests.bounds[rows[first[is_clear]]] = windows[of_rows[is_clear]]


def _verify_partial(
    bounds: NDArray[np.int64],
    gene: NDArray[np.int64],
    occupied: Intervals,
    reach: NDArray[np.int64] | None = None,
) -> None:
    length, inside = bounds[1] - bounds[0], min(bounds[1], gene[1]) - max(bounds[0], gene[0])
    outside = np.array([[bounds[0], gene[0]] if bounds[0] < gene[0] else [gene[1], bounds[1]]])
    if min(inside, length - inside) < MIN_INSIDE * length:
        raise AssertionError("a partial negative lies too far in or out of its gene")
    if intervals.overlaps(outside, occupied).any():
        raise AssertionError("a partial negative touches another feature")
    if reach is not None and (bounds[0] < reach[0] or bounds[1] > reach[1]):
        raise AssertionError("a partial negative lies in the row of another gene")


def _to_placement(
    requests: _Requests,
    gene: NDArray[np.int64],
    windows: Intervals,
    reasons: NDArray[np.object_],
    config: NegativesConfig,
    *,
    matched: bool,
) -> Placement:
    """Leave out windows that got none of their negatives, unless they are to be kept, and count what is missing."""
    is_placed = requests.is_placed
    requested = np.bincount(requests.window, minlength=len(windows))
    placed = np.bincount(requests.window[is_placed], minlength=len(windows))
    if config.unplaced != "keep":
        for request in np.flatnonzero(requests.is_first & (placed[requests.window] == 0)):
            kind = KINDS[requests.kind[request]]
            reasons[requests.window[request]] = UNMATCHED if matched and kind == "shuffle" else DOES_NOT_FIT[kind]
    left_out = reasons != ""
    order = np.flatnonzero(is_placed)[np.argsort(requests.window[is_placed], kind="stable")]
    return Placement(
        genes=gene,
        windows=np.where(left_out[:, None], UNPLACED, windows),
        negatives=requests.bounds[order],
        partners=requests.window[order],
        kinds=requests.kind[order],
        missing=np.where(left_out, 0, requested - placed),
        reasons=reasons,
        left_out=np.where(left_out[:, None], windows, UNPLACED),
    )
