"""What labels hold: lengths of exons, introns and intergenic stretches, splice pairs, start codons, shares of states.

All are counts that add up over stretches. What touches a masked base or the end of a stretch has no known length and is
in none of the lengths, so that a stretch must be given whole, or in pieces that are cut between genes.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.gene_models.genetic_code import CODON
from pipelines.genome.sequence import OTHER, Bytes
from pipelines.structure import genes, states
from pipelines.structure.genes import Positions, Runs
from pipelines.structure.states import MASKED, NAMES, States

PIECE_BASES = 1 << 20
_LOOK_AHEAD = 1 << 16
_BASES = "ACGTN"
_COMPLEMENT = np.array([3, 2, 1, 0, OTHER], np.uint8)
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass
class Statistics:
    """Counts of labels; `+` adds those of other stretches.

    Attributes:
        bases: number of bases.
        states: states of both strands to their bases: twice `bases` in all.
        masked: masked bases of both strands by reason, as `pipelines.structure.label` counts them.
        genes: whole genes, from start to stop codon, by number of exons.
        coding: whole genes by number of coding bases.
        exons: coding parts of exons by length, of which both ends are known.
        introns: introns between those by length.
        intergenic: stretches that no gene of either strand covers, by length.
        splice_pairs: introns by their first and last two bases, such as GT-AG.
        starts: whole genes by their start codon.
        stops: whole genes by their stop codon.
    """

    bases: int = 0
    states: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    genes: Counter[int] = field(default_factory=Counter)
    coding: Counter[int] = field(default_factory=Counter)
    exons: Counter[int] = field(default_factory=Counter)
    introns: Counter[int] = field(default_factory=Counter)
    intergenic: Counter[int] = field(default_factory=Counter)
    splice_pairs: Counter[str] = field(default_factory=Counter)
    starts: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Statistics) -> Statistics:
        names = (one.name for one in dataclasses.fields(self))
        return Statistics(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def document(self) -> dict[str, Any]:
        """The counts as JSON: number, mean and quantiles of lengths; shares of the bases of both strands."""
        total = max(self.states.total(), 1)
        return {
            "bases": self.bases,
            "states": {name: self.states[name] / total for name in NAMES if self.states[name]},
            "masked": {reason: count / total for reason, count in self.masked.most_common()},
            "genes": self.genes.total(),
            "one_exon_genes": self.genes[1],
            "coding_bases": summary(self.coding),
            "exons": summary(self.exons),
            "introns": summary(self.introns),
            "intergenic": summary(self.intergenic),
            "splice_pairs": dict(self.splice_pairs.most_common()),
            "start_codons": dict(self.starts.most_common()),
            "stop_codons": dict(self.stops.most_common()),
        }


def of_stretch(packed: States, codes: Bytes, masked: Counter[str] | None = None) -> Statistics:
    """The statistics of a whole stretch.

    Args:
        packed: its states, shape (bases,).
        codes: its base codes, shape (bases,).
        masked: its masked bases by reason.
    """
    return of_pieces(packed, lambda start, end: codes[start:end]) + Statistics(masked=Counter(masked or {}))


def of_pieces(packed: States, codes_of: Callable[[int, int], Bytes], bases: int = PIECE_BASES) -> Statistics:
    """The statistics of a whole stretch but for its masked bases, in the memory of its pieces and of what is counted.

    Args:
        packed: its states, shape (bases,).
        codes_of: gives the base codes from one base to before another.
        bases: of a piece, at least.
    """
    found = Statistics(bases=len(packed), intergenic=_intergenic(packed, bases))
    for reverse, in_order in enumerate((list(pieces(packed, bases)), list(pieces(packed, bases))[::-1])):
        own = Statistics()
        for start, end in in_order:
            strand, codes = states.unpack(packed[start:end])[reverse], codes_of(start, end)
            if reverse:
                strand, codes = strand[::-1], _COMPLEMENT[codes[::-1]]
            _add_strand(own, strand, codes)
        # What occurs equally often is shown in this order, whatever the pieces.
        own.splice_pairs = Counter(dict(sorted(own.splice_pairs.items(), key=_by_base)))
        found += own
    return found


def _by_base(pair: tuple[str, int]) -> list[int]:
    return [_BASES.index(letter) for letter in pair[0] if letter != "-"]


def pieces(packed: States, bases: int) -> Iterator[tuple[int, int]]:
    """First base of each piece of a stretch, and the one after its last: at least `bases`, but for the last piece.

    Two bases that no gene of either strand covers are on both sides of a cut.

    Args:
        packed: the states of the stretch, shape (bases,).
        bases: of a piece.
    """
    start = 0
    while start < len(packed):
        end = _next_cut(packed, start + bases)
        yield start, end
        start = end


def _next_cut(packed: States, place: int) -> int:
    """The first place from here on where a stretch may be cut, else its end."""
    for first in range(place, len(packed), _LOOK_AHEAD):
        is_intergenic = packed[first - 1 : first + _LOOK_AHEAD] == states.INTERGENIC
        cuts = np.flatnonzero(is_intergenic[1:] & is_intergenic[:-1])
        if len(cuts):
            return first + int(cuts[0])
    return len(packed)


def summary(lengths: Counter[int]) -> dict[str, float]:
    """Number, mean, extremes and quantiles of lengths, a quantile being the least length that reaches its share.

    Args:
        lengths: how often each occurs.

    Returns:
        `count`, and unless that is 0 `mean`, `min`, `max` and the quantiles, such as `0.5`.
    """
    if not lengths:
        return {"count": 0}
    values = np.array(sorted(lengths), np.int64)
    counts = np.cumsum([lengths[int(value)] for value in values])
    total = int(counts[-1])
    at = np.searchsorted(counts, np.ceil(np.array(_QUANTILES) * total))
    return {
        "count": total,
        "mean": sum(value * count for value, count in lengths.items()) / total,
        "min": int(values[0]),
        **{str(share): int(values[index]) for share, index in zip(_QUANTILES, at, strict=True)},
        "max": int(values[-1]),
    }


def _add_strand(found: Statistics, strand: States, codes: Bytes) -> None:
    """Add a strand in its reading direction."""
    of_state = np.bincount(strand, minlength=len(NAMES))
    found.states.update({name: int(count) for name, count in zip(NAMES, of_state, strict=True) if count})
    runs = genes.runs(strand)
    lengths = runs.ends - runs.starts
    found.exons.update(lengths[runs.whole_exons].tolist())
    introns = runs.whole_introns
    found.introns.update(lengths[introns].tolist())
    found.splice_pairs.update(_pairs(codes, runs.starts[introns], runs.ends[introns]))
    before = np.concatenate([[0], np.cumsum(np.where(runs.is_exon, lengths, 0))])
    for first, last in runs.genes().tolist():
        found.genes[(last - first) // 2 + 1] += 1
        found.coding[int(before[last + 1] - before[first])] += 1
        found.starts[_codon(codes, runs, range(first, last + 1, 2))] += 1
        found.stops[_codon(codes, runs, range(last, first - 1, -2))] += 1


def _pairs(codes: Bytes, starts: Positions, ends: Positions) -> Counter[str]:
    """Introns by their first and last two bases."""
    of_ends = np.stack([codes[starts], codes[starts + 1], codes[ends - 2], codes[ends - 1]], axis=1)
    values, counts = np.unique(of_ends, axis=0, return_counts=True)
    names = ("".join(_BASES[code] for code in value) for value in values)
    return Counter({f"{name[:2]}-{name[2:]}": int(count) for name, count in zip(names, counts, strict=True)})


def _codon(codes: Bytes, runs: Runs, exons: range) -> str:
    """The first codon of exons in order, or the last one of exons in reverse order; introns may part it."""
    bases = (
        int(codes[base])
        for exon in exons
        for base in range(int(runs.starts[exon]), int(runs.ends[exon]))[:: 1 if exons.step > 0 else -1]
    )
    letters = "".join(_BASES[code] for code in itertools.islice(bases, CODON))
    return letters if exons.step > 0 else letters[::-1]


def _intergenic(packed: States, bases: int) -> Counter[int]:
    """Runs of bases that are intergenic on both strands, between known ones, by length."""
    chunks = ((first, packed[first : first + bases + 1]) for first in range(0, len(packed), bases))
    borders_of_chunks = (first + np.flatnonzero(np.diff(chunk == states.INTERGENIC)) for first, chunk in chunks)
    borders = np.concatenate([np.empty(0, np.int64), *borders_of_chunks])
    starts, ends = borders[:-1] + 1, borders[1:] + 1
    is_known = (packed[starts] == states.INTERGENIC) & ~_is_masked(packed[starts - 1])
    if len(borders):
        is_known &= ~_is_masked(packed[np.minimum(ends, len(packed) - 1)])
    return Counter((ends - starts)[is_known].tolist())


def _is_masked(packed: States) -> NDArray[np.bool_]:
    forward, reverse = states.unpack(packed)
    return (forward == MASKED) | (reverse == MASKED)
