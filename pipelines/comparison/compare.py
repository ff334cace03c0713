"""Call sets compared with an annotation, at every level from bases to genes.

Cost: sorts and dictionary look-ups, linear in genes but for the sorts; some seconds for the genes of a human genome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipelines.comparison import bases, overlaps, parts, structures
from pipelines.comparison.bases import Stretches
from pipelines.comparison.levels import EVERYTHING, INDEX, LEVELS, OF_CDS, OF_EXONS, Level
from pipelines.comparison.loci import CallSetComparison, Comparison, Loci, Numbers, connect, span
from pipelines.comparison.parts import Parts
from pipelines.comparison.structures import Items, Register
from pipelines.gene_models.model import Gene
from pipelines.genome.features import SIGNS
from pipelines.genome.intervals import Intervals
from pipelines.genome.region import Region


def compare(
    genes: Sequence[Gene],
    call_sets: Mapping[str, Sequence[Gene]],
    lengths: Mapping[str, int],
    regions: Sequence[Region] | None = None,
) -> Comparison:
    """Compare call sets with an annotation.

    Args:
        genes: the annotated genes; those outside the regions are left out.
        call_sets: name to calls.
        lengths: bases of each sequence of the genome.
        regions: what is compared, disjoint; None for all sequences. A gene or call that is not inside one region with
            all its bases is left out, and counted if it has a base inside. So is a call inside that shares a base, on
            its strand, with annotated genes so left out and with no other.
    """
    chosen = list(regions) if regions is not None else [Region("", name, 0, size) for name, size in lengths.items()]
    order = {name: number for number, name in enumerate(lengths)}
    chosen.sort(key=lambda region: (order[region.chromosome], region.start))
    compared = {region.chromosome: lengths[region.chromosome] for region in chosen}
    axis = _Axis(compared)
    register = Register()
    annotated, genes_across = _inside(genes, chosen, axis)
    annotation, left_out = _Set(annotated, axis, register), _Set(genes_across, axis, register)
    called = {name: _inside(calls, chosen, axis) for name, calls in call_sets.items()}
    inside = {name: _Set(calls, axis, register) for name, (calls, _) in called.items()}
    sets = {name: own.without(_of_genes_left_out(own, annotation, left_out)) for name, own in inside.items()}
    union, (gene_loci, *call_loci) = connect([annotation.hulls, *(own.hulls for own in sets.values())])
    loci = axis.loci(union)
    shared = _part_items([annotation, *sets.values()])
    results = [
        _compare(name, annotation, own, (shared[0], of_set), (gene_loci, own_loci), union[:, 0])
        for (name, own), of_set, own_loci in zip(sets.items(), shared[1:], call_loci, strict=True)
    ]
    both = int((annotation.spans.either.merged[:, 1] - annotation.spans.either.merged[:, 0]).sum())
    everything = Level(EVERYTHING, both, sum(region.end - region.start for region in chosen), both, both)
    return Comparison(
        lengths=compared,
        regions=tuple(chosen),
        genes=annotated,
        gene_loci=gene_loci,
        loci=loci,
        call_sets=tuple(results),
        everything=everything,
        annotated_across=len(genes_across),
        called_across=tuple(len(across) for _, across in called.values()),
        called_of_genes_across=tuple(len(own.genes) - len(sets[name].genes) for name, own in inside.items()),
    )


class _Axis:
    """All sequences on one axis, one behind the other."""

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self._names = list(lengths)
        self._offsets = np.append(0, np.cumsum(list(lengths.values()))).astype(np.int64)
        self.offset = dict(zip(self._names, self._offsets.tolist(), strict=False))

    def loci(self, union: Intervals) -> Loci:
        """Components of the axis as stretches of sequences."""
        number = np.searchsorted(self._offsets, union[:, 0], side="right") - 1
        offsets = self._offsets[number]
        return Loci(tuple(self._names[at] for at in number.tolist()), union[:, 0] - offsets, union[:, 1] - offsets)


@dataclass(frozen=True)
class _Set:
    """Genes or calls, in the order of the genome, and what levels compare of them."""

    genes: tuple[Gene, ...]
    axis: _Axis
    register: Register

    @cached_property
    def signs(self) -> Numbers:
        return np.array([SIGNS.get(gene.strand, 0) for gene in self.genes], np.int64)

    @cached_property
    def offsets(self) -> Numbers:
        """Where the sequence of each gene begins on the axis."""
        return np.array([self.axis.offset[gene.chromosome] for gene in self.genes], np.int64)

    @cached_property
    def hulls(self) -> Intervals:
        """Start and end of each gene with all its transcripts."""
        return np.array([span(gene) for gene in self.genes], np.int64).reshape(-1, 2) + self.offsets[:, None]

    @cached_property
    def rows(self) -> Intervals:
        """Start and end of each gene, shape (genes, 2)."""
        rows = np.array([(gene.start, gene.end) for gene in self.genes], np.int64).reshape(-1, 2)
        return rows + self.offsets[:, None]

    @cached_property
    def spans(self) -> Stretches:
        return Stretches(self.rows, np.arange(len(self.genes)), self.signs, len(self.genes))

    @cached_property
    def exon_parts(self) -> Parts:
        return Parts.of(self.genes, self.offsets, coding=False)

    @cached_property
    def cds_parts(self) -> Parts:
        return Parts.of(self.genes, self.offsets, coding=True)

    @cached_property
    def exons(self) -> Stretches:
        return Stretches.of(self.exon_parts.places, self.exon_parts.owners, self.signs)

    @cached_property
    def cds(self) -> Stretches:
        return Stretches.of(self.cds_parts.places, self.cds_parts.owners, self.signs)

    @cached_property
    def items(self) -> dict[str, Items]:
        """The structures that belong to whole transcripts or genes."""
        return {kind: self.register.items(self.genes, kind) for kind in structures.KINDS}

    @cached_property
    def defined(self) -> frozenset[str]:
        """The levels that this set has something for; all if it is empty."""
        has_exons = not self.genes or any(gene.transcripts for gene in self.genes)
        has_cds = not self.genes or any(transcript.cds for gene in self.genes for transcript in gene.transcripts)
        without = (frozenset() if has_exons else OF_EXONS) | (frozenset() if has_cds else OF_CDS)
        return frozenset(LEVELS) - without

    def without(self, numbers: Numbers) -> _Set:
        """The set without some of its genes."""
        if not len(numbers):
            return self
        dropped = set(numbers.tolist())
        genes = tuple(gene for number, gene in enumerate(self.genes) if number not in dropped)
        return _Set(genes, self.axis, self.register)


def _inside(genes: Sequence[Gene], regions: Sequence[Region], axis: _Axis) -> tuple[tuple[Gene, ...], tuple[Gene, ...]]:
    """The genes inside regions, and the others that have a base inside, both in the order of the genome."""
    starts = np.array([axis.offset[region.chromosome] + region.start for region in regions], np.int64)
    ends = np.array([axis.offset[region.chromosome] + region.end for region in regions], np.int64)
    placed = [(axis.offset[gene.chromosome], gene) for gene in genes if gene.chromosome in axis.offset]
    hulls = np.array([(offset + low, offset + high) for offset, gene in placed for low, high in [span(gene)]], np.int64)
    hulls = hulls.reshape(-1, 2)
    # The first region that ends after the gene's start.
    at = np.searchsorted(ends, hulls[:, 0], side="right")
    exists = at < len(ends)
    at = np.minimum(at, len(ends) - 1)
    inside = exists & (starts[at] <= hulls[:, 0]) & (hulls[:, 1] <= ends[at])
    across = exists & ~inside & (starts[at] < hulls[:, 1])
    ordered = np.lexsort((hulls[:, 1], hulls[:, 0]))
    of_both = [tuple(placed[number][1] for number in ordered[flags[ordered]].tolist()) for flags in (inside, across)]
    return of_both[0], of_both[1]


def _of_genes_left_out(called: _Set, annotation: _Set, left_out: _Set) -> Numbers:
    """Numbers of the calls that nothing can be said of: they overlap annotated genes, but only such as are left out.

    The reverse does not hold: a call across a border takes no annotated gene with it, for then calls would decide on
    which genes they are compared, and each set of calls would be compared on others.
    """
    if not left_out.genes:
        return np.empty(0, np.int64)
    of_left_out, of_others = (
        overlaps.pairs(genes.rows, genes.signs, called.rows, called.signs)[:, 1] for genes in (left_out, annotation)
    )
    return np.setdiff1d(of_left_out, of_others)


def _part_items(sets: Sequence[_Set]) -> list[dict[str, Items]]:
    """The distinct exons, parts of CDS and introns of every set, equal ones of several sets under one number."""
    signs = [own.signs for own in sets]
    of_kind = {
        "exon": parts.items([own.exon_parts for own in sets], signs),
        "cds_exon": parts.items([own.cds_parts for own in sets], signs),
        "intron": parts.items([own.exon_parts.introns() for own in sets], signs),
    }
    return [{kind: found[number] for kind, found in of_kind.items()} for number in range(len(sets))]


def _compare(
    name: str,
    annotation: _Set,
    called: _Set,
    shared: tuple[dict[str, Items], dict[str, Items]],
    loci: tuple[Numbers, Numbers],
    starts: Numbers,
) -> CallSetComparison:
    """Compare one call set.

    Args:
        name: of the call set.
        annotation: the annotated genes.
        called: the calls.
        shared: exons, parts of CDS and introns of both.
        loci: the locus of each gene and of each call.
        starts: first base of each locus on the axis.
    """
    gene_loci, call_loci = loci
    counts = np.zeros((len(starts), len(LEVELS), 4), np.int64)
    sides = [np.zeros((len(own.genes), len(LEVELS), 2), np.int64) for own in (annotation, called)]
    for key, ours, theirs, stranded in (
        ("base", annotation.spans, called.spans, False),
        ("base_stranded", annotation.spans, called.spans, True),
        ("exon_base", annotation.exons, called.exons, True),
        ("cds_base", annotation.cds, called.cds, True),
    ):
        level = INDEX[key]
        counts[:, level] = bases.by_locus(ours, theirs, starts, stranded=stranded)
        sides[0][:, level] = bases.by_gene(ours, theirs, stranded=stranded)
        sides[1][:, level] = bases.by_gene(theirs, ours, stranded=stranded)
    for kind in ("exon", "cds_exon", "intron", "intron_chain", "transcript"):
        mine, others = (
            (own.items | of_parts)[kind] for own, of_parts in zip((annotation, called), shared, strict=True)
        )
        level = INDEX[kind]
        counts[:, level, [0, 2]] = mine.by_locus(others, gene_loci, len(starts))
        counts[:, level, [1, 3]] = others.by_locus(mine, call_loci, len(starts))
        sides[0][:, level] = mine.by_gene(others)
        sides[1][:, level] = others.by_gene(mine)
    found = overlaps.pairs(annotation.rows, annotation.signs, called.rows, called.signs)
    for key, matches in _gene_matches(annotation, called, found).items():
        level = INDEX[key]
        for side, own_loci in enumerate(loci):
            sides[side][:, level] = matches[side]
            for column in (0, 1):
                np.add.at(counts[:, level, 2 * column + side], own_loci, matches[side][:, column])
    return CallSetComparison(
        name=name,
        calls=called.genes,
        call_loci=call_loci,
        counts=counts,
        annotated_items=sides[0],
        called_items=sides[1],
        overlaps=found,
        levels=annotation.defined & called.defined,
    )


def _gene_matches(annotation: _Set, called: _Set, found: Numbers) -> dict[str, tuple[Numbers, Numbers]]:
    """For each level whose items are genes: which genes, and which calls, it has, and which of them match.

    Shape (genes, 2) and (calls, 2), of 0 and 1.
    """
    pairs_of = {
        "touched": np.ones(len(found), np.bool_),
        "half": overlaps.share_at_least(found, annotation.rows, called.rows, overlaps.HALF),
        "locus": overlaps.single_exon_matches(found, annotation.genes, called.genes),
    }
    matches = {}
    for key, is_match in pairs_of.items():
        both = []
        for side, own in enumerate((annotation, called)):
            flags = np.ones((len(own.genes), 2), np.int64)
            flags[:, 1] = 0
            flags[found[is_match, side], 1] = 1
            both.append(flags)
        matches[key] = (both[0], both[1])
    for key in ("cds", "gene"):
        matches[key] = _any_of(annotation, called, key)
    chains = _any_of(annotation, called, "intron_chain")
    for own, flags, by_chain in zip((annotation, called), matches["locus"], chains, strict=True):
        flags[:, 1] |= by_chain[:, 1]
        flags[:, 0] = [bool(gene.transcripts) for gene in own.genes]
    return matches


def _any_of(annotation: _Set, called: _Set, kind: str) -> tuple[Numbers, Numbers]:
    """Which genes and which calls have a structure of a kind, and which have one that the other set has too."""
    ours, theirs = annotation.items[kind], called.items[kind]
    return np.minimum(ours.by_gene(theirs), 1), np.minimum(theirs.by_gene(ours), 1)
