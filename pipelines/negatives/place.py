"""Windows out of genes and, for each, negatives of the same length: of four kinds, mixed by their parts.

`shuffle` comes from `bedtools shuffle`, in rounds: what finds no room is cut to 85 % and tried again. `antisense` and
`partial` are cut to what the annotation leaves clear. `dinucleotide` is the window itself; its letters are shuffled
when it is encoded. Each is verified, not trusted.
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
from pipelines.negatives.partial import LEAST, Edges
from pipelines.negatives.shuffle import NOWHERE, Draws
from pipelines.splits.blocks import Blocks

SHORTER = "shorter_than_crop"
UNMATCHED = "no_match"
NO_ROOM = {"shuffle": "no_room_for_negative", "antisense": "gene_on_other_strand", "partial": "no_room_beside_gene"}
SHUFFLE, DINUCLEOTIDE, ANTISENSE, PARTIAL = range(len(KINDS))
# Of a gene's negatives the kind with the least choice comes first: its length is the window's.
_RANK = np.array([2, 3, 1, 0])
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Chromosome:
    """One chromosome as negatives see it.

    Attributes:
        where: genome and chromosome, which seed the draws.
        blocks: of its length, where the splits lie; a shuffled negative stays in its gene's.
        genes: shape (genes, 2).
        strands: +1 or -1 of each gene, shape (genes,).
        features: gene-like features and barred intervals, genes among them, shape (features, 2).
        feature_strands: +1, -1, or 0 where it is unknown, shape (features,).
        runs_of_n: shape (runs, 2).
        earlier: genes of the genome on chromosomes before this one, so that a ratio holds over all of them.
    """

    where: tuple[str, str]
    blocks: Blocks
    genes: Intervals
    strands: NDArray[np.int8]
    features: Intervals
    feature_strands: NDArray[np.int8]
    runs_of_n: Intervals
    earlier: int = 0

    @property
    def length(self) -> int:
        """Bases."""
        return int(self.blocks.ends[-1])

    def occupied(self, flank: int = 0) -> Intervals:
        """Merged: features with a flank, and runs of N, shape (m, 2)."""
        wide = intervals.widen(self.features, flank, self.length)
        return intervals.merge(np.concatenate([wide, self.runs_of_n]))


@dataclass(frozen=True)
class Placement:
    """Windows and negatives of the genes of one chromosome.

    Attributes:
        windows: start and end of what is kept of each gene, shape (genes, 2); -1, -1 where the gene is left out.
        negatives: start and end of each negative, shape (negatives, 2).
        partners: the gene each negative belongs to, shape (negatives,).
        kinds: number of each negative's kind in `KINDS`, shape (negatives,).
        unplaced: negatives asked of each gene that found no room, shape (genes,); 0 where the gene is left out.
        reasons: why each gene is left out, empty where it is not, shape (genes,).
        left_out: start and end of the window of each gene that is left out, shape (genes, 2); -1, -1 where it is kept.
    """

    windows: Intervals
    negatives: Intervals
    partners: NDArray[np.int64]
    kinds: NDArray[np.int64]
    unplaced: NDArray[np.int64]
    reasons: NDArray[np.object_]
    left_out: Intervals


@dataclass(frozen=True)
class _Slots:
    """Negatives that are asked for; those of one gene follow each other, its first one decides the window's length.

    Attributes:
        gene: shape (slots,).
        kind: shape (slots,).
        first: shape (slots,).
        spots: start and end, -1, -1 until there is one, shape (slots, 2).
    """

    gene: NDArray[np.int64]
    kind: NDArray[np.int64]
    first: NDArray[np.bool_]
    spots: Intervals

    def of(self, kind: int, *, first: bool | None = None) -> NDArray[np.int64]:
        """Slots of a kind, of all or only the first (or the further) ones."""
        return np.flatnonzero((self.kind == kind) & (True if first is None else self.first == first))


def place(
    chromosome: Chromosome,
    negatives: NegativesConfig,
    crop: CropConfig,
    shares: Callable[[Intervals], Shares] | None = None,
) -> Placement:
    """Cut windows and place negatives on one chromosome.

    Args:
        chromosome: its genes and what negatives keep clear of.
        negatives: kinds, what to do with the unplaced, how many per gene, the seed.
        crop: how long a window may be and where it lies.
        shares: composition of given intervals, shape (n, shares), that shuffled negatives are to share.

    Raises:
        DependencyError: bedtools is missing or failed.
    """
    genes, seed = chromosome.genes, (negatives.seed, *chromosome.where)
    generator = np.random.default_rng(fingerprint.seed(negatives.seed, "windows", *chromosome.where))
    wanted = cropping.lengths(genes, crop)
    reasons = np.full(len(genes), "", dtype=object)
    if crop.exact:
        reasons[wanted != crop.length] = SHORTER
    slots = _slots(chromosome, negatives, reasons == "", generator)
    shorten = negatives.unplaced == "shorten" and not crop.exact
    bounds, wanted = _clear_of_antisense(chromosome, slots, crop, wanted, shorten)
    draws = Draws(chromosome.occupied(negatives.flank), chromosome.blocks, seed)
    within = chromosome.blocks.numbers(genes[:, 0])
    edges = Edges(intervals.merge(np.concatenate([chromosome.occupied(), genes])), chromosome.length)
    _place_partial(chromosome, slots, edges, wanted, generator, shorten=shorten)
    draws.bar(slots.spots[slots.spots[:, 0] != NOWHERE])
    if shares is None:
        _place_shuffled(slots, draws, wanted, within, generator, shorten=shorten)
    cuts = cropping.cut(bounds, wanted, crop, generator)
    _place_in_windows(chromosome, slots, cuts)
    if shares is None:
        _place_more(slots, draws, wanted, within)
    elif len(asked := slots.of(SHUFFLE)):
        mine = slots.gene[asked]
        slots.spots[asked] = draws.place_matched(
            wanted[mine], within[mine], shares(cuts[mine]), shares, negatives.candidates, negatives.tolerance
        )
    return _account(slots, cuts, reasons, negatives, matched=shares is not None)


def _slots(
    chromosome: Chromosome, negatives: NegativesConfig, usable: NDArray[np.bool_], generator: np.random.Generator
) -> _Slots:
    """The negatives asked of each usable gene, in a drawn order of genes, their kinds dealt out evenly."""
    copies = _copies(chromosome.earlier, len(chromosome.genes), negatives.ratio, generator)
    order = generator.permutation(len(copies))
    number = math.floor(chromosome.earlier * negatives.ratio) + np.arange(int(copies.sum()))
    gene = np.repeat(order, copies[order])
    # Multiples of the golden ratio fall evenly in [0, 1) however many are taken (Weyl), so parts hold at any size.
    limits = np.cumsum([negatives.kinds.get(kind, 0.0) for kind in KINDS])
    kind = np.searchsorted(limits, (number * _GOLDEN % 1) * limits[-1], side="right")
    gene, kind = gene[usable[gene]], kind[usable[gene]].astype(np.int64)
    turn = np.argsort(order, kind="stable")
    ranked = np.lexsort((_RANK[kind], turn[gene]))
    gene, kind = gene[ranked], kind[ranked]
    first = np.append(True, gene[1:] != gene[:-1])[: len(gene)]
    return _Slots(gene, kind, first, np.full((len(gene), 2), NOWHERE, np.int64))


def _copies(earlier: int, genes: int, ratio: float, generator: np.random.Generator) -> NDArray[np.int64]:
    """Negatives asked of each gene, shape (genes,); over all chromosomes they add up to genes x ratio, rounded down."""
    copies = np.full(genes, int(ratio), np.int64)
    extra = math.floor((earlier + genes) * ratio) - math.floor(earlier * ratio) - int(copies.sum())
    copies[generator.permutation(genes)[:extra]] += 1
    return copies


def _clear_of_antisense(
    chromosome: Chromosome, slots: _Slots, crop: CropConfig, wanted: NDArray[np.int64], shorten: bool
) -> tuple[Intervals, NDArray[np.int64]]:
    """Where each gene's window may lie, shape (genes, 2), and its length: clear where it is to be read on both strands."""
    bounds, lengths = chromosome.genes.copy(), wanted.copy()
    genes = np.unique(slots.gene[slots.of(ANTISENSE)])
    clear = antisense.clear_stretches(
        chromosome.genes[genes], chromosome.strands[genes], chromosome.features, chromosome.feature_strands
    )
    most = np.minimum(cropping.lengths(clear, crop), lengths[genes])
    enough = most == lengths[genes]
    if shorten:
        enough |= most >= cropping.SHORTEST
    bounds[genes[enough]], lengths[genes[enough]] = clear[enough], most[enough]
    return bounds, lengths


def _place_partial(
    chromosome: Chromosome,
    slots: _Slots,
    edges: Edges,
    wanted: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    shorten: bool,
) -> None:
    """Place partial negatives; with `shorten`, `wanted` becomes what there was room for beside the first."""
    occupied = chromosome.occupied()
    for slot in slots.of(PARTIAL):
        gene = slots.gene[slot]
        bounds, length = chromosome.genes[gene], int(wanted[gene])
        shortest = min(length, cropping.SHORTEST) if shorten and slots.first[slot] else length
        spot = edges.place(bounds, length, shortest, generator)
        if spot[0] != NOWHERE:
            _verify_partial(spot, bounds, occupied)
            slots.spots[slot] = spot
            wanted[gene] = spot[1] - spot[0]


def _place_shuffled(
    slots: _Slots,
    draws: Draws,
    wanted: NDArray[np.int64],
    within: NDArray[np.int64],
    generator: np.random.Generator,
    *,
    shorten: bool,
) -> None:
    """Place the shuffled negatives that come first; with `shorten`, `wanted` becomes what there was room for."""
    asked = generator.permutation(slots.of(SHUFFLE, first=True))
    genes = slots.gene[asked]
    if not shorten:
        slots.spots[asked] = draws.place(wanted[genes], within[genes])
        return
    slots.spots[asked], lengths = draws.place_shortened(wanted[genes], within[genes])
    placed = slots.spots[asked, 0] != NOWHERE
    wanted[genes[placed]] = lengths[placed]


def _place_more(slots: _Slots, draws: Draws, wanted: NDArray[np.int64], within: NDArray[np.int64]) -> None:
    """Place further shuffled negatives, one for each gene at a time; a gene whose first one found no room gets none."""
    hopeless = slots.gene[slots.first & (slots.kind == SHUFFLE) & (slots.spots[:, 0] == NOWHERE)]
    waiting = slots.of(SHUFFLE, first=False)
    waiting = waiting[~np.isin(slots.gene[waiting], hopeless)]
    while len(waiting):
        _, now = np.unique(slots.gene[waiting], return_index=True)
        genes = slots.gene[waiting[now]]
        slots.spots[waiting[now]] = draws.place(wanted[genes], within[genes])
        waiting = np.delete(waiting, now)


def _place_in_windows(chromosome: Chromosome, slots: _Slots, cuts: Intervals) -> None:
    """Dinucleotide shuffles and antisense: the window itself; antisense once a gene, where the other strand is clear."""
    asked = slots.of(DINUCLEOTIDE)
    slots.spots[asked] = cuts[slots.gene[asked]]
    asked = slots.of(ANTISENSE)
    genes, once = np.unique(slots.gene[asked], return_index=True)
    clear = antisense.is_clear(cuts[genes], chromosome.strands[genes], chromosome.features, chromosome.feature_strands)
    slots.spots[asked[once[clear]]] = cuts[genes[clear]]


def _verify_partial(spot: NDArray[np.int64], gene: NDArray[np.int64], occupied: Intervals) -> None:
    inside = min(spot[1], gene[1]) - max(spot[0], gene[0])
    outside = np.array([[spot[0], gene[0]] if spot[0] < gene[0] else [gene[1], spot[1]]])
    if min(inside, spot[1] - spot[0] - inside) < LEAST * (spot[1] - spot[0]):
        raise AssertionError("a partial negative lies too far in or out of its gene")
    if intervals.overlaps(outside, occupied).any():
        raise AssertionError("a partial negative touches another feature")


def _account(
    slots: _Slots, cuts: Intervals, reasons: NDArray[np.object_], negatives: NegativesConfig, *, matched: bool
) -> Placement:
    """Leave out genes that got none of the negatives asked, unless they are to be kept, and count what is missing."""
    good = slots.spots[:, 0] != NOWHERE
    asked = np.bincount(slots.gene, minlength=len(cuts))
    got = np.bincount(slots.gene[good], minlength=len(cuts))
    if negatives.unplaced != "keep":
        for slot in np.flatnonzero(slots.first & (got[slots.gene] == 0)):
            kind = KINDS[slots.kind[slot]]
            reasons[slots.gene[slot]] = UNMATCHED if matched and kind == "shuffle" else NO_ROOM[kind]
    left_out = reasons != ""
    order = np.flatnonzero(good)[np.argsort(slots.gene[good], kind="stable")]
    return Placement(
        windows=np.where(left_out[:, None], NOWHERE, cuts),
        negatives=slots.spots[order],
        partners=slots.gene[order],
        kinds=slots.kind[order],
        unplaced=np.where(left_out, 0, asked - got),
        reasons=reasons,
        left_out=np.where(left_out[:, None], cuts, NOWHERE),
    )
