"""Splice sites as the introns of an annotation have them: what stands at a donor, an acceptor and a branch point.

Donors and acceptors are position weight matrices (Staden 1984, Nucleic Acids Research 12:505): natural log-odds of a
base at a place of the site against its share of all bases. The branch point has no fixed place. Its score is that of
the best word of 7 bases before the acceptor: the natural log-odds that the introns of the annotation have it there,
against what stands before places that look like an acceptor. No motif is given: everything is counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.gene_models.model import Gene
from pipelines.gene_models.open_frames import Integers
from pipelines.genome import sequence
from pipelines.genome.sequence import Bytes

FEWEST_INTRONS = 30
# Bases of a site before and after the splice junction.
DONOR, ACCEPTOR = (3, 6), (12, 2)
# Bases before an acceptor within which a branch point's word lies.
BRANCH = (60, 8)
WORD = 7
# Introns that have a word, at least, for it to count.
_FEWEST_WITH_WORD = 3
_PSEUDOCOUNT = 0.5
# Share of the sites of the annotation that a threshold lets through, and of the lengths within each limit.
_PASSING, _WITHIN = 0.95, 0.99
_DECOYS = 20_000
_BLOCK = 1 << 14
DIGITS = 3
Floats = NDArray[np.float64]
Table = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class SpliceWeights:
    """What an intron adds to the score of a frame: log-odds that it is right, mostly below 0.

    Attributes:
        constant: added to every one.
        sites: of the scores of donor, acceptor and branch point.
        contrast: of the mean score of the exons less that of the intron.
        intron: of the natural logarithm of the intron's length.
        first_exon: of that of the first exon's length.
    """

    constant: float = 0.0
    sites: float = 0.0
    contrast: float = 0.0
    intron: float = 0.0
    first_exon: float = 0.0

    def scores(self, figures: Floats) -> Floats:
        """What introns add, shape (frames,).

        Args:
            figures: of the attributes from `sites` on, in their order, shape (frames, 4).
        """
        return figures @ np.array([self.sites, self.contrast, self.intron, self.first_exon]) + self.constant


@dataclass(frozen=True)
class SpliceSites:
    """What splice sites look like in a genome.

    Raises:
        ValueError: a table of another shape, or a value that is no number.

    Attributes:
        donor: log-odds of A, C, G and T at each place around the first base of an intron, shape (9, 4).
        acceptor: likewise around the first base after an intron, shape (14, 4).
        branch: log-odds of words of 7 bases before an acceptor.
        no_branch: log-odds of an intron with none of these words.
        lowest_donor: score that a donor has at least.
        lowest_acceptor: score that an acceptor has at least, without the branch point.
        introns: shortest and longest intron.
        longest_first: longest first exon, from the start codon on.
        learnt_from: number of introns.
        weights: of what an intron adds to the score of a frame.
    """

    donor: Table
    acceptor: Table
    branch: dict[str, float]
    no_branch: float
    lowest_donor: float
    lowest_acceptor: float
    introns: tuple[int, int]
    longest_first: int
    learnt_from: int
    weights: SpliceWeights = SpliceWeights()

    def __post_init__(self) -> None:
        shapes = (self.donor, sum(DONOR)), (self.acceptor, sum(ACCEPTOR))
        numbers = [self.no_branch, self.lowest_donor, self.lowest_acceptor, *self.branch.values()]
        numbers += [value for table, _ in shapes for row in table for value in row] + [*vars(self.weights).values()]
        limits = (*self.introns, self.longest_first, self.learnt_from)
        if (
            any(len(table) != places or any(len(row) != 4 for row in table) for table, places in shapes)
            or any(len(word) != WORD or set(word) - set("ACGT") for word in self.branch)
            or not all(type(value) in (int, float) and math.isfinite(value) for value in numbers)
            or not all(type(value) is int and value > 0 for value in limits)
            or len(self.introns) != 2
            or self.introns[0] > self.introns[1]
        ):
            raise ValueError("not splice sites")

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return vars(self) | {"weights": vars(self.weights)}

    @classmethod
    def of_document(cls, values: dict[str, Any]) -> SpliceSites:
        """The splice sites of a document.

        Raises:
            KeyError, TypeError, ValueError: it is not one.
        """
        tables = {name: tuple(map(tuple, values[name])) for name in ("donor", "acceptor")}
        introns, weights = tuple(values["introns"]), SpliceWeights(**values["weights"])
        return cls(**{**values, **tables, "introns": introns, "weights": weights})

    def donor_scores(self, codes: Bytes) -> Floats:
        """Score of the donor of an intron that begins at each base, shape (bases,).

        Args:
            codes: base codes in reading direction, shape (bases,).
        """
        return _site_scores(codes, np.array(self.donor), DONOR[0])

    def acceptor_scores(self, codes: Bytes) -> Floats:
        """Score of the acceptor of an intron that ends before each base, shape (bases,); arguments as for donors."""
        return _site_scores(codes, np.array(self.acceptor), ACCEPTOR[0])

    def branch_scores(self, codes: Bytes, positions: Integers) -> Floats:
        """Score of the best word before acceptors.

        Args:
            codes: base codes in reading direction, shape (bases,).
            positions: first bases after the introns, shape (acceptors,).
        """
        table = np.full(4**WORD + 1, self.no_branch)
        for word, value in self.branch.items():
            table[_word_numbers(sequence.base_codes(np.frombuffer(word.encode(), np.uint8)))[0]] = value
        # One more, for sequences without any word.
        values = np.append(table[_word_numbers(codes)], self.no_branch)
        scores = np.full(len(positions), self.no_branch)
        for first in range(0, len(positions), _BLOCK):
            block = positions[first : first + _BLOCK]
            places = block[:, None] - np.arange(BRANCH[1] + WORD, BRANCH[0] + 1)
            found = np.where(places >= 0, values[np.maximum(places, 0)], self.no_branch)
            scores[first : first + _BLOCK] = found.max(axis=1)
        return scores


def learn(sequences: Iterable[tuple[str, Bytes]], genes: Sequence[Gene]) -> SpliceSites | None:
    """Learn splice sites from the coding introns of genes; None if there are too few.

    That is fewer than `FEWEST_INTRONS`, or none of a transcript that begins with a start codon.

    Args:
        sequences: name and letters of the sequences to learn from.
        genes: annotated genes; those on other sequences do not count.
    """
    donors, acceptors, befores, firsts, lengths = [], [], [], [], []
    counts, random_befores = np.ones(4), []
    read_strands, known = [], set[bytes]()
    for name, letters in sequences:
        of_strand = {"+": sequence.base_codes(letters), "-": sequence.base_codes(sequence.reverse_complement(letters))}
        for codes in of_strand.values():
            counts += np.bincount(codes, minlength=sequence.OTHER + 1)[:4]
        read_strands += list(of_strand.values())
        introns, exons = _introns(name, genes, len(letters))
        firsts += exons
        for strand, start, end in sorted(introns):
            codes = of_strand[strand]
            if start < DONOR[0] or end < max(BRANCH[0], ACCEPTOR[0]) or end + max(DONOR[1], ACCEPTOR[1]) > len(codes):
                continue
            before = codes[end - BRANCH[0] : end - BRANCH[1]]
            # Copies of a gene would make words of what they share.
            if (key := before.tobytes()) in known:
                continue
            known.add(key)
            donors.append(codes[start - DONOR[0] : start + DONOR[1]])
            acceptors.append(codes[end - ACCEPTOR[0] : end + ACCEPTOR[1]])
            befores.append(before)
            lengths.append(end - start)
    if len(lengths) < FEWEST_INTRONS or not firsts:
        return None
    shares = counts / counts.sum()
    donor, acceptor = _matrix(np.array(donors), shares), _matrix(np.array(acceptors), shares)
    lowest = [
        float(np.quantile(_of_sites(np.array(sites), matrix), 1 - _PASSING))
        for sites, matrix in ((donors, donor), (acceptors, acceptor))
    ]
    for codes in read_strands:
        places = np.flatnonzero(_site_scores(codes, acceptor, ACCEPTOR[0]) >= lowest[1])
        places = places[places >= BRANCH[0]]
        step = max(1, len(places) * len(read_strands) // _DECOYS)
        random_befores.append(codes[places[::step, None] - np.arange(BRANCH[0], BRANCH[1], -1)])
    branch, no_branch = _branch_words(np.array(befores), np.concatenate(random_befores))
    limits = np.quantile(lengths, [1 - _WITHIN, _WITHIN])
    return SpliceSites(
        _rounded(donor),
        _rounded(acceptor),
        branch,
        no_branch,
        round(lowest[0] - 0.01, DIGITS),
        round(lowest[1] - 0.01, DIGITS),
        (int(limits[0]), int(np.ceil(limits[1]))),
        int(np.ceil(np.quantile(firsts, _PASSING))),
        len(lengths),
    )


def _introns(name: str, genes: Sequence[Gene], length: int) -> tuple[set[tuple[str, int, int]], list[int]]:
    """The coding introns of a sequence in reading direction, and the lengths of the exons before the first of each."""
    introns: set[tuple[str, int, int]] = set()
    exons: dict[tuple[str, tuple[int, int]], int] = {}
    for gene in genes:
        if gene.chromosome != name or gene.strand not in ("+", "-"):
            continue
        for transcript in gene.transcripts:
            spans = transcript.coding_introns
            if gene.strand == "-":
                spans = tuple((length - end, length - start) for start, end in spans[::-1])
            introns.update((gene.strand, start, end) for start, end in spans)
            if spans and not transcript.is_partial_start:
                begin = length - transcript.cds[-1][1] if gene.strand == "-" else transcript.cds[0][0]
                exons[gene.strand, spans[0]] = spans[0][0] - begin
    return introns, list(exons.values())


def _matrix(sites: Bytes, shares: Floats) -> Floats:
    """Log-odds of the bases at every place of sites of shape (sites, places)."""
    counts = np.stack([(sites == base).sum(axis=0) for base in range(4)], axis=1) + 4 * _PSEUDOCOUNT * shares
    return np.log(counts / counts.sum(axis=1, keepdims=True) / shares)


def _rounded(matrix: Floats) -> Table:
    return tuple(tuple(round(float(value), DIGITS) for value in row) for row in matrix)


def _of_sites(sites: Bytes, matrix: Floats) -> Floats:
    """The score of each site; a base that is not known is the rarest."""
    full = np.column_stack([matrix, matrix.min(axis=1)])
    return full[np.arange(len(matrix)), sites].sum(axis=1)


def _site_scores(codes: Bytes, matrix: Floats, before: int) -> Floats:
    """Score of a site at every base; minus infinity where it does not fit in."""
    full = np.column_stack([matrix, matrix.min(axis=1)])
    inner = len(codes) - len(matrix) + 1
    scores = np.full(len(codes), -np.inf)
    if inner > 0:
        sums = np.zeros(inner)
        for place, row in enumerate(full):
            sums += row[codes[place : place + inner]]
        scores[before : before + inner] = sums
    return scores


def _word_numbers(codes: Bytes) -> NDArray[np.int64]:
    """The number of the word that begins at each base, `4 ** WORD` for one with an unknown base."""
    inner = max(len(codes) - WORD + 1, 0)
    numbers, known = np.zeros(inner, np.int64), np.ones(inner, np.bool_)
    for place in range(WORD):
        part = codes[place : place + inner]
        numbers = numbers * 4 + part
        known &= part != sequence.OTHER
    return np.where(known, numbers, 4**WORD)


def _branch_words(befores: Bytes, decoys: Bytes) -> tuple[dict[str, float], float]:
    """Log-odds of the words that introns have more often than decoys, and of having none; bases before acceptors."""

    def has(rows: Bytes) -> Floats:
        """How many rows have each word."""
        counts = np.zeros(4**WORD + 1)
        for row in rows:
            counts[np.unique(_word_numbers(row))] += 1
        return counts[:-1]

    of_introns, of_decoys = has(befores), has(decoys)
    odds = np.log((of_introns + _PSEUDOCOUNT) / (len(befores) + 1) / ((of_decoys + _PSEUDOCOUNT) / (len(decoys) + 1)))
    # The score of a word is that of rows for which it is the best.
    chosen = np.flatnonzero((of_introns >= _FEWEST_WITH_WORD) & (odds > 0))
    words = {"".join("ACGT"[number >> 2 * place & 3] for place in range(WORD)[::-1]): number for number in chosen}

    def without(rows: Bytes) -> float:
        return float(sum(not np.isin(_word_numbers(row), chosen).any() for row in rows))

    share = (without(befores) + _PSEUDOCOUNT) / (len(befores) + 1)
    no_branch = float(np.log(share / ((without(decoys) + _PSEUDOCOUNT) / (len(decoys) + 1))))
    values = {word: round(float(odds[number]), DIGITS) for word, number in words.items()}
    return values, round(no_branch, DIGITS)
