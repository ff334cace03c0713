"""Where negatives are made: a window out of each gene, and for each window negatives of the same length.

There are four kinds, mixed by their shares. `shuffle` comes from `bedtools shuffle`, in rounds: what does not fit is
cut to 85 % and tried again. `antisense` and `partial` are cut to what the annotation leaves clear. `dinucleotide` is
the window itself; its letters are shuffled when it is encoded. Each is verified, not trusted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from pipelines.config import KINDS, CropConfig, NegativesConfig
from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals
from pipelines.negatives import antisense, cropping
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
# Of a gene's negatives the kind with the least choice comes first: its length is the window's.
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
        genes_before: genes of the genome on earlier chromosomes, so that a ratio holds over all of them.
    """

    name: tuple[str, str]
    blocks: Blocks
    genes: Intervals
    strands: NDArray[np.int8]
    features: Intervals
    feature_strands: NDArray[np.int8]
    runs_of_n: Intervals
    genes_before: int = 0

    @property
    def length(self) -> int:
        """Bases."""
        return int(self.blocks.ends[-1])

    def occupied(self, flank: int = 0) -> Intervals:
        """Return features with a flank, runs of N, and the bases at closed borders, merged, shape (m, 2)."""
        widened = intervals.widen(self.features, flank, self.length)
        return intervals.merge(np.concatenate([widened, self.runs_of_n, self.blocks.borders()]))


@dataclass(frozen=True)
class Placement:
    """Windows and negatives of the genes of one chromosome.

    Attributes:
        windows: start and end of what is kept of each gene, shape (genes, 2); -1, -1 where the gene is left out.
        negatives: start and end of each negative, shape (negatives, 2).
        partners: index of the gene that each negative belongs to, shape (negatives,).
        kinds: index of each negative's kind in `KINDS`, shape (negatives,).
        missing: requested negatives of each gene that could not be placed, shape (genes,); 0 for a gene left out.
        reasons: why each gene is left out, empty where it is not, shape (genes,).
        left_out: start and end of the window of each gene that is left out, shape (genes, 2); -1, -1 where it is kept.
    """

    windows: Intervals
    negatives: Intervals
    partners: NDArray[np.int64]
    kinds: NDArray[np.int64]
    missing: NDArray[np.int64]
    reasons: NDArray[np.object_]
    left_out: Intervals


@dataclass(frozen=True)
class _Requests:
    """The negatives to place; those of one gene follow each other, and the first decides the length of its window.

    Attributes:
        gene: index of each request's gene, shape (requests,).
        kind: index of each request's kind in `KINDS`, shape (requests,).
        is_first: whether each request is the first of its gene, shape (requests,).
        bounds: start and end of each negative; -1, -1 until it is placed, shape (requests, 2).
    """

    gene: NDArray[np.int64]
    kind: NDArray[np.int64]
    is_first: NDArray[np.bool_]
    bounds: Intervals

    @property
    def is_placed(self) -> NDArray[np.bool_]:
        """Whether each negative is placed, shape (requests,)."""
        return self.bounds[:, 0] != UNPLACED

    def of_kind(self, kind: int, *, first: bool | None = None) -> NDArray[np.int64]:
        """Return the indices of a kind's requests: all of them, only the genes' first, or only the further ones."""
        return np.flatnonzero((self.kind == kind) & (True if first is None else self.is_first == first))


def place_negatives(
    chromosome: Chromosome,
    config: NegativesConfig,
    crop: CropConfig,
    measure_shares: Callable[[Intervals], Shares] | None = None,
) -> Placement:
    """Cut a window out of each gene of a chromosome and place its negatives.

    Args:
        chromosome: its genes and what negatives keep clear of.
        config: kinds, what to do with genes whose negatives do not fit, how many per gene, the seed.
        crop: how long a window may be and where it lies.
        measure_shares: gives the composition of intervals, shape (n, shares), in which shuffled negatives are to match
            their genes; None to match nothing but length.

    Raises:
        DependencyError: bedtools is missing or failed.
    """
    genes, seed = chromosome.genes, (config.seed, *chromosome.name)
    generator = np.random.default_rng(fingerprint.seed(config.seed, "windows", *chromosome.name))
    lengths = cropping.window_lengths(genes, crop)
    reasons = np.full(len(genes), "", dtype=object)
    if crop.exact:
        reasons[lengths != crop.length] = SHORTER
    requests = _draw_requests(chromosome, config, reasons == "", generator)
    shorten = config.unplaced == "shorten" and not crop.exact
    bounds, lengths = _clear_of_antisense(chromosome, requests, crop, lengths, shorten)
    shuffler = IntervalShuffler(chromosome.occupied(config.flank), chromosome.blocks, seed)
    splits = chromosome.blocks.split_numbers(genes[:, 0])
    # The order of these steps is part of the dataset's bytes: each keeps clear of what is placed before, and a gene's
    # window is cut once its first negative has decided the length.
    edges = GeneEdges(intervals.merge(np.concatenate([chromosome.occupied(), genes])), chromosome.length)
    _place_partial(chromosome, requests, edges, lengths, generator, shorten=shorten)
    shuffler.exclude(requests.bounds[requests.is_placed])
    if measure_shares is None:
        _place_first_shuffled(requests, shuffler, lengths, splits, generator, shorten=shorten)
    windows = cropping.cut_windows(bounds, lengths, crop, generator)
    _place_on_windows(chromosome, requests, windows)
    if measure_shares is None:
        _place_further_shuffled(requests, shuffler, lengths, splits)
    elif len(shuffled := requests.of_kind(SHUFFLE)):
        gene = requests.gene[shuffled]
        requests.bounds[shuffled] = shuffler.place_matched(
            lengths[gene],
            splits[gene],
            measure_shares(windows[gene]),
            measure_shares,
            config.candidates,
            config.tolerance,
        )
    return _to_placement(requests, windows, reasons, config, matched=measure_shares is not None)


def _draw_requests(
    chromosome: Chromosome, config: NegativesConfig, usable: NDArray[np.bool_], generator: np.random.Generator
) -> _Requests:
    """Draw the number of negatives of each usable gene and spread the kinds evenly over them, genes in random order."""
    copies = _draw_copies(chromosome.genes_before, len(chromosome.genes), config.ratio, generator)
    order = generator.permutation(len(copies))
    number = math.floor(chromosome.genes_before * config.ratio) + np.arange(int(copies.sum()))
    gene = np.repeat(order, copies[order])
    # Multiples of the golden ratio fall evenly in [0, 1) however many are taken (Weyl), so parts hold at any size.
    limits = np.cumsum([config.kinds.get(kind, 0.0) for kind in KINDS])
    kind = np.searchsorted(limits, (number * _GOLDEN % 1) * limits[-1], side="right")
    gene, kind = gene[usable[gene]], kind[usable[gene]].astype(np.int64)
    turn = np.argsort(order, kind="stable")
    ranked = np.lexsort((_RANK[kind], turn[gene]))
    gene, kind = gene[ranked], kind[ranked]
    is_first = np.append(True, gene[1:] != gene[:-1])[: len(gene)]
    return _Requests(gene, kind, is_first, np.full((len(gene), 2), UNPLACED, np.int64))


def _draw_copies(genes_before: int, genes: int, ratio: float, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw the number of negatives of each gene, shape (genes,).

    Over all chromosomes of a genome they add up to genes x ratio, rounded down.
    """
    copies = np.full(genes, int(ratio), np.int64)
    extra = math.floor((genes_before + genes) * ratio) - math.floor(genes_before * ratio) - int(copies.sum())
    copies[generator.permutation(genes)[:extra]] += 1
    return copies


def _clear_of_antisense(
    chromosome: Chromosome, requests: _Requests, crop: CropConfig, lengths: NDArray[np.int64], shorten: bool
) -> tuple[Intervals, NDArray[np.int64]]:
    """Return where each gene's window may lie, shape (genes, 2), and its length, shape (genes,).

    A gene with an antisense negative is narrowed to a stretch whose other strand carries no feature.
    """
    bounds, lengths = chromosome.genes.copy(), lengths.copy()
    genes = np.unique(requests.gene[requests.of_kind(ANTISENSE)])
    clear = antisense.longest_clear_stretches(
        chromosome.genes[genes], chromosome.strands[genes], chromosome.features, chromosome.feature_strands
    )
    clear_lengths = np.minimum(cropping.window_lengths(clear, crop), lengths[genes])
    is_enough = clear_lengths == lengths[genes]
    if shorten:
        is_enough |= clear_lengths >= cropping.MIN_LENGTH
    bounds[genes[is_enough]], lengths[genes[is_enough]] = clear[is_enough], clear_lengths[is_enough]
    return bounds, lengths


def _place_partial(
    chromosome: Chromosome,
    requests: _Requests,
    edges: GeneEdges,
    lengths: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    shorten: bool,
) -> None:
    """Place partial negatives; with `shorten`, a gene's first one may lower its entry of `lengths` in place."""
    occupied = chromosome.occupied()
    for request in requests.of_kind(PARTIAL):
        gene = requests.gene[request]
        gene_bounds, length = chromosome.genes[gene], int(lengths[gene])
        shortest = min(length, cropping.MIN_LENGTH) if shorten and requests.is_first[request] else length
        bounds = edges.place(gene_bounds, length, shortest, generator)
        if bounds[0] != UNPLACED:
            _verify_partial(bounds, gene_bounds, occupied)
            requests.bounds[request] = bounds
            lengths[gene] = bounds[1] - bounds[0]


def _place_first_shuffled(
    requests: _Requests,
    shuffler: IntervalShuffler,
    lengths: NDArray[np.int64],
    splits: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    shorten: bool,
) -> None:
    """Place the genes' first shuffled negatives; with `shorten`, entries of `lengths` are lowered in place."""
    first = generator.permutation(requests.of_kind(SHUFFLE, first=True))
    genes = requests.gene[first]
    if not shorten:
        requests.bounds[first] = shuffler.place(lengths[genes], splits[genes])
        return
    requests.bounds[first], final_lengths = shuffler.place_shortened(lengths[genes], splits[genes])
    is_placed = requests.is_placed[first]
    lengths[genes[is_placed]] = final_lengths[is_placed]


def _place_further_shuffled(
    requests: _Requests, shuffler: IntervalShuffler, lengths: NDArray[np.int64], splits: NDArray[np.int64]
) -> None:
    """Place further shuffled negatives, one of each gene at a time; none for a gene whose first one did not fit."""
    failed = requests.gene[requests.is_first & (requests.kind == SHUFFLE) & ~requests.is_placed]
    waiting = requests.of_kind(SHUFFLE, first=False)
    waiting = waiting[~np.isin(requests.gene[waiting], failed)]
    while len(waiting):
        _, next_of_each = np.unique(requests.gene[waiting], return_index=True)
        genes = requests.gene[waiting[next_of_each]]
        requests.bounds[waiting[next_of_each]] = shuffler.place(lengths[genes], splits[genes])
        waiting = np.delete(waiting, next_of_each)


def _place_on_windows(chromosome: Chromosome, requests: _Requests, windows: Intervals) -> None:
    """Place dinucleotide shuffles and antisense negatives on the window itself.

    A gene has one antisense negative at most, and only where the other strand of its window is clear.
    """
    rows = requests.of_kind(DINUCLEOTIDE)
    requests.bounds[rows] = windows[requests.gene[rows]]
    rows = requests.of_kind(ANTISENSE)
    genes, first = np.unique(requests.gene[rows], return_index=True)
    is_clear = antisense.is_clear(
        windows[genes], chromosome.strands[genes], chromosome.features, chromosome.feature_strands
    )
    requests.bounds[rows[first[is_clear]]] = windows[genes[is_clear]]


def _verify_partial(bounds: NDArray[np.int64], gene: NDArray[np.int64], occupied: Intervals) -> None:
    length, inside = bounds[1] - bounds[0], min(bounds[1], gene[1]) - max(bounds[0], gene[0])
    outside = np.array([[bounds[0], gene[0]] if bounds[0] < gene[0] else [gene[1], bounds[1]]])
    if min(inside, length - inside) < MIN_INSIDE * length:
        raise AssertionError("a partial negative lies too far in or out of its gene")
    if intervals.overlaps(outside, occupied).any():
        raise AssertionError("a partial negative touches another feature")


def _to_placement(
    requests: _Requests, windows: Intervals, reasons: NDArray[np.object_], config: NegativesConfig, *, matched: bool
) -> Placement:
    """Leave out genes that got none of their negatives, unless they are to be kept, and count what is missing."""
    is_placed = requests.is_placed
    requested = np.bincount(requests.gene, minlength=len(windows))
    placed = np.bincount(requests.gene[is_placed], minlength=len(windows))
    if config.unplaced != "keep":
        for request in np.flatnonzero(requests.is_first & (placed[requests.gene] == 0)):
            kind = KINDS[requests.kind[request]]
            reasons[requests.gene[request]] = UNMATCHED if matched and kind == "shuffle" else DOES_NOT_FIT[kind]
    left_out = reasons != ""
    order = np.flatnonzero(is_placed)[np.argsort(requests.gene[is_placed], kind="stable")]
    return Placement(
        windows=np.where(left_out[:, None], UNPLACED, windows),
        negatives=requests.bounds[order],
        partners=requests.gene[order],
        kinds=requests.kind[order],
        missing=np.where(left_out, 0, requested - placed),
        reasons=reasons,
        left_out=np.where(left_out[:, None], windows, UNPLACED),
    )
